"""Products of a few rows with a matrix that does not fit the nearest cache, which is read once.

A matrix library packs the matrix first, which takes longer than the product with two or six rows.
"""

import numpy as np

from gapy._jit.settings import FAST, njit

FEW = 8
"""Rows up to which this is faster (measured: up to twice)."""


def product(x_id: np.ndarray, b_dr: np.ndarray) -> np.ndarray:
    """x b, (i, r)."""
    if len(x_id) > FEW:
        return x_id @ b_dr
    y_ir = np.empty((len(x_id), b_dr.shape[1]), x_id.dtype)
    times(x_id, b_dr, y_ir)
    return y_ir


def product_transposed(g_ir: np.ndarray, b_dr: np.ndarray) -> np.ndarray:
    """g b^T, (i, d)."""
    if len(g_ir) > FEW:
        return g_ir @ b_dr.T
    g_id = np.empty((len(g_ir), len(b_dr)), g_ir.dtype)
    times_transposed(g_ir, b_dr, g_id)
    return g_id


@njit(cache=True, nogil=True, fastmath=FAST)
def times(x_id, b_dr, y_ir):
    """y = x b."""
    n_d, n_r = b_dr.shape
    whole = n_d - n_d % 4
    for i in range(x_id.shape[0]):
        y_ir[i, :] = 0.0
    for d in range(0, whole, 4):
        b0, b1, b2, b3 = b_dr[d], b_dr[d + 1], b_dr[d + 2], b_dr[d + 3]
        for i in range(x_id.shape[0]):
            x0, x1, x2, x3 = x_id[i, d], x_id[i, d + 1], x_id[i, d + 2], x_id[i, d + 3]
            y = y_ir[i]
            for r in range(n_r):
                y[r] += x0 * b0[r] + x1 * b1[r] + x2 * b2[r] + x3 * b3[r]
    for d in range(whole, n_d):
        for i in range(x_id.shape[0]):
            for r in range(n_r):
                y_ir[i, r] += x_id[i, d] * b_dr[d, r]


@njit(cache=True, nogil=True, fastmath=FAST)
def times_transposed(g_ir, b_dr, g_id):
    """g b^T."""
    n_d, n_r = b_dr.shape
    for d in range(n_d):
        b = b_dr[d]
        for i in range(g_ir.shape[0]):
            total, g = g_ir.dtype.type(0.0), g_ir[i]
            for r in range(n_r):
                total += g[r] * b[r]
            g_id[i, d] = total
