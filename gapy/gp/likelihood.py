"""Log marginal likelihood of noise and prior scale, with gradients, without the data.

With W_g the factor R_g of the whitened rows of noise group g at delta = 1, D the delta of each
column, and the moments S_g = W_g^T W_g, c_g = W_g^T z_g, q_g = |y_g|^2 of each group,

    P = 1 + D (sum_g S_g / sigma_g^2) D,        w = P^-1 D sum_g c_g / sigma_g^2,
    e_g = |y_g - K_g alpha|^2 = q_g - 2 c_g . Dw + Dw . S_g Dw,

    -2 log p(y) = |w|^2 + sum_g e_g / sigma_g^2 + log|P| + sum_g n_g log(2 pi sigma_g^2)
    d / d log sigma_g = 2 n_g - 2 e_g / sigma_g^2 - 2 tr(D P^-1 D S_g) / sigma_g^2
    d / d log delta_b = 2 (m_b - tr_b P^-1) - 2 |w_b|^2

since w is stationary. One evaluation is one Cholesky factor and one inverse of P whatever the
number of labels. The moments square the condition number of the rows, which P >= 1 bounds: they
serve to find the optimum, the fit at the optimum is again that of `gapy.gp.posterior`.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), sec. 5.4.1, with
the sparse prior of Quinonero-Candela and Rasmussen, JMLR 6, 1939 (2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg.blas import daxpy
from scipy.optimize import minimize

from gapy._jit.moments import add_scaled, trace_and_square
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import Block


@dataclass(frozen=True)
class Moments:
    """S, c (M,), q and n of the rows of one noise group, whitened at delta = 1.

    s (k, k): S at the `columns`, a range outside which it vanishes, as it does for the points of
    species that do not occur in the group.
    """

    s: np.ndarray
    c: np.ndarray
    q: float
    n: int
    columns: slice

    def add_to(self, total: np.ndarray, weight: float = 1.0) -> None:
        """Add weight S to an array (M, M) in C order."""
        if self.s.shape == total.shape:
            daxpy(self.s.ravel(), total.ravel(), a=weight)  # without an array between
        else:
            total[self.columns, self.columns] += weight * self.s


def group_moments(statistic: SufficientStatistic, groups) -> list[Moments]:
    """Moments of each group; a group is a collection of keys of factors."""
    out = []
    for keys in groups:
        m = statistic.n_columns
        factors = [statistic.factors[key] for key in keys]
        columns = _range_of([factor.seen[:m] for factor in factors])
        s = np.zeros((columns.stop - columns.start,) * 2)
        c, q = np.zeros(m), 0.0
        for factor in factors:
            matrix = factor.matrix()
            w, z = matrix[:, columns], matrix[:, m]
            s += w.T @ w
            c[columns] += w.T @ z
            q += float(z @ z)
        out.append(Moments(s, c, q, sum(factor.n_rows for factor in factors), columns))
    return out


def _range_of(seen: list[np.ndarray]) -> slice:
    """From the first to the last column that one of the masks (M,) has."""
    found = np.flatnonzero(np.any(seen, axis=0))
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


RAISED = (1e-15, 1e-14, 1e-13, 1e-12, 1e-10)
"""Of the largest diagonal element, tried one after the other."""
DELTA_LIMITS = (float(np.log(1e-2)), float(np.log(1e3)))
ITERATIONS = 50


class Likelihood:
    """-2 log p(y) up to a constant as a function of log sigma of groups and log delta of blocks."""

    def __init__(self, table: tuple[Block, ...], moments: list[Moments]):
        self._table = table
        self._moments = moments

    def curvature(self) -> np.ndarray:
        """About what -2 log p(y) bends by at its least, (G + B,): 4 n_g and 4 m_b.

        d^2 / d log sigma_g^2 = 4 e_g / sigma_g^2 for fixed weights, and there e_g is about n_g
        sigma_g^2; |w_b|^2 is about m_b at most.
        """
        points = [b.stop - b.start for b in self._table]
        return 4.0 * np.array([*(group.n for group in self._moments), *points], dtype=float)

    def _factor(self, precision: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Lower Cholesky factor of P = 1 + D sum_g S_g / sigma_g^2 D, garbage above the diagonal.

        Where a search tries scales so far apart that rounding takes P's smallest eigenvalues, 1,
        below zero, they are raised to that rounding: such scales are never the likeliest.
        """
        for raised in (0.0, *RAISED):
            p = np.zeros((len(d), len(d)))
            for group, weight in zip(self._moments, precision):
                here = group.columns
                add_scaled(group.s, weight, d[here], p[here, here])
            diagonal = np.diag_indices(len(d))
            p[diagonal] += 1.0 + raised * p[diagonal].max()
            # Transposed it is in LAPACK's order, and no copy is made.
            lower, info = scipy.linalg.lapack.dpotrf(p.T, lower=1, clean=0, overwrite_a=1)
            if not info:
                return lower
        raise np.linalg.LinAlgError(f"posterior precision: dpotrf gave {info}")

    def value_and_gradient(self, log_sigma: np.ndarray, log_delta: np.ndarray):
        """(value, d/d log_sigma (G,), d/d log_delta (B,)); sigma in label units, delta in eV."""
        m = self._table[-1].stop
        precision = np.exp(-2.0 * log_sigma)
        d = np.empty(m)
        for b, value in zip(self._table, log_delta):
            d[b.columns] = np.exp(value)
        rhs = np.zeros(m)
        for group, weight in zip(self._moments, precision):
            rhs += weight * group.c
        lower = self._factor(precision, d)
        log_det = 2.0 * np.log(np.diag(lower)).sum()
        w = scipy.linalg.cho_solve((lower, True), d * rhs)
        # The lower triangle of P^-1, above which is something else; transposed, in C order.
        inverse, _ = scipy.linalg.lapack.dpotri(lower, lower=1, overwrite_c=1)
        inverse, diagonal = inverse.T, np.diag(inverse)
        value = w @ w + log_det
        slope_sigma = np.empty(len(self._moments))
        dw = d * w
        for g, (group, weight) in enumerate(zip(self._moments, precision)):
            here = group.columns
            determined, square = trace_and_square(group.s, inverse[here, here], d[here], dw[here])
            error = group.q - 2.0 * (group.c @ dw) + square
            value += weight * error + group.n * (np.log(2.0 * np.pi) + 2.0 * log_sigma[g])
            slope_sigma[g] = 2.0 * (group.n - weight * error - weight * determined)
        slope_delta = [
            2.0 * (b.stop - b.start - diagonal[b.columns].sum() - w[b.columns] @ w[b.columns])
            for b in self._table
        ]
        return float(value), slope_sigma, np.array(slope_delta)


@dataclass(frozen=True)
class LikeliestScales:
    """log sigma (G,), log delta (B,), and the value of the likelihood there."""

    log_sigma: np.ndarray
    log_delta: np.ndarray
    value: float


def maximise(
    likelihood: Likelihood, start, start_delta, limits, delta_limits=DELTA_LIMITS
) -> LikeliestScales:
    """The likeliest scales, by L-BFGS-B from log sigma (G,) and log delta (B,).

    limits: (least, largest) log sigma of each group. delta_limits: of every log delta.
    """
    n = len(start)
    # Thousands of forces bend the likelihood far more than some energies do: in lengths in which
    # all bend it alike the search takes half of the steps. That of the flattest stays as it is,
    # and with it the length of the first step.
    length = np.sqrt(likelihood.curvature())
    length /= length.min()

    def objective(u):
        x = u / length
        value, slope, slope_delta = likelihood.value_and_gradient(x[:n], x[n:])
        # A block on which the labels say nothing takes the mean delta of the others.
        off = x[n:] - x[n:].mean()
        slopes = np.concatenate([slope, slope_delta + 2.0 * off])
        return value + off @ off, slopes / length

    bounds = np.array([*limits, *[delta_limits] * len(start_delta)])
    found = minimize(
        objective,
        np.concatenate([start, start_delta]) * length,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds * length[:, None],
        options={"maxiter": ITERATIONS, "ftol": 1e-7},
    )
    # To the bounds: a product and a quotient may leave them by rounding.
    x = np.clip(found.x / length, *bounds.T)
    off = x[n:] - x[n:].mean()
    return LikeliestScales(x[:n], x[n:], float(found.fun - off @ off))
