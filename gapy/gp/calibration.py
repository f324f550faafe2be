"""Leave-one-structure-out residuals in closed form, and the force sigma calibrated on them.

For the rows A of one structure (whitened and divided by their noise), B = R^-T A^T and
H = B^T B, the residual that the model would make without the structure's labels is

    r_loo = (1 - H)^-1 r,        P_without^-1 = R^-1 [1 + B (1 - H)^-1 B^T] R^-T,

so that the local variance without them is var + |(1 - H)^-1/2 B^T R^-T l|^2. The distance from
the inducing points, delta^2 - |l|^2, is that without the structure's own points S,

    d_without = d + g_S^T (K^-1)_SS^-1 g_S,     g = K_MM^-1 k,

since an environment is always close to itself. Source: Cook and Weisberg, Residuals and
Influence in Regression (1982), sec. 2.2 and 3.6, applied to blocks of rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import scipy.linalg
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from gapy.gp.posterior import Posterior

OWN = 1.0 - 1e-9
"""Kernel value above which an inducing point is an environment of the structure itself."""


SHARE_JITTER = 1e-11
"""Keeps the factor of C, and what is left without a structure, positive where nothing is known."""

NEGLIGIBLE = 1e-3
"""Share of sigma_F^2 below which, for every atom, a part of the calibration counts as absent."""


@dataclass(frozen=True)
class ForceCalibration:
    """Standard deviation of a force component from what the model knows of the atom.

        sigma_F^2 = floor^2 + (distance d)^2 + (local s)^2

    with d^2 the prior variance that the inducing points leave unexplained and s the posterior
    standard deviation of the local energy (eV). floor in eV/A; distance and local in 1/A.
    """

    floor: float
    distance: float
    local: float

    def sigma(self, distances: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Force sigma (n,) eV/A from d^2 (n,) and s^2 (n,), eV^2."""
        return np.sqrt(self.floor**2 + self.distance**2 * distances + self.local**2 * variances)

    def to_dict(self) -> dict:
        """The three numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class LeftOut:
    """What the model would say of a structure without having seen its labels.

    residual: of every label, in label units; local_std (n,) eV; distances (n,) eV^2 from the
    inducing points of other structures.
    """

    residual: np.ndarray
    local_std: np.ndarray
    distances: np.ndarray


def leave_one_out(
    posterior: Posterior, rows, y, sigma, local_rows, local_prior, *, data_share=None
) -> LeftOut:
    """Closed-form residuals and local sigmas of one structure.

    rows (n_labels, M) and y (n_labels,) are all labels of the structure with their noise sigma
    (n_labels,); local_rows (n_atoms, M) with prior variances (n_atoms,). data_share: where
    the posterior knows these rows only approximately (see `gapy.gp.sampled`), `data_share` of it;
    then no more is left out than all labels together gave.
    """
    b = solve_triangular(posterior.r_factor, posterior.whiten(rows) / sigma, trans="T")
    if data_share is not None:
        b = _bounded(b, data_share)
    remainder = -(b.T @ b)
    remainder[np.diag_indices_from(remainder)] += 1.0
    lower = scipy.linalg.cholesky(remainder, lower=True)
    residual = (y - rows @ posterior.alpha) / sigma
    left_out = scipy.linalg.cho_solve((lower, True), residual) * sigma
    l_mn = posterior.whiten(local_rows)
    v = solve_triangular(posterior.r_factor, l_mn, trans="T")
    extra = solve_triangular(lower, b.T @ v, lower=True)
    distances = np.maximum(local_prior - np.einsum("mn,mn->n", l_mn, l_mn), 0.0)
    variance = distances + np.einsum("mn,mn->n", v, v) + np.einsum("rn,rn->n", extra, extra)
    return LeftOut(
        residual=left_out,
        local_std=np.sqrt(variance),
        distances=distances + _explained_by_own_points(posterior, local_rows, l_mn),
    )


def data_share(posterior: Posterior) -> np.ndarray:
    """Lower factor of C = 1 - R^-T R^-1, the part of the posterior precision R^T R from labels."""
    root = solve_triangular(posterior.r_factor, np.eye(len(posterior.r_factor)))
    share = -(root.T @ root)
    share[np.diag_indices_from(share)] += 1.0 + SHARE_JITTER
    return scipy.linalg.cholesky(share, lower=True)


def _bounded(b, share) -> np.ndarray:
    """B with B B^T <= C: without the structure the precision is R^T (1 - B B^T) R >= 1.

    Directions of C^-1/2 B longer than 1 are shortened to 1; rows that the posterior holds exactly
    have none.
    """
    part = solve_triangular(share, b, lower=True)
    squares, v = scipy.linalg.eigh(part.T @ part)
    scale = np.sqrt((1.0 - 2.0 * SHARE_JITTER) / np.maximum(squares, 1.0))
    return (b @ v * scale) @ v.T


def _explained_by_own_points(posterior: Posterior, local_rows, l_mn) -> np.ndarray:
    """Prior variance (n,) that only the structure's own inducing points explain."""
    out = np.zeros(len(local_rows))
    for b, factor in zip(posterior.blocks, posterior.cholesky):
        own = np.flatnonzero((local_rows[:, b.columns] > OWN).any(axis=0))
        if not len(own):
            continue
        unit = np.zeros((len(factor), len(own)))
        unit[own, np.arange(len(own))] = 1.0
        inverse_columns = solve_triangular(factor, unit, lower=True)
        g_sn = inverse_columns.T @ l_mn[b.columns]
        lower = scipy.linalg.cholesky(inverse_columns.T @ inverse_columns, lower=True)
        part = solve_triangular(lower, g_sn, lower=True)
        out += np.einsum("sn,sn->n", part, part)
    return out


def calibrate_forces(squared_errors, distances, variances, sigma_forces) -> ForceCalibration:
    """Maximum-likelihood calibration: errors ~ N(0, sigma_F^2) with the form of ForceCalibration.

    squared_errors (n,): mean over x, y, z of the squared left-out force residual of each atom,
    (eV/A)^2; distances and variances (n,) eV^2 of the same atoms. Without any, `sigma_forces`
    (eV/A) is the floor and the other two numbers are 1/A, a neutral length scale.
    """
    if not len(squared_errors):
        return ForceCalibration(float(sigma_forces), 1.0, 1.0)
    features = np.stack([np.ones_like(distances), distances, variances], axis=1)
    # Dimensionless: each feature over its mean, errors over theirs.
    scale = np.maximum(features.mean(axis=0), 1e-30)
    features = features / scale
    mean_square = max(float(squared_errors.mean()), 1e-30)
    ratio = squared_errors / mean_square

    def loss(log_weights):
        weights = np.exp(log_weights)
        variance = features @ weights + 1e-12
        slope = (1.0 / variance - ratio / variance**2) @ features / len(ratio)
        return np.mean(np.log(variance) + ratio / variance), slope * weights

    # The likelihood may have several maxima: start from each feature alone and from all.
    starts = np.log(
        np.array([[0.3, 0.3, 0.3], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
    )
    fits = [
        minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-20.0, 10.0)] * 3)
        for start in starts
    ]
    best = min(fits, key=lambda fit: fit.fun)
    weights = np.exp(best.x)
    # A part that nowhere makes a difference is left out: MD need not compute it.
    share = (features * weights / (features @ weights)[:, None]).max(axis=0)
    weights[share < NEGLIGIBLE] = 0.0
    floor, distance, local = np.sqrt(weights * mean_square / scale)
    return ForceCalibration(float(floor), float(distance), float(local))
