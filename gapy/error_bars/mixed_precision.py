"""Explained variances k^T A k = |T k|^2 in mixed precision, for sigmas at every step of MD.

|T k|^2 is close to the prior, and what is wanted is the small difference, so that single precision
fails. Take T lower triangular, split after the leading r points, and move T_21 k_r into the second
product,

    T k = [T_1     ] [k_r   ]        |T k|^2 = |T_1 k_r|^2 + |T_2 (k_rest - G k_r)|^2
          [T_21 T_2] [k_rest],       G = -T_2^-1 T_21.

G k_r is nearly the interpolation of k_rest from the leading points, so the bracket is small, and
only the second square, nearly all of the work, is in single precision. Measured on silicon with
32 leading points, crystal, liquid, surfaces and hot structures: an error below 3e-6 of that square.
Where less than CLOSE of it is left of the prior, as at the inducing points themselves, the error
would show; the engine computes those atoms again in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, solve_triangular
from scipy.linalg.blas import strmm

from gapy._jit.covariance import kernel, remainder

LEADING = 32
FEWEST = 128
"""Points from which single precision pays."""
CLOSE = 3e-4
"""Of the second square, the least variance that it can be told from: sigma within 0.5 %."""
LARGEST = 10.0
"""Largest weight in G of a point; those of an interpolation are about one."""


@dataclass(frozen=True)
class MixedFactor:
    """head_rr = T_1, weights_rt = G^T, both double, and tail_tt = T_2, single precision."""

    head_rr: np.ndarray
    weights_rt: np.ndarray
    tail_tt: np.ndarray

    def of(self, t_is: np.ndarray, zeta: int) -> tuple[np.ndarray, np.ndarray]:
        """|T k|^2 of k = t^zeta, t_is (b, at least all points), and the second square, (b,)."""
        r, n_tail = self.weights_rt.shape
        k_ir = np.empty((len(t_is), r))
        kernel(t_is, zeta, k_ir)
        single_it = np.empty((len(t_is), n_tail), dtype=np.float32)
        remainder(t_is, r, zeta, k_ir @ self.weights_rt, single_it)
        head_ir = k_ir @ self.head_rr.T
        tail_ti = strmm(1.0, self.tail_tt, single_it.T, lower=1, overwrite_b=1)
        second = np.einsum("ti,ti->i", tail_ti, tail_ti).astype(float)
        return np.einsum("ir,ir->i", head_ir, head_ir) + second, second


def mixed_factor(factor_ts: np.ndarray) -> MixedFactor | None:
    """From any T (square, M points). None where it would gain nothing or not be accurate."""
    r = LEADING
    if len(factor_ts) < FEWEST:
        return None
    # Lower triangular with the same T^T T: a QR decomposition with both orders reversed.
    lower = np.linalg.qr(factor_ts[:, ::-1], mode="r")[::-1, ::-1]
    tail = lower[r:, r:]
    try:
        weights_tr = -solve_triangular(tail, lower[r:, :r], lower=True)
    except LinAlgError:  # directions on which the labels say nothing at all
        return None
    if not np.abs(weights_tr).max() < LARGEST:
        return None
    return MixedFactor(
        head_rr=np.ascontiguousarray(lower[:r, :r]),
        weights_rt=np.ascontiguousarray(weights_tr.T),
        tail_tt=np.asfortranarray(tail, dtype=np.float32),
    )
