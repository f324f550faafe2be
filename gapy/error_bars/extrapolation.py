"""How far an environment lies outside those of the training set.

A kernel of normalised descriptors cannot tell |x| and saturates: far away from all data its
variance stays at delta^2. The reach goes on growing. With the mean and the leading principal
directions u_r (variances lambda_r) of the training descriptors x, not normalised, of one
species, and dx = x - mean,

    m^2(x) = sum_r (u_r . dx)^2 / lambda_r + |dx - sum_r u_r (u_r . dx)|^2 / epsilon,
    excess = max(0, m / m_max - 1),

m_max the largest m of the training set; and with r_min the shortest distance of two species in it
(see `Contacts.contact_ss` for those that never met),

    closeness_i = max_j max(0, (r_min / r_ij)^4 - 1).

Both are zero inside the training data. m is the Mahalanobis distance, with directions of less
than `SMALLEST` of the leading variance lumped together: it serves to find what is far off,
nearer by the posterior variance is finer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations_with_replacement

import numpy as np
import scipy.linalg

from gapy._jit.covariance import normalise
from gapy._jit.pairs import closest_ratio, least_distances, nearest_distances
from gapy._support.remember import Remembered
from gapy.descriptors.base import known_slots
from gapy.gp.frames import Frames

SMALLEST = 1e-2
RELATIVE = 1e-6
"""Of |mean|^2: the least variance of a direction, where all environments are alike."""
MOST_DIRECTIONS = 64
STRETCH_POWER = 2
FADING = 0.5
"""A before the cutoff over which an atom without other neighbours counts as free."""
CLOSENESS_POWER = 4


@dataclass(frozen=True)
class SpeciesExtrapolation:
    """m^2(x) = rest |dx|^2 - |dx W|^2 of one species, mean_d (D,), w_dr (D, r); limit = m_max."""

    mean_d: np.ndarray
    w_dr: np.ndarray
    rest: float
    limit: float

    @cached_property
    def _columns(self) -> tuple[np.ndarray, np.ndarray, float]:
        """[W mean] (D, r + 1), its product with the mean (r + 1,), and |mean|^2."""
        columns_dr = np.ascontiguousarray(np.column_stack([self.w_dr, self.mean_d]))
        offset_r = self.mean_d @ columns_dr
        return columns_dr, offset_r, float(offset_r[-1])

    def distance(self, xh_id: np.ndarray, norm_i: np.ndarray, unseen_i=None) -> np.ndarray:
        """m (b,) of descriptors x = norm xh, given normalised, xh_id (b, D), with their norms (b,).

        unseen_i: squared length of what a projected descriptor does not see; the mean, which the
        projection holds, has none of it. One matrix product with r + 1 columns; the engine has xh
        and the norms at hand.
        """
        columns_dr, offset_r, mean_square = self._columns
        y_ir = (xh_id @ columns_dr) * norm_i[:, None]
        dx_square = norm_i**2 - 2.0 * y_ir[:, -1] + mean_square
        if unseen_i is not None:
            dx_square += unseen_i
        y_ir -= offset_r
        along = np.einsum("ir,ir->i", y_ir[:, :-1], y_ir[:, :-1])
        return np.sqrt(np.maximum(self.rest * dx_square - along, 0.0))

    def excess(self, xh_id: np.ndarray, norm_i: np.ndarray, unseen_i=None) -> np.ndarray:
        """max(0, m / m_max - 1), (b,)."""
        return np.maximum(self.distance(xh_id, norm_i, unseen_i) / self.limit - 1.0, 0.0)


@dataclass(frozen=True)
class Extrapolation:
    """Reach of one term: SpeciesExtrapolation of each slot (None for a species without data).

    least_ss (S, S): shortest distance of each pair of species slots, A; 0 for one that no
    structure holds. nearest_s (S,): largest distance from an atom of each slot to its nearest
    neighbour, A; 0 for one without neighbours; None: not known.
    """

    species: tuple[SpeciesExtrapolation | None, ...]
    least_ss: np.ndarray
    nearest_s: np.ndarray | None = None


@dataclass(frozen=True)
class Contacts:
    """Extreme distances in the training set, whichever term has seen them.

    species (S,) ascending atomic numbers; least_ss (S, S) A, 0 for two that no structure holds
    close to one another; nearest_s (S,): largest distance to the nearest neighbour, A, 0 for none;
    cutoff: beyond which an atom has no neighbours, A.
    """

    species: tuple[int, ...]
    least_ss: np.ndarray
    nearest_s: np.ndarray | None = None
    cutoff: float = np.inf

    @cached_property
    def contact_ss(self) -> np.ndarray:
        """Distances (S, S), A, below which a pair counts as too close: `least_ss`.

        For a pair never seen, the mean of what each species comes to itself or, if that is unknown
        too, to any other (Lorentz's rule); without it sigma would saturate as two such atoms meet.
        0, never too close, for a species without neighbours.
        """
        seen = np.where(self.least_ss > 0.0, self.least_ss, np.inf)
        own = np.where(np.isfinite(np.diag(seen)), np.diag(seen), seen.min(axis=1))
        mixed = 0.5 * (own[:, None] + own)
        filled = np.where(np.isfinite(seen), seen, mixed)
        return np.where(np.isfinite(filled), filled, 0.0)

    def by_pair(self) -> dict[tuple[int, int], float]:
        """The distances by pair of ascending atomic numbers; those never too close left out."""
        pairs = combinations_with_replacement(range(len(self.species)), 2)
        return {
            (self.species[a], self.species[b]): float(self.contact_ss[a, b])
            for a, b in pairs
            if self.contact_ss[a, b] > 0.0
        }

    @cached_property
    def _slots(self) -> Remembered:
        return Remembered(partial(known_slots, self.species))

    def beyond(self, pairs, numbers: np.ndarray) -> np.ndarray:
        """closeness^2 + stretch^2 (n,): what distances add to the excess of environments."""
        return self.closeness(pairs, numbers) ** 2 + self.stretch(pairs, numbers) ** 2

    def stretch(self, pairs, numbers: np.ndarray) -> np.ndarray:
        """max(0, (d / d_max)^2 - 1) of every centre, (n,), with the distance d of its nearest
        neighbour and the largest of the training set; 0 of other atoms.

        It ends over the last FADING before the cutoff, where an atom becomes a free one, which the
        model knows. Without it sigma would fall as a bond breaks, since environments of few far
        neighbours resemble that of none.
        """
        if self.nearest_s is None:
            return np.zeros(len(numbers))
        slots = self._slots(numbers)
        nearest_n = np.full(len(numbers), np.inf)
        nearest_distances(
            pairs.centre_i, pairs.first_i, pairs.j_p, pairs.r_pc, slots, self.cutoff, nearest_n
        )
        largest_n = np.where(slots >= 0, self.nearest_s[slots], 0.0)
        known = np.isfinite(nearest_n) & (largest_n > 0.0)
        d_n = np.where(known, nearest_n, 1.0)
        ratio = np.where(known, d_n / np.where(known, largest_n, 1.0), 1.0)
        t = np.clip((self.cutoff - d_n) / FADING, 0.0, 1.0)
        return np.maximum(ratio**STRETCH_POWER - 1.0, 0.0) * t**2 * (3.0 - 2.0 * t)

    def closeness(self, pairs, numbers: np.ndarray) -> np.ndarray:
        """max_j max(0, (r_min / r_ij)^4 - 1) of every centre, (n,); 0 of other atoms."""
        ratio = np.ones(len(numbers))
        closest_ratio(
            pairs.centre_i, pairs.first_i, pairs.j_p, pairs.r_pc, self._slots(numbers),
            self.contact_ss, ratio,
        )  # fmt: skip
        return ratio**CLOSENESS_POWER - 1.0


def contacts(terms, reach) -> Contacts | None:
    """Of all terms together; None if the reach of none is known."""
    known = [(t.descriptor, r) for t, r in zip(terms, reach) if r is not None]
    if not known:
        return None
    species = tuple(sorted(set().union(*(of.species for of, _ in known))))
    least, nearest = np.full((len(species), len(species)), np.inf), np.zeros(len(species))
    for of, one in known:
        at = np.searchsorted(species, of.species)
        seen = np.where(one.least_ss > 0.0, one.least_ss, np.inf)
        least[np.ix_(at, at)] = np.minimum(least[np.ix_(at, at)], seen)
        if one.nearest_s is not None:
            nearest[at] = np.maximum(nearest[at], one.nearest_s)
    return Contacts(
        species,
        np.where(np.isfinite(least), least, 0.0),
        nearest if all(one.nearest_s is not None for _, one in known) else None,
        max(_reaching(of) for of, _ in known),
    )


def _reaching(descriptor) -> float:
    """Distance within which it sees neighbours, A; infinite for one that states none."""
    return descriptor.cutoff if np.isfinite(descriptor.cutoff) else np.inf


def norms(inv_norm_i: np.ndarray) -> np.ndarray:
    """|x| of descriptors that `normalise` divided by it; 0 where it found none."""
    return np.divide(1.0, inv_norm_i, out=np.zeros_like(inv_norm_i), where=inv_norm_i > 0.0)


def learn_metric(
    frames: Frames, term: int, descriptor, threads: int = 1, known: Extrapolation | None = None
) -> Extrapolation:
    """Mean and directions of the environments of structures, for one term; no extent yet.

    With `known`, an earlier reach, only those of species that it had no data of are learnt.
    """
    n_slots, n_d = len(descriptor.species), descriptor.n_features
    known = known or Extrapolation((None,) * n_slots, np.zeros((n_slots, n_slots)))
    if all(s is not None for s in known.species):
        return known
    count, total = np.zeros(n_slots, dtype=int), np.zeros((n_slots, n_d))
    outer = np.zeros((n_slots, n_d, n_d))
    for parts in frames.values(term, threads):
        for slot, x_id in parts:
            if known.species[slot] is None:
                count[slot] += len(x_id)
                total[slot] += x_id.sum(axis=0)
                outer[slot] += x_id.T @ x_id
    species = tuple(
        _metric(total[s] / count[s], outer[s] / count[s]) if count[s] else known.species[s]
        for s in range(n_slots)
    )
    return replace(known, species=species)


def extended(
    frames: Frames, term: int, descriptor, reach: Extrapolation, threads: int = 1
) -> Extrapolation:
    """The reach with the largest m and the shortest distances of more structures."""
    # An environment at the mean alone would have no extent: one standard deviation is the least.
    limits = [1.0 if s is None else s.limit for s in reach.species]
    for parts in frames.seen(term, threads):
        for slot, x_id, unseen_i in parts:
            inv_norm_i = np.empty(len(x_id))
            normalise(x_id, inv_norm_i)
            distance = reach.species[slot].distance(x_id, norms(inv_norm_i), unseen_i)
            limits[slot] = max(limits[slot], float(distance.max()))
    least = np.where(reach.least_ss > 0.0, reach.least_ss, np.inf)
    nearest = np.zeros(len(limits)) if reach.nearest_s is None else reach.nearest_s.copy()
    for k, atoms in enumerate(frames.atoms):
        pairs, slots = frames.pairs(k), known_slots(descriptor.species, atoms.numbers)
        of = pairs.centre_i, pairs.first_i, pairs.j_p, pairs.r_pc, slots
        least_distances(*of, least)
        nearest_n = np.full(len(atoms), np.inf)
        nearest_distances(*of, _reaching(descriptor), nearest_n)
        bound = np.isfinite(nearest_n)
        np.maximum.at(nearest, slots[bound], nearest_n[bound])
    return Extrapolation(
        tuple(s and replace(s, limit=limit) for s, limit in zip(reach.species, limits)),
        np.where(np.isfinite(least), least, 0.0),
        nearest,
    )


def learn_extrapolation(
    frames: Frames, term: int, descriptor, threads: int = 1, known: Extrapolation | None = None
) -> Extrapolation:
    """Reach of one term over structures: metric, where it is not known, then extent."""
    metric = learn_metric(frames, term, descriptor, threads, known)
    return extended(frames, term, descriptor, metric, threads)


def same_metric(a: Extrapolation | None, b: Extrapolation | None) -> bool:
    """Whether mean and directions agree in all species that both know."""
    if a is None or b is None:
        return True
    return all(
        x.rest == y.rest and np.array_equal(x.mean_d, y.mean_d) and np.array_equal(x.w_dr, y.w_dr)
        for x, y in zip(a.species, b.species)
        if x is not None and y is not None
    )


def merged_extrapolation(a: Extrapolation | None, b: Extrapolation | None) -> Extrapolation | None:
    """The reach of all environments of two parts, measured by one metric (`same_metric`)."""
    if a is None or b is None:
        return a or b
    species = [
        x or y if x is None or y is None else replace(x, limit=max(x.limit, y.limit))
        for x, y in zip(a.species, b.species)
    ]
    seen = [np.where(r.least_ss > 0.0, r.least_ss, np.inf) for r in (a, b)]
    least = np.minimum(*seen)
    known = [r.nearest_s for r in (a, b) if r.nearest_s is not None]
    nearest = np.max(known, axis=0) if known else None
    return Extrapolation(tuple(species), np.where(np.isfinite(least), least, 0.0), nearest)


def _metric(mean_d: np.ndarray, outer_dd: np.ndarray) -> SpeciesExtrapolation:
    """Directions and scales from the mean and the mean of x x^T; the limit is still to come."""
    values, vectors = scipy.linalg.eigh(outer_dd - np.outer(mean_d, mean_d))
    values, vectors = values[::-1], vectors[:, ::-1]
    least = max(SMALLEST * values[0], RELATIVE * float(mean_d @ mean_d), 1e-300)
    n = min(int((values > least).sum()), MOST_DIRECTIONS)
    # rest - |w|^2 = 1 / lambda; directions left out have at most the variance of the last kept.
    rest = 1.0 / max(least, values[n] if n < len(values) else 0.0)
    scale = np.sqrt(np.maximum(rest - 1.0 / values[:n], 0.0))
    return SpeciesExtrapolation(mean_d, np.ascontiguousarray(vectors[:, :n] * scale), rest, 1.0)
