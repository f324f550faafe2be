"""Inducing points that can go: their removal in closed form, one after the other.

Dropping the column of a point is conditioning the posterior of alpha on alpha_s = 0. With
B = cov(alpha) = L^-T D P^-1 D L^-1, the regularised sum of squares rises by

    J_s = alpha_s^2 / B_ss,      alpha <- alpha - B_:s alpha_s / B_ss,   B <- B - B_:s B_s: / B_ss.

J_s is also the squared change of the fit, |A dw|^2 + |dw|^2, and adds up over a sequence of
removals (nested least squares), so that the labels' predictions change by no more than
sqrt(sum_s J_s / n_labels) noise standard deviations in root mean square.

The labels do not see everything: a point may matter to the variance alone. What the others leave
unexplained of it is, at delta = 1,

    c_s = 1 / (K_MM^-1)_ss,

and only points with a small c_s go. Sources: Cook and Weisberg, Residuals and Influence in
Regression (1982), for the deletion formulas.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from gapy.gp.posterior import Posterior
from gapy.gp.statistic import Factor, SufficientStatistic
from gapy.gp.whitening import reduced


def removable(
    posterior: Posterior, n_labels: int, *, change: float, unexplained: float
) -> tuple[np.ndarray, float]:
    """Columns that can be dropped together, in ascending order, and the change they make.

    Arguments
    ---------
    n_labels : number of labels behind the posterior
    change : root mean square change of the labels' predictions allowed in all, in noise sigmas
    unexplained : a point goes only if the others that remain leave less than this share of its
        prior variance unexplained

    Returns
    -------
    columns (r,) and the change in the unit of `change`, from the closed form
    """
    alpha = posterior.alpha.copy()
    covariance = _alpha_covariance(posterior)
    precision = _inverse_prior(posterior)
    alive = np.ones(len(alpha), dtype=bool)
    budget, spent = change**2 * n_labels, 0.0
    while alive.any():
        candidates = np.flatnonzero(alive & (unexplained * np.diag(precision) > 1.0))
        if not len(candidates):
            break
        variance = covariance[candidates, candidates]
        # A variance lost to rounding says nothing: such a point stays.
        cost = np.full(len(candidates), np.inf)
        np.divide(alpha[candidates] ** 2, variance, out=cost, where=variance > 0.0)
        k = int(np.argmin(cost))
        if not spent + cost[k] <= budget:
            break
        s = int(candidates[k])
        spent += float(cost[k])
        alpha -= covariance[s] * (alpha[s] / covariance[s, s])
        for matrix in (covariance, precision):
            column = matrix[s].copy()
            matrix -= np.outer(column, column / column[s])
            matrix[s] = matrix[:, s] = 0.0
        alpha[s] = 0.0
        alive[s] = False
    return np.flatnonzero(~alive), float(np.sqrt(spent / max(n_labels, 1)))


def _alpha_covariance(posterior: Posterior) -> np.ndarray:
    """B = C C^T with C = L^-T D R^-1, (M, M), eV^2."""
    root = solve_triangular(posterior.r_factor, np.eye(len(posterior.alpha)))
    for b, lower in zip(posterior.blocks, posterior.cholesky):
        scaled = b.delta * root[b.columns]
        root[b.columns] = solve_triangular(lower, scaled, lower=True, trans="T")
    return root @ root.T


def _inverse_prior(posterior: Posterior) -> np.ndarray:
    """K_MM^-1 at delta = 1, (M, M)."""
    out = np.zeros((len(posterior.alpha), len(posterior.alpha)))
    for b, lower in zip(posterior.blocks, posterior.cholesky):
        inverse = solve_triangular(lower, np.eye(len(lower)), lower=True)
        out[b.columns, b.columns] = inverse.T @ inverse
    return out


def without(
    statistic: SufficientStatistic, table, cholesky, columns
) -> tuple[SufficientStatistic, tuple[np.ndarray, ...]]:
    """A statistic without these points, exact, and the factors of K_MM to which it refers.

    table, cholesky : blocks and factors to which the given one refers
    """
    factors, turn = reduced(table, cholesky, columns)
    out = SufficientStatistic(turn.shape[1])
    for key, factor in statistic.factors.items():
        rows = factor.matrix()
        matrix = np.column_stack([rows[:, :-1] @ turn, rows[:, -1]])
        out.factors[key] = Factor.of(matrix, factor.n_rows, factor.log_weight)
    return out, factors
