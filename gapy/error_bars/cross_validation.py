"""Leave-one-structure-out residuals, local sigmas and distances in closed form.

For the rows A of one structure (whitened and divided by their noise), B = R^-T A^T and
H = B^T B, the residual that the model would make without the structure's labels is

    r_loo = (1 - H)^-1 r,        P_without^-1 = R^-1 [1 + B (1 - H)^-1 B^T] R^-T,

so that the local variance without them is var + |(1 - H)^-1/2 B^T R^-T l|^2, and the posterior
variance of the labels themselves, in units of their noise, the diagonal of (1 - H)^-1 - 1. The
distance from the inducing points, delta^2 - |l|^2, is that without the structure's own points S,

    d_without = d + g_S^T (K^-1)_SS^-1 g_S,     g = K_MM^-1 k,

since an environment is always close to itself. Source: Cook and Weisberg, Residuals and
Influence in Regression (1982), sec. 2.2 and 3.6, applied to blocks of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from gapy.error_bars.landmarks import Landmarks, landmarks
from gapy.gp.posterior import Coarse, Posterior, Precision
from gapy.gp.triangles import solve_triangle

OWN = 1.0 - 1e-9
"""Kernel value above which an inducing point is an environment of the structure itself."""


SHARE_JITTER = 1e-11
"""Keeps the factor of C, and what is left without a structure, positive where nothing is known."""


@dataclass(frozen=True)
class LeaveOneOut:
    """What the model would say of a structure without having seen its labels.

    residual: of every label, in label units; local_std (n,) eV; distances and first (n,) eV^2 from
    the inducing points of other structures, of all of them and of the first ones; label_variance:
    posterior variance of what each label measures, in label units squared. All but the residual may
    be None where only errors are asked for.
    """

    residual: np.ndarray
    local_std: np.ndarray | None = None
    distances: np.ndarray | None = None
    first: np.ndarray | None = None
    label_variance: np.ndarray | None = None


def leave_one_out(
    posterior: Posterior,
    l_mn,
    y,
    sigma,
    local_rows,
    local_prior,
    coarse: Coarse | None = None,
    near: Landmarks | None = None,
    first: Landmarks | None = None,
    *,
    data_shares=(None, None),
) -> LeaveOneOut:
    """Closed-form residuals and local sigmas of one structure.

    l_mn (M, n_labels), as `Posterior.whiten` gives them of rows, and y (n_labels,) are all labels
    of the structure with their noise sigma (n_labels,); local_rows (n_atoms, M), not whitened, with
    prior variances (n_atoms,). The local sigmas are
    those of `coarse` if given, the distances those from `near` (unless given, all points) and
    from `first` (unless given, `near`). data_shares: where the posterior knows these rows only
    approximately (see `gapy.gp.column_estimation`), `data_share` of it and of `coarse`; then no
    more is left out than all labels together gave.
    """
    l_rows = l_mn / sigma
    lower, b = _remainder(posterior, l_rows, data_shares[0])
    left_out = _residual(posterior, l_mn, y, sigma, lower)
    root = solve_triangle(lower, np.eye(len(lower)), lower=True)
    label_variance = (np.einsum("ij,ij->j", root, root) - 1.0) * sigma**2
    precision, local = posterior, local_rows
    if coarse is not None:
        precision, local = coarse, local_rows[:, coarse.columns]
        lower, b = _remainder(coarse, l_rows[coarse.columns], data_shares[1])
    l_local = precision.whiten(local)
    v = solve_triangle(precision.r_factor, l_local, transposed=True)
    extra = solve_triangle(lower, b.T @ v, lower=True)
    variance = np.maximum(local_prior - np.einsum("mn,mn->n", l_local, l_local), 0.0)
    variance += np.einsum("mn,mn->n", v, v) + np.einsum("rn,rn->n", extra, extra)
    near = near or landmarks(posterior, 1.0, 0, exponent=1)
    return LeaveOneOut(
        residual=left_out,
        local_std=np.sqrt(variance),
        distances=_left_out_distances(near, local_rows, local_prior),
        first=_left_out_distances(first or near, local_rows, local_prior),
        label_variance=label_variance,
    )


def left_out_residual(posterior: Posterior, l_mn, y, sigma, data_share=None) -> np.ndarray:
    """Only the residuals of `leave_one_out`, (n_labels,)."""
    lower, _ = _remainder(posterior, l_mn / sigma, data_share)
    return _residual(posterior, l_mn, y, sigma, lower)


def _residual(posterior: Posterior, l_mn, y, sigma, lower) -> np.ndarray:
    residual = (y - posterior.w @ l_mn) / sigma
    return scipy.linalg.cho_solve((lower, True), residual) * sigma


def _remainder(precision: Precision, l_mn, share) -> tuple[np.ndarray, np.ndarray]:
    """Cholesky factor of 1 - H, and B, from l_mn = A^T."""
    b = solve_triangle(precision.r_factor, l_mn, transposed=True)
    if share is not None:
        b = _bounded(b, share)
    remainder = -(b.T @ b)
    remainder[np.diag_indices_from(remainder)] += 1.0
    return scipy.linalg.cholesky(remainder, lower=True), b


def data_share(precision: Precision) -> np.ndarray:
    """Lower factor of C = 1 - R^-T R^-1, the part of the posterior precision R^T R from labels."""
    root = solve_triangle(precision.r_factor, np.eye(len(precision.r_factor)))
    share = -(root.T @ root)
    share[np.diag_indices_from(share)] += 1.0 + SHARE_JITTER
    return scipy.linalg.cholesky(share, lower=True)


def _bounded(b, share) -> np.ndarray:
    """B with B B^T <= C: without the structure the precision is R^T (1 - B B^T) R >= 1.

    Directions of C^-1/2 B longer than 1 are shortened to 1; rows that the posterior holds exactly
    have none.
    """
    part = solve_triangle(share, b, lower=True)
    squares, v = scipy.linalg.eigh(part.T @ part)
    scale = np.sqrt((1.0 - 2.0 * SHARE_JITTER) / np.maximum(squares, 1.0))
    return (b @ v * scale) @ v.T


def _left_out_distances(near: Landmarks, local_rows, local_prior) -> np.ndarray:
    """Prior variance (n,) that inducing points of other structures leave unexplained, eV^2."""
    k_nm = near.kernel(local_rows)
    l_mn = near.whiten(k_nm)
    distances = np.maximum(local_prior - np.einsum("mn,mn->n", l_mn, l_mn), 0.0)
    return distances + _explained_by_own_points(near, k_nm, l_mn)


def _explained_by_own_points(near: Landmarks, k_nm, l_mn) -> np.ndarray:
    """Prior variance (n,) that only the structure's own inducing points explain."""
    out = np.zeros(len(k_nm))
    for b, factor in zip(near.blocks, near.cholesky):
        own = np.flatnonzero((k_nm[:, b.columns] > OWN).any(axis=0))
        if not len(own):
            continue
        unit = np.zeros((len(factor), len(own)))
        unit[own, np.arange(len(own))] = 1.0
        inverse_columns = solve_triangle(factor, unit, lower=True)
        g_sn = inverse_columns.T @ l_mn[b.columns]
        lower = scipy.linalg.cholesky(inverse_columns.T @ inverse_columns, lower=True)
        part = solve_triangle(lower, g_sn, lower=True)
        out += np.einsum("sn,sn->n", part, part)
    return out
