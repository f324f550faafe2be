"""Leave-one-structure-out residuals in closed form, and the scale of force errors they give.

For the rows A of one structure (whitened and divided by their noise), B = R^-T A^T and
H = B^T B, the residual that the model would make without the structure's labels is

    r_loo = (1 - H)^-1 r,        P_without^-1 = R^-1 [1 + B (1 - H)^-1 B^T] R^-T,

so that the local variance without them is var + |(1 - H)^-1/2 B^T R^-T l|^2. The inducing points
stay; only the labels are left out. Source: Cook and Weisberg, Residuals and Influence in
Regression (1982), sec. 2.2 and 3.6, applied to blocks of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg import solve_triangular

from gapy.gp.posterior import Posterior


@dataclass(frozen=True)
class LeftOut:
    """Residuals of the labels (label units) and local sigma (eV) without the structure's labels."""

    residual: np.ndarray
    local_std: np.ndarray


def leave_one_out(posterior: Posterior, rows, y, sigma, local_rows, local_prior) -> LeftOut:
    """Closed-form residuals and local sigmas of one structure.

    rows (n_labels, M) and y (n_labels,) are all labels of the structure with their noise sigma
    (n_labels,); local_rows (n_atoms, M) with prior variances (n_atoms,).
    """
    b = solve_triangular(posterior.r_factor, posterior.whiten(rows) / sigma, trans="T")
    remainder = -(b.T @ b)
    remainder[np.diag_indices_from(remainder)] += 1.0
    lower = scipy.linalg.cholesky(remainder, lower=True)
    residual = (y - rows @ posterior.alpha) / sigma
    left_out = scipy.linalg.cho_solve((lower, True), residual) * sigma
    l_mn = posterior.whiten(local_rows)
    v = solve_triangular(posterior.r_factor, l_mn, trans="T")
    extra = solve_triangular(lower, b.T @ v, lower=True)
    variance = (
        np.maximum(local_prior - np.einsum("mn,mn->n", l_mn, l_mn), 0.0)
        + np.einsum("mn,mn->n", v, v)
        + np.einsum("rn,rn->n", extra, extra)
    )
    return LeftOut(left_out, np.sqrt(variance))


def force_scale(force_errors, local_stds, sigma_forces: float) -> float:
    """Scale a (1/A) with which a sigma_local explains the force errors found.

    Maximises the likelihood of residuals r ~ N(0, (a sigma_local)^2) over the atoms, which gives
    a^2 = mean(r^2 / sigma_local^2) with r^2 averaged over x, y and z. Atoms whose sigma is tiny
    would dominate a plain mean; the median ratio against that of a Gaussian is used instead.

    force_errors: list of (n, 3) arrays, eV/A; local_stds: list of (n,) arrays, eV. Without force
    labels the scale is sigma_forces per median sigma.
    """
    stds = np.concatenate(local_stds) if local_stds else np.array([])
    stds = stds[stds > 0.0]
    if not force_errors:
        return float(sigma_forces / np.median(stds)) if len(stds) else 1.0
    squared = np.concatenate([(e**2).mean(axis=1) for e in force_errors])
    sigma = np.concatenate(local_stds)
    keep = sigma > 0.0
    return float(np.sqrt((squared[keep] / sigma[keep] ** 2).mean()))
