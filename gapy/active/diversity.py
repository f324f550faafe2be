"""Which of several structures to label: different from one another and from what is labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapy.active.frames import Request
from gapy.descriptors.base import by_atom
from gapy.gp.pivoted_cholesky import pivots_of

NEW_SHARE = 0.1
"""Of a candidate's variance: what the ones chosen before it must leave open."""


class Environments:
    """Normalised descriptors of all labelled environments, by species.

    descriptors: one of each term of the model. Distances are the root mean square of |xh - xh'|
    over those that know the species, between 0 and sqrt(2). All count alike, whatever the delta
    of their terms: deltas are learnt anew on the way, and a distance that followed them would
    depend on when a loop was resumed.
    """

    def __init__(self, descriptors: Sequence):
        self._descriptors = tuple(descriptors)
        self._parts: dict[int, list[np.ndarray]] = {}

    def add(self, atoms) -> None:
        """Remember the environments of a labelled structure."""
        x_nd = self._normalised(atoms)
        for z in sorted(set(atoms.numbers.tolist())):
            self._parts.setdefault(z, []).append(x_nd[atoms.numbers == z])

    def worst(self, request: Request) -> np.ndarray:
        """The normalised descriptor of the most uncertain environment of a request."""
        return self._normalised(request.atoms)[request.worst_atom]

    def distance(self, request: Request) -> float:
        """From the request's most uncertain environment to the nearest labelled one."""
        return self._distance(int(request.numbers[request.worst_atom]), self.worst(request))

    def _distance(self, z: int, x_d: np.ndarray) -> float:
        parts = self._parts.get(z)
        if not parts:
            return float(np.sqrt(2.0))
        if len(parts) > 1:  # joined when first asked, not at each label
            parts[:] = [np.concatenate(parts)]
        nearest = float((parts[0] @ x_d).max())
        return float(np.sqrt(max(2.0 - 2.0 * nearest, 0.0)))

    def choose(
        self, candidates: Sequence[Request], limit: int, min_distance: float
    ) -> tuple[list[Request], int]:
        """At most `limit` candidates, and how many were near-duplicates.

        Greedy pivoted Cholesky on one kernel matrix of the candidates' worst environments,

            k(i, j) = sigma_i sigma_j [Z_i = Z_j] exp(-|xh_i - xh_j|^2 / (2 l^2))

        so that the next one has the largest variance which the ones before it leave open. l is the
        median distance of the candidates from what is labelled: two of them say the same if they
        are nearer to each other than to anything known. (The kernel of the model is that of the
        prior, in which all atoms of one phase are almost the same.)
        """
        worst = [self.worst(c) for c in candidates]
        species = [int(c.numbers[c.worst_atom]) for c in candidates]
        distance = [self._distance(z, x) for z, x in zip(species, worst)]
        fresh = [k for k, d in enumerate(distance) if d >= max(min_distance, 1e-12)]
        chosen = []
        if fresh:
            x_nd = np.array([worst[k] for k in fresh])
            sigma = np.array([candidates[k].max_force_std for k in fresh])
            length = float(np.median([distance[k] for k in fresh]))
            same = np.equal.outer([species[k] for k in fresh], [species[k] for k in fresh])
            squared = np.maximum(2.0 - 2.0 * x_nd @ x_nd.T, 0.0)
            kernel = np.outer(sigma, sigma) * same * np.exp(-0.5 * squared / length**2)
            least = NEW_SHARE * np.diag(kernel)
            chosen = [fresh[p] for p in pivots_of(kernel, limit, least)]
        return [candidates[k] for k in sorted(chosen)], len(candidates) - len(fresh)

    def _normalised(self, atoms) -> np.ndarray:
        """(n, D): those of all descriptors side by side, of length 1 together."""
        parts, n_told = [], np.zeros((len(atoms), 1))
        for descriptor in self._descriptors:
            x_nd = by_atom(descriptor, atoms)
            norm = np.linalg.norm(x_nd, axis=1, keepdims=True)
            parts.append(np.divide(x_nd, norm, out=x_nd, where=norm > 0.0))
            n_told += norm > 0.0
        if len(parts) == 1:
            return parts[0]
        return np.hstack(parts) / np.sqrt(np.maximum(n_told, 1.0))
