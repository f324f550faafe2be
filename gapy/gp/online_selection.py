"""New inducing points for a model that is already fitted, chosen where its variance asks for them.

An environment x is worth a point if the present points leave much of its prior variance
unexplained. With l = L^-1 k at delta = 1,

    d^2(x) / delta^2 = k(x, x) - |l(x)|^2 .

Points are chosen by pivoted Cholesky on the residual kernel k(x, x') - l(x) . l(x'), so those
chosen count as explained: of two near-duplicates only one is taken.

The rows K_n of the data seen before lack the new columns. Split the row of a label into what the
old points span and an innovation,

    k_n,new = k_nM K_MM^-1 K_M,new + (innovation) .

"Projected" columns leave the innovation out. In the whitened coordinates of the factors R_g this
appends columns of zeros, however many rows R_g stands for: mean and variance stay what they were
until new data arrive, and old data say nothing about the new weights. The innovation obeys
(Cauchy-Schwarz in the RKHS)

    |innovation of a local energy at x|^2 <= d^2(x) d^2(new point) / delta^4   at delta = 1,

so it vanishes where the new point lies in the span of the old ones, and where these explained the
old data well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular

from gapy._support.threads import ordered_map
from gapy.gp.inducing import CANDIDATE_BYTES
from gapy.gp.kernel import dot_product, prior
from gapy.gp.pivoted_cholesky import pivots
from gapy.gp.statistic import Factor, SufficientStatistic
from gapy.gp.terms import blocks, normalised


@dataclass(frozen=True)
class NewPoints:
    """New inducing points: points[term][slot] (m, D), normalised, most wanted first.

    unexplained: largest d^2 / delta^2 of all environments looked at, before any point was added.
    """

    points: tuple[tuple[np.ndarray, ...], ...]
    unexplained: float

    @property
    def n_points(self) -> int:
        return sum(len(x_md) for term in self.points for x_md in term)

    def extend(self, terms) -> tuple:
        """Terms whose inducing points are the old ones followed by the new, slot by slot."""
        return tuple(
            replace(
                term,
                inducing=tuple(
                    np.concatenate([old, new]) if len(new) else old
                    for old, new in zip(term.inducing, new_points)
                ),
            )
            for term, new_points in zip(terms, self.points)
        )


def unexplained(x_sd, lower, zeta: int, x_id) -> tuple[np.ndarray, np.ndarray]:
    """d^2 / delta^2 (n,) of normalised descriptors x_id (n, D), and l (M_s, n).

    x_sd (M_s, D) are the points of their species with Cholesky factor `lower`; none is allowed.
    """
    left = prior(x_id, zeta)
    if not len(x_sd):
        return left, np.empty((0, len(x_id)))
    l_mn = solve_triangular(lower, dot_product(x_sd, x_id, zeta), lower=True, overwrite_b=True)
    return left - np.einsum("mn,mn->n", l_mn, l_mn), l_mn


def choose(terms, cholesky, frames, *, threshold, max_points, threads=1) -> NewPoints:
    """Points among all environments of `frames` (ASE Atoms) that the variance asks for.

    Arguments
    ---------
    terms, cholesky : the model, factors as `cholesky_factors(terms)` gives them
    threshold : an environment whose d^2 / delta^2 exceeds this, given the points chosen before it,
        becomes a point
    max_points : at most so many in all; those with the largest d^2 / delta^2 go first, and each
        species without points gets its first one before all others
    """
    lowers = {(b.term, b.slot): c for b, c in zip(blocks(terms), cholesky)}
    pools = {
        (t, s): _Pool(threshold, max(term.descriptor.n_features, len(term.inducing[s])))
        for t, term in enumerate(terms)
        for s, z in enumerate(term.descriptor.species)
        if z in term.served
    }

    def look(atoms):
        envs = {t: terms[t].descriptor.environments(atoms) for t in {t for t, _ in pools}}
        out = []
        for t, s in pools:
            term, env = terms[t], envs[t]
            for begin, end in env.blocks(s):
                x_id = normalised(term.descriptor.values(env, begin, end))
                d2, l_mn = unexplained(term.inducing[s], lowers.get((t, s)), term.zeta, x_id)
                out.append(((t, s), x_id, l_mn, d2))
        return out

    for parts in ordered_map(look, frames, threads):
        for key, x_id, l_mn, d2 in parts:
            pools[key].add(x_id, l_mn, d2)
    chosen = {k: pool.greedy(terms[k[0]].zeta, max_points) for k, pool in pools.items()}
    kept = _largest({k: gains for k, (_, gains) in chosen.items()}, lowers, max_points)
    points = tuple(
        tuple(
            np.ascontiguousarray(chosen[t, s][0][: kept[t, s]]) if (t, s) in chosen else x[:0]
            for s, x in enumerate(term.inducing)
        )
        for t, term in enumerate(terms)
    )
    return NewPoints(points, max((pool.largest for pool in pools.values()), default=0.0))


def _largest(gains, present, max_points: int) -> dict:
    """How many points of each pool are among the `max_points` most wanted.

    Within a pool gains do not increase, so the most wanted of all pools are beginnings of each.
    """
    ranked = sorted(
        (not (k == 0 and key not in present), -gain, key)
        for key, values in gains.items()
        for k, gain in enumerate(values)
    )
    counts = dict.fromkeys(gains, 0)
    for _, _, key in ranked[:max_points]:
        counts[key] += 1
    return counts


class _Pool:
    """Environments of one species above the threshold; the largest ones where memory is short."""

    def __init__(self, threshold: float, width: int):
        self._threshold = threshold
        self._capacity = max(CANDIDATE_BYTES // (8 * width), 1)
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._n = 0
        self.largest = 0.0

    def add(self, x_id, l_mn, d2) -> None:
        self.largest = max(self.largest, float(d2.max(initial=0.0)))
        above = d2 > self._threshold
        if above.any():
            self._parts.append((x_id[above], l_mn[:, above], d2[above]))
            self._n += int(above.sum())
        if self._n > 2 * self._capacity:
            self._shorten()

    def _shorten(self) -> None:
        x_id, l_mn, d2 = (np.concatenate(p, axis=a) for p, a in zip(zip(*self._parts), (0, 1, 0)))
        if len(d2) > self._capacity:
            keep = np.sort(np.argsort(-d2, kind="stable")[: self._capacity])
            x_id, l_mn, d2 = x_id[keep], l_mn[:, keep], d2[keep]
        self._parts, self._n = [(x_id, l_mn, d2)], len(d2)

    def greedy(self, zeta: int, n_points: int) -> tuple[np.ndarray, list[float]]:
        """(m, D) points by pivoted Cholesky of the residual kernel, and the d^2 of each."""
        if not self._parts:
            return np.empty((0, 0)), []
        self._shorten()
        x_id, l_mn, left = self._parts[0]

        def residual_with(p: int) -> np.ndarray:
            return dot_product(x_id, x_id[p], zeta) - l_mn[:, p] @ l_mn

        found = pivots(left, residual_with, n_points, self._threshold)
        return x_id[found.chosen], found.variances


def column_map(terms, growth: NewPoints) -> tuple[np.ndarray, np.ndarray]:
    """Where the old columns (M,) and the new ones (m,) are in the layout of the grown terms."""
    old, new = [], []
    kept = {(b.term, b.slot): len(b.x_sd) for b in blocks(terms)}
    for b in blocks(growth.extend(terms)):
        middle = b.start + kept.get((b.term, b.slot), 0)
        old.append(np.arange(b.start, middle))
        new.append(np.arange(middle, b.stop))
    return np.concatenate(old), np.concatenate(new)


def projected(statistic: SufficientStatistic, terms, growth: NewPoints) -> SufficientStatistic:
    """The statistic with columns for the new points, innovations of its rows taken as zero.

    terms : those of the statistic. Returns a new one whose columns are those of
    `growth.extend(terms)`; the given one stays as it is.
    """
    old, new = column_map(terms, growth)
    out = SufficientStatistic(len(old) + len(new))
    for key, factor in statistic.factors.items():
        rows = factor.matrix()
        matrix = np.zeros((len(rows), len(old) + len(new) + 1))
        matrix[:, old] = rows[:, :-1]
        matrix[:, -1] = rows[:, -1]
        out.factors[key] = Factor.of(matrix, factor.n_rows, factor.log_weight)
    return out
