"""Triangular systems of factors that many right-hand sides meet, one structure after the other."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack


def solve_triangle(a: np.ndarray, b: np.ndarray, *, lower=False, transposed=False) -> np.ndarray:
    """x (n, k) of a x = b, or of a^T x = b, in LAPACK's order; a (n, n) in either order.

    scipy's `solve_triangular` looks through all of `a` for infinite numbers at every call, which
    takes as long as the solution for the few labels of a small structure. Here they show in x.

    Raises LinAlgError for a singular matrix.
    """
    if not b.size:
        return np.empty(b.shape)
    if a.flags.f_contiguous:
        x, info = lapack.dtrtrs(a, b, lower=lower, trans=transposed)
    else:  # that of a^T, which is in LAPACK's order
        x, info = lapack.dtrtrs(a.T, b, lower=not lower, trans=not transposed)
    if info:
        raise np.linalg.LinAlgError(f"triangular system: dtrtrs gave {info}")
    return x
