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
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from gapy.gp.posterior import Coarse, Posterior, Precision

OWN = 1.0 - 1e-9
"""Kernel value above which an inducing point is an environment of the structure itself."""


SHARE_JITTER = 1e-11
"""Keeps the factor of C, and what is left without a structure, positive where nothing is known."""

NEGLIGIBLE = 1e-3
"""Share of sigma_F^2 below which, for every atom, a part of the calibration counts as absent."""

DISTANCE_SHARE = 0.3
"""Least contribution of the distance from the inducing points, in units of the mean variance of
left-out errors. Structures left out one by one have their like in the training set, so that they
ask for little of it; of environments unlike any other it is the best sign (measured: a model of
silicon without surfaces finds their large errors with an AUROC of 0.93 instead of 0.87)."""

LARGEST = 3.0
"""Times the rms force label: what sigma_F comes to, within the reach of the training set, where the
labels say nothing. Without it the prior variance alone, delta^2 with delta learnt from energies,
gave alloys of two metals trained apart a sigma of 680 eV/A."""

COARSE, COARSE_LEAST = 0.6, 500
NEAR, NEAR_LEAST = 0.3, 300
"""Shares of the inducing points, the leading ones, that variances and distances behind the force
sigma take into account, and the least numbers of them: the cost goes with the square."""

TAIL_WEIGHT = 0.6
"""Of the second of the two factors of the coverage; the result moves little with it."""

FEWEST = 50
"""Atoms from which quantiles of their errors are taken."""


class Indicators(NamedTuple):
    """What a force error of each atom may follow, over its surroundings (`gapy.gp.surroundings`).

    distances, variances (n,) eV^2: unexplained prior and posterior variance of the local energies
    (of the coarse posterior); forces (n,) (eV/A)^2: squared predicted forces; beyond (n,): squared
    logarithm of 1 + excess over the reach of the training set, plus squared closeness, no unit (see
    `gapy.gp.reach`).
    """

    distances: np.ndarray
    variances: np.ndarray
    forces: np.ndarray
    beyond: np.ndarray


@dataclass(frozen=True)
class ForceCalibration:
    """Standard deviation of a force component from what the model knows of the atom.

        u = floor^2 + distance^2 D + local^2 S + relative^2 F
        sigma_F^2 = u / (1 + u / (LARGEST beyond)^2) + beyond^2 B

    with the Indicators D, S, F, B of the atom. floor and beyond in eV/A; distance and local in
    1/A; relative without unit. No prediction errs by much more than forces come to, so that u
    saturates; beyond = 0 means that this size is not known, and no limit.
    """

    floor: float
    distance: float
    local: float
    relative: float = 0.0
    beyond: float = 0.0

    def sigma(self, indicators: Indicators) -> np.ndarray:
        """Force sigma (n,) eV/A."""
        d, s, f, b = indicators
        u = (
            self.floor**2 + self.distance**2 * d + self.local**2 * s + self.relative**2 * f
        )  # fmt: skip
        if self.beyond > 0.0:
            u = u / (1.0 + u / (LARGEST * self.beyond) ** 2)
        return np.sqrt(u + self.beyond**2 * b)

    def to_dict(self) -> dict:
        """The numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class LeftOut:
    """What the model would say of a structure without having seen its labels.

    residual: of every label, in label units; local_std (n,) eV; distances (n,) eV^2 from the
    inducing points of other structures. The last two may be None where only errors are asked for.
    """

    residual: np.ndarray
    local_std: np.ndarray | None
    distances: np.ndarray | None


def leave_one_out(
    posterior: Posterior,
    rows,
    y,
    sigma,
    local_rows,
    local_prior,
    coarse: Coarse | None = None,
    near: Coarse | None = None,
    *,
    data_shares=(None, None),
) -> LeftOut:
    """Closed-form residuals and local sigmas of one structure.

    rows (n_labels, M) and y (n_labels,) are all labels of the structure with their noise sigma
    (n_labels,); local_rows (n_atoms, M) with prior variances (n_atoms,). The local sigmas are
    those of `coarse` if given, the distances those of `near`, or else of the former. data_shares:
    where the posterior knows these rows only approximately (see `gapy.gp.sampled`), `data_share`
    of it and of `coarse`; then no more is left out than all labels together gave.
    """
    lower, b = _remainder(posterior, rows, sigma, data_shares[0])
    left_out = _residual(posterior, rows, y, sigma, lower)
    precision, local = posterior, local_rows
    if coarse is not None:
        precision, local = coarse, local_rows[:, coarse.columns]
        lower, b = _remainder(coarse, rows[:, coarse.columns], sigma, data_shares[1])
    l_mn = precision.whiten(local)
    v = solve_triangular(precision.r_factor, l_mn, trans="T")
    extra = solve_triangular(lower, b.T @ v, lower=True)
    variance = np.maximum(local_prior - np.einsum("mn,mn->n", l_mn, l_mn), 0.0)
    variance += np.einsum("mn,mn->n", v, v) + np.einsum("rn,rn->n", extra, extra)
    if near is not None:
        precision, local = near, local_rows[:, near.columns]
        l_mn = precision.whiten(local)
    distances = np.maximum(local_prior - np.einsum("mn,mn->n", l_mn, l_mn), 0.0)
    return LeftOut(
        residual=left_out,
        local_std=np.sqrt(variance),
        distances=distances + _explained_by_own_points(precision, local, l_mn),
    )


def left_out_residual(posterior: Posterior, rows, y, sigma, data_share=None) -> np.ndarray:
    """Only the residuals of `leave_one_out`, (n_labels,)."""
    lower, _ = _remainder(posterior, rows, sigma, data_share)
    return _residual(posterior, rows, y, sigma, lower)


def _residual(posterior: Posterior, rows, y, sigma, lower) -> np.ndarray:
    residual = (y - rows @ posterior.alpha) / sigma
    return scipy.linalg.cho_solve((lower, True), residual) * sigma


def _remainder(precision: Precision, rows, sigma, share) -> tuple[np.ndarray, np.ndarray]:
    """Cholesky factor of 1 - H, and B."""
    b = solve_triangular(precision.r_factor, precision.whiten(rows) / sigma, trans="T")
    if share is not None:
        b = _bounded(b, share)
    remainder = -(b.T @ b)
    remainder[np.diag_indices_from(remainder)] += 1.0
    return scipy.linalg.cholesky(remainder, lower=True), b


def data_share(precision: Precision) -> np.ndarray:
    """Lower factor of C = 1 - R^-T R^-1, the part of the posterior precision R^T R from labels."""
    root = solve_triangular(precision.r_factor, np.eye(len(precision.r_factor)))
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


def _explained_by_own_points(posterior: Precision, local_rows, l_mn) -> np.ndarray:
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


def calibrate_forces(errors, indicators: Indicators, told, sigma_forces) -> ForceCalibration:
    """Calibration on left-out errors: errors ~ N(0, sigma_F^2) with the form of ForceCalibration.

    errors (n, 3): left-out force residuals, eV/A; told (n,): whether the force is free of
    symmetry; only such atoms shape the weights, which maximise the likelihood. The sigmas are then
    scaled, all by one factor, so that errors of all atoms lie within them as often as those of a
    normal distribution: the geometric mean of the factor that brings 68 % within one sigma and
    that which brings 95 % within two (weight TAIL_WEIGHT), since errors have longer tails.

    `beyond` is the rms force error expected where an environment is twice as far out as any seen;
    the training set cannot tell, so it is set to `sigma_forces` here and to the rms force label by
    the regressor. Without atoms, `sigma_forces` (eV/A) is the floor and distance and local are
    1/A, a neutral length scale.
    """
    if not np.any(told):
        return ForceCalibration(float(sigma_forces), 1.0, 1.0, 0.0, float(sigma_forces))
    parts = (np.ones(len(errors)), *indicators[:3])
    everywhere = np.stack(parts, axis=1)
    features = everywhere[told]
    squared = (errors[told] ** 2).mean(axis=1)
    # Dimensionless: each feature over its mean, errors over theirs.
    scale = np.maximum(features.mean(axis=0), 1e-30)
    features = features / scale
    mean_square = max(float(squared.mean()), 1e-30)
    weights = _most_likely_weights(features, squared / mean_square)
    # A part that nowhere makes a difference is left out: MD need not compute it.
    share = (features * weights / (features @ weights)[:, None]).max(axis=0)
    weights[share < NEGLIGIBLE] = 0.0
    sigma = np.sqrt(everywhere / scale @ weights * mean_square)
    factor = _coverage_factor(np.abs(errors) / np.maximum(sigma, 1e-30)[:, None])
    floor, distance, local, relative = factor * np.sqrt(weights * mean_square / scale)
    return ForceCalibration(
        float(floor), float(distance), float(local), float(relative), float(sigma_forces)
    )


def _most_likely_weights(features, ratio) -> np.ndarray:
    """Non-negative weights of the features (n, k) whose sum is the variance of the errors.

    All features and `ratio`, the squared errors, have mean 1; the second is the distance.
    """
    n = features.shape[1]

    def loss(log_weights):
        weights = np.exp(log_weights)
        variance = features @ weights + 1e-12
        slope = (1.0 / variance - ratio / variance**2) @ features / len(ratio)
        return np.mean(np.log(variance) + ratio / variance), slope * weights

    # The likelihood may have several maxima: start from all features and from each alone.
    bounds = [(-20.0, 10.0), (np.log(DISTANCE_SHARE), 10.0), *[(-20.0, 10.0)] * (n - 2)]
    starts = np.log(np.vstack([np.full(n, 0.3), 0.05 + 0.85 * np.eye(n)]))
    fits = [
        minimize(
            loss, np.clip(start, *np.array(bounds).T), jac=True, method="L-BFGS-B", bounds=bounds
        )
        for start in starts
    ]
    return np.exp(min(fits, key=lambda fit: fit.fun).x)


def _coverage_factor(z: np.ndarray) -> float:
    """Factor for sigma from the errors in units of it, z (n, 3)."""
    if len(z) < FEWEST:
        return 1.0
    q68, q95 = np.quantile(z, (0.6827, 0.95))
    factor = q68 ** (1.0 - TAIL_WEIGHT) * (q95 / 1.95996) ** TAIL_WEIGHT
    return float(np.clip(factor, 0.5, 2.0))
