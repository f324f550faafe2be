"""Posterior of the sparse GP from the sufficient statistic.

With L L^T = K_MM (at delta = 1), D the delta of each column and A_g = R_g D / sigma_g, where R_g is
the factor of the whitened rows (`gapy.gp.statistic`),

    [I 0; A_1 z_1/sigma_1; ...] = Q [R  v; 0  r],   R w = v,   alpha = L^-T D w,

so that P = I + sum A_g^T A_g = R^T R is the posterior precision of the whitened weights w, and
a functional with row k has mean k . alpha and, with l = D L^-1 k,

    var = (k** - |l|^2) + |R^-T l|^2.

The log marginal likelihood (Quinonero-Candela and Rasmussen, JMLR 6, 1939 (2005), the DTC form) is

    -1/2 [ r^2 + log|P| + sum_g n_g log(2 pi sigma_g^2) ] + sum log(row weights).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular

from gapy._support.threads import blas_threads
from gapy.gp.statistic import SufficientStatistic, absorb
from gapy.gp.terms import Block, blocks
from gapy.gp.triangles import solve_triangle
from gapy.gp.whitening import prior_scale, whitened


@dataclass(frozen=True)
class Precision:
    """What variances need: factors L_b of each block and triangular R, P = R^T R."""

    blocks: tuple[Block, ...]
    cholesky: tuple[np.ndarray, ...]
    r_factor: np.ndarray

    def whiten(self, rows: np.ndarray) -> np.ndarray:
        """l = D L^-1 k for rows k (n, M); returns (M, n)."""
        return whiten(self.blocks, self.cholesky, rows)

    def scaled(self, w_nm: np.ndarray) -> np.ndarray:
        """The same l from rows that were whitened at delta = 1, W = K L^-T (n, M)."""
        return (w_nm * prior_scale(self.blocks)).T

    def explained_and_posterior(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """|l|^2 and |R^-T l|^2 of rows (n, M)."""
        l_mn = self.whiten(rows)
        explained = np.einsum("mn,mn->n", l_mn, l_mn)
        v_mn = solve_triangle(self.r_factor, l_mn, transposed=True)
        return explained, np.einsum("mn,mn->n", v_mn, v_mn)


@dataclass(frozen=True)
class Posterior(Precision):
    """Whitened posterior: the precision, mean w, and alpha."""

    w: np.ndarray
    alpha: np.ndarray
    log_marginal_likelihood: float

    def coarse(self, share: float, least: int = 500) -> Coarse:
        """The posterior of the model with only the leading `share` of each block's points.

        Those of pair terms, which say nothing of environments, are left out.
        Blocks keep at least `least` points: with few, all of them cost little.

        Exact, without the data: L is triangular, so the leading columns of K L^-T depend on the
        leading points only, and the coarse P is a principal part of P.
        """
        parts, factors, columns, start = [], [], [], 0
        for b, lower in zip(self.blocks, self.cholesky):
            n = 0 if b.of_pairs else b.leading(share, least)
            if not n:
                continue
            parts.append(replace(b, start=start, stop=start + n, x_sd=b.x_sd[:n]))
            factors.append(np.asfortranarray(lower[:n, :n]))
            columns.append(np.arange(b.start, b.start + n))
            start += n
        chosen = np.concatenate(columns)
        r_factor = np.linalg.qr(self.r_factor[:, chosen], mode="r")
        return Coarse(tuple(parts), tuple(factors), np.ascontiguousarray(r_factor), chosen)


@dataclass(frozen=True)
class Coarse(Precision):
    """Precision of fewer inducing points; `columns` are theirs in the full model."""

    columns: np.ndarray


def whiten(table, cholesky, rows: np.ndarray) -> np.ndarray:
    """D L^-1 k of rows (n, M), as (M, n)."""
    out = whitened(table, cholesky, rows).T
    out *= prior_scale(table)[:, None]
    return out


def solve(terms, cholesky, statistic: SufficientStatistic, sigma_of) -> Posterior:
    """Fit for given noise; `sigma_of(*group)` is the sigma of a noise group (label units).

    By one BLAS thread, whoever calls: more of them sum in another order.
    """
    with blas_threads(1):
        return solve_blocks(blocks(terms), cholesky, statistic, sigma_of)


def solve_blocks(
    table: tuple[Block, ...], cholesky, statistic: SufficientStatistic, sigma_of
) -> Posterior:
    """As `solve`, for the blocks of the terms."""
    m, scale = statistic.n_columns, prior_scale(table)
    triangle = np.zeros((m + 1, m + 1), order="F")
    triangle[np.arange(m), np.arange(m)] = 1.0
    log_noise = 0.0
    for group in sorted(statistic.factors):  # whatever the order in which they came
        factor = statistic.factors[group]
        sigma = sigma_of(*group)
        matrix = factor.matrix()
        rows = np.empty_like(matrix, order="F")
        rows[:, :m] = matrix[:, :m] * scale
        rows[:, m] = matrix[:, m]
        triangle = absorb(triangle, rows / sigma, upper=factor.is_triangle)
        log_noise += factor.n_rows * np.log(2.0 * np.pi * sigma**2) - 2.0 * factor.log_weight
    r_factor = np.ascontiguousarray(np.triu(triangle[:m, :m]))
    w = solve_triangular(r_factor, triangle[:m, m])
    alpha = np.empty(m)
    for b, factor in zip(table, cholesky):
        alpha[b.columns] = solve_triangular(factor, b.delta * w[b.columns], lower=True, trans="T")
    log_det = 2.0 * np.log(np.abs(np.diag(r_factor))).sum()
    lml = -0.5 * (triangle[m, m] ** 2 + log_det + log_noise)
    return Posterior(table, cholesky, r_factor, w, alpha, float(lml))
