"""Piecewise polynomials of degree 7 in the distance: one radial form for every basis.

Table layout: coef[interval, degree, j], j = l * n_max + n, in the local variable
u = 2 (r/h - interval) - 1 in [-1, 1].
"""

import numpy as np
from numba import njit

from gapy._jit.settings import FAST

DEGREE = 7


@njit(cache=True, nogil=True, fastmath=FAST)
def radial(coef, inv_h, r, out):
    """All radial functions at one distance into out[j]."""
    t = r * inv_h
    k = min(int(t), coef.shape[0] - 1)
    u = 2.0 * (t - k) - 1.0
    c = coef[k]
    for j in range(c.shape[1]):
        v = c[7, j]
        v = v * u + c[6, j]
        v = v * u + c[5, j]
        v = v * u + c[4, j]
        v = v * u + c[3, j]
        v = v * u + c[2, j]
        v = v * u + c[1, j]
        out[j] = v * u + c[0, j]


@njit(cache=True, nogil=True, fastmath=FAST)
def radial_gradient(coef, inv_h, r, out, grad):
    """All radial functions and their derivatives with respect to r at one distance."""
    t = r * inv_h
    k = min(int(t), coef.shape[0] - 1)
    u = 2.0 * (t - k) - 1.0
    c = coef[k]
    scale = 2.0 * inv_h
    for j in range(c.shape[1]):
        v = c[7, j]
        d = v
        v = v * u + c[6, j]
        d = d * u + v
        v = v * u + c[5, j]
        d = d * u + v
        v = v * u + c[4, j]
        d = d * u + v
        v = v * u + c[3, j]
        d = d * u + v
        v = v * u + c[2, j]
        d = d * u + v
        v = v * u + c[1, j]
        d = d * u + v
        out[j] = v * u + c[0, j]
        grad[j] = d * scale


def build_table(function, r_max: float, tolerance: float = 1e-12, max_intervals: int = 1024):
    """Interpolate `function(r[k]) -> values[k, j]` on [0, r_max] at Chebyshev-Lobatto points.

    The ends of every interval are interpolation points, so the table is continuous. Intervals
    are doubled until the error at the midpoints between the nodes is below `tolerance` times
    the largest value of each function, or stops falling because the function itself carries
    rounding of that size.

    Returns coef[interval, DEGREE + 1, j] and the inverse interval length.
    """
    nodes = -np.cos(np.pi * np.arange(DEGREE + 1) / DEGREE)
    to_monomial = np.linalg.inv(np.vander(nodes, DEGREE + 1, increasing=True))
    check = 0.5 * (nodes[1:] + nodes[:-1])
    powers = np.vander(check, DEGREE + 1, increasing=True)
    n, best, table = 16, np.inf, None
    while n <= max_intervals:
        h = r_max / n
        left = h * np.arange(n)[:, None]
        values = function((left + 0.5 * h * (nodes + 1.0)).ravel())
        coef = np.einsum("dk,ikj->idj", to_monomial, values.reshape(n, DEGREE + 1, -1))
        exact = function((left + 0.5 * h * (check + 1.0)).ravel())
        error = np.abs(np.einsum("kd,idj->ikj", powers, coef).reshape(exact.shape) - exact)
        worst = float((error / (np.abs(values).max(axis=0) + 1e-300)).max())
        if worst > 0.5 * best:
            break
        best, table = worst, (np.ascontiguousarray(coef), 1.0 / h)
        if worst < tolerance:
            break
        n *= 2
    return table
