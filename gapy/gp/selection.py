"""Choice of inducing points among the environments of the training set, for one species.

All methods take normalised descriptors x_id (n, D) of the candidates and return indices,
deterministic for a seed. The kernel is (x . x')^zeta with unit diagonal.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from gapy.errors import GapyError
from gapy.gp.kernel import dot_product
from gapy.gp.pivoted_cholesky import pivots_of

MIN_RESIDUAL = 1e-9
"""Pivoted Cholesky stops where the unexplained prior variance of every candidate is below this
fraction: further points would be combinations of those chosen, and K_MM singular."""


SHORT_LIST, MOST_AT_ONCE = 256, 64
"""Candidates among which several points are chosen before all others are looked at again, and how
many points at most."""


def pivoted_cholesky(x_id, n_points: int, zeta: int, rng) -> np.ndarray:
    """Greedy choice of the largest residual prior variance k(i,i) - k_iS K_SS^-1 k_Si.

    Residuals only ever fall. So as long as the largest one of a short list is above all that was
    outside of it when the list was made, it is the largest of all: points are chosen from the
    list alone, and the residuals of all candidates follow in one matrix product for several points.
    The choice is the same as one by one; reading the factor once for each point took most of the
    time.

    O(n M (M + D)) time, n M numbers of memory. Source: Fine and Scheinberg, J. Mach. Learn. Res.
    2, 243 (2001); as a choice of inducing points Foster et al., ibid. 10, 857 (2009).
    """
    n = len(x_id)
    residual = np.ones(n)
    factor_ki = np.empty((n_points, n))
    # Every candidate starts with the same residual; the most typical one is a fair first point.
    from_mean = x_id - x_id.mean(axis=0)
    from_mean *= from_mean
    listed = np.array([np.argmin(from_mean.sum(axis=1))])
    del from_mean  # as large as all candidates
    outside = 1.0
    chosen: list[int] = []
    while True:
        k = len(chosen)
        before = factor_ki[:k, listed]
        schur = dot_product(x_id[listed], x_id[listed], zeta) - before.T @ before
        at = pivots_of(schur, min(n_points - k, MOST_AT_ONCE), max(outside, MIN_RESIDUAL))
        at = at or pivots_of(schur, 1, MIN_RESIDUAL)  # the largest of all, but for rounding
        if not at:
            break
        points = listed[at]
        rows = dot_product(x_id[points], x_id, zeta)
        rows -= before[:, at].T @ factor_ki[:k]
        lower = scipy.linalg.cholesky(schur[np.ix_(at, at)], lower=True)
        factor_ki[k : k + len(at)] = scipy.linalg.solve_triangular(lower, rows, lower=True)
        for row in factor_ki[k : k + len(at)]:
            residual -= row**2
        chosen.extend(points.tolist())
        residual[points] = -np.inf
        if len(chosen) == n_points or residual.max() < MIN_RESIDUAL:
            break
        order = np.argpartition(-residual, min(SHORT_LIST, n - 1))
        listed = np.sort(order[:SHORT_LIST])
        outside = residual[order[SHORT_LIST:]].max(initial=-np.inf)
    # A descriptor of zeros, the only candidate of its species, has no variance to explain.
    return np.array(chosen) if chosen else listed


def farthest_point(x_id, n_points: int, zeta: int, rng) -> np.ndarray:
    """Greedy choice of the largest kernel distance sqrt(2 - 2 k) to the chosen points."""
    nearest = np.full(len(x_id), -np.inf)
    chosen = [int(rng.integers(len(x_id)))]
    while len(chosen) < n_points:
        nearest = np.maximum(nearest, dot_product(x_id, x_id[chosen[-1]], zeta))
        candidate = int(np.argmin(nearest))
        if nearest[candidate] > 1.0 - MIN_RESIDUAL:
            break
        chosen.append(candidate)
    return np.array(chosen)


def cur(x_id, n_points: int, zeta: int, rng) -> np.ndarray:
    """Rows drawn with the probability of their leverage in the leading singular directions.

    Source: Mahoney and Drineas, Proc. Natl. Acad. Sci. 106, 697 (2009).
    """
    u, s, _ = scipy.linalg.svd(x_id, full_matrices=False)
    rank = int((s > 1e-8 * s[0]).sum())
    leverage = (u[:, : min(rank, n_points)] ** 2).sum(axis=1) + 1e-12
    return np.sort(rng.choice(len(x_id), size=n_points, replace=False, p=leverage / leverage.sum()))


def k_means(x_id, n_points: int, zeta: int, rng) -> np.ndarray:
    """The candidate nearest to each centre of a mini-batch k-means clustering."""
    from sklearn.cluster import MiniBatchKMeans

    clusters = MiniBatchKMeans(
        n_clusters=n_points, random_state=int(rng.integers(2**31)), n_init=1, batch_size=4096
    ).fit(x_id)
    nearest = np.full(n_points, -1)
    best = np.full(n_points, np.inf)
    distance = ((x_id - clusters.cluster_centers_[clusters.labels_]) ** 2).sum(axis=1)
    for i, label in enumerate(clusters.labels_):
        if distance[i] < best[label]:
            nearest[label], best[label] = i, distance[i]
    return np.unique(nearest[nearest >= 0])


def at_random(x_id, n_points: int, zeta: int, rng) -> np.ndarray:
    """Uniform choice without replacement."""
    return np.sort(rng.choice(len(x_id), size=n_points, replace=False))


METHODS = {
    "cholesky": pivoted_cholesky,
    "farthest": farthest_point,
    "cur": cur,
    "kmeans": k_means,
    "random": at_random,
}


def select(x_id: np.ndarray, n_points: int, zeta: int, method: str, rng) -> np.ndarray:
    """Indices of at most `n_points` distinct candidates.

    Fewer come back when there are fewer distinct environments. Raises GapyError for an unknown
    method or a number below 1.
    """
    if method not in METHODS:
        raise GapyError(f"selection: expected one of {sorted(METHODS)}, got {method!r}")
    if n_points < 1:
        raise GapyError(f"n_inducing: expected at least 1, got {n_points}")
    candidates = _distinct(x_id)
    n_points = min(n_points, len(candidates))
    # Most often all are distinct; a copy would be as large as all candidates.
    rows = x_id if len(candidates) == len(x_id) else x_id[candidates]
    return candidates[METHODS[method](rows, n_points, zeta, rng)]


def _distinct(x_id: np.ndarray) -> np.ndarray:
    """Candidates that differ from one another: repeated environments make K_MM singular.

    Rows are compared by two projections on fixed pseudo-random directions, to 1e-7. Rows of zeros
    (no neighbours and w0 = 0) have no covariance with anything; they are left out if others remain.
    """
    directions = np.random.default_rng(0).normal(size=(x_id.shape[1], 2))
    keys = np.round((x_id @ directions) * 1e7)
    distinct = np.sort(np.unique(keys, axis=0, return_index=True)[1])
    nonzero = distinct[x_id[distinct].any(axis=1)]
    return nonzero if len(nonzero) else distinct


class Reservoir:
    """Uniform sample of at most `capacity` candidates from a stream (Vitter's algorithm R).

    It bounds the memory of the choice whatever the size of the training set.
    """

    def __init__(self, capacity: int, n_features: int, rng):
        # One array of the full size: pages that stay empty take no memory, and all of it goes
        # back at once. Many small pieces leave holes that later steps pay for.
        self._rows = np.empty((capacity, n_features))
        self._capacity = capacity
        self._rng = rng
        self._seen = 0

    def add(self, x_id: np.ndarray) -> None:
        """Offer rows to the sample."""
        filled = min(self._seen, self._capacity)
        head = x_id[: self._capacity - filled]
        self._rows[filled : filled + len(head)] = head
        self._seen += len(head)
        for row in x_id[len(head) :]:
            self._seen += 1
            slot = int(self._rng.integers(self._seen))
            if slot < self._capacity:
                self._rows[slot] = row

    def rows(self) -> np.ndarray:
        """The sample (a view that later additions may change)."""
        return self._rows[: min(self._seen, self._capacity)]
