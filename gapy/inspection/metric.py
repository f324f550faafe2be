"""The measure of distance between environments: the kernel of a model, all its terms together.

    d(i, j)^2 = 2 - 2 sum_t w_t (xh_ti . xh_tj)^zeta_t,    w_t = delta_t^2 / sum of delta^2

over the terms t that serve the species: 0 for equal environments, 1.41 for those that have nothing
in common. It is the covariance of two local energies under the prior, in units of their variance,
so that a term counts as much as it is believed to matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gapy.descriptors.base import by_atom, known_species, species_slots
from gapy.gp.kernel import dot_product
from gapy.gp.terms import normalised, of_environments


@dataclass(frozen=True, eq=False)
class Metric:
    """descriptors and zeta of each term; weights (slots, terms), rows that sum to 1.

    species: atomic numbers that at least one term knows, a slot each.
    """

    descriptors: tuple
    zeta: tuple[int, ...]
    species: tuple[int, ...]
    weights: np.ndarray

    @classmethod
    def of(cls, terms: Sequence) -> Metric:
        """That of a model's terms, but for those of pairs."""
        terms = of_environments(terms)
        descriptors = tuple(t.descriptor for t in terms)
        species = tuple(known_species(descriptors))
        known, with_points = np.zeros((2, len(species), len(terms)))
        for t, term in enumerate(terms):
            for z, delta, x_sd in zip(term.descriptor.species, term.delta, term.inducing):
                known[species.index(z), t] = delta**2
                with_points[species.index(z), t] = delta**2 if len(x_sd) else 0.0
        # A term says nothing of species that it has no points for, unless no term has any.
        weights = np.where(with_points.any(axis=1, keepdims=True), with_points, known)
        zeta = tuple(t.zeta for t in terms)
        return cls(descriptors, zeta, species, weights / weights.sum(axis=1, keepdims=True))

    @classmethod
    def of_one(cls, descriptor, zeta: int) -> Metric:
        """That of one descriptor."""
        species = tuple(descriptor.species)
        return cls((descriptor,), (zeta,), species, np.ones((len(species), 1)))

    @property
    def n_features(self) -> int:
        """Length of the descriptors of all terms side by side."""
        return sum(d.n_features for d in self.descriptors)

    def by_slot(self, atoms) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(slot, atoms, normalised descriptors) of each species slot of a structure.

        Those of all terms side by side, zeros for a term that does not count for the species.
        Raises SpeciesError if no term knows one.
        """
        slots = species_slots(self.species, atoms.numbers)
        x_nd = np.hstack([normalised(by_atom(d, atoms)) for d in self.descriptors])
        for slot in range(len(self.species)):
            index = np.flatnonzero(slots == slot)
            if len(index):
                x_id = x_nd[index]
                for own, _, weight in self._parts(slot):
                    if not weight:
                        x_id[:, own] = 0.0
                yield slot, index, x_id

    def kernel(self, slot: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Function of two sets of descriptors (n, D), (m, D) of one species that gives k (n, m)."""
        parts = [part for part in self._parts(slot) if part[2]]

        def k(x_id, y_jd):
            return sum(w * dot_product(x_id[:, own], y_jd[:, own], z) for own, z, w in parts)

        return k

    def _parts(self, slot: int) -> list[tuple[slice, int, float]]:
        """(features, zeta, weight) of each term for one species."""
        stops = np.cumsum([d.n_features for d in self.descriptors]).tolist()
        weights = self.weights[slot].tolist()
        return [
            (slice(stop - d.n_features, stop), zeta, weight)
            for d, stop, zeta, weight in zip(self.descriptors, stops, self.zeta, weights)
        ]

    def reach(self, distance: float) -> float:
        """Upper bound of the squared distance between the descriptors (side by side, summed over
        species) of environments within a kernel `distance`, or of means over them."""
        lost = 0.5 * min(distance, 1.4) ** 2
        squares = 0.0
        for zeta, weight_s in zip(self.zeta, self.weights.T):
            # No other term can make up for what one loses, since none exceeds its weight.
            for weight in weight_s[weight_s > 0.0]:
                least = max(1.0 - lost / weight, 0.0) ** (1.0 / zeta)
                squares += 2.0 - 2.0 * least if least else 4.0
        return squares
