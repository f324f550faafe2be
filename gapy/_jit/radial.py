"""Piecewise polynomials in the distance, of degree 7: one radial form for every basis.

In single precision the degree is 5, which is as accurate there.

Table layout: coef[interval, degree, j], j = l * (padded n_max) + n, in the local variable
u = 2 (r/h - interval) - 1 in [-1, 1]. The number of functions j is a multiple of eight.
"""

import numpy as np
from numba import types
from numba.extending import overload
from numpy.polynomial import chebyshev

from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, fma8, load8, scale8, splat8, store8

DEGREE, SINGLE_DEGREE = 7, 5
ROUNDING = 1e-9
"""Relative error above which a table is refined whether or not the last doubling helped: it is
no rounding, but a steep or singular weighting."""


def _degree(coef):
    """Of the polynomials of a table."""
    return coef.shape[2] - 1


@overload(_degree)
def _degree_of_precision(coef):
    # Known when the kernel is compiled: the loops over it are unrolled.
    known = SINGLE_DEGREE if coef.dtype == types.float32 else DEGREE
    return lambda coef: known


@njit(cache=True, nogil=True, fastmath=FAST)
def radial(coef, table, inv_h, r, out, at):
    """All radial functions of coef[table] at one distance into the elements of `out` from `at` on.

    No parts of arrays: inside of loops, taking them costs more than what is computed here.
    """
    t = r * inv_h
    interval = min(int(t), coef.shape[1] - 1)
    u = splat8(coef, 2.0 * (t - interval) - 1.0)
    n, top = coef.shape[3], _degree(coef)
    start = (table * coef.shape[1] + interval) * (top + 1) * n
    for j in range(0, n, LANES):
        v = load8(coef, start + top * n + j)
        for degree in range(top - 1, -1, -1):
            v = fma8(v, u, load8(coef, start + degree * n + j))
        store8(out, at + j, v)


@njit(cache=True, nogil=True, fastmath=FAST)
def radial_gradient(coef, table, inv_h, r, out, grad, at):
    """All radial functions and their derivatives with respect to r at one distance."""
    t = r * inv_h
    interval = min(int(t), coef.shape[1] - 1)
    u = splat8(coef, 2.0 * (t - interval) - 1.0)
    n, top = coef.shape[3], _degree(coef)
    start = (table * coef.shape[1] + interval) * (top + 1) * n
    for j in range(0, n, LANES):
        v = load8(coef, start + top * n + j)
        d = v
        v = fma8(v, u, load8(coef, start + (top - 1) * n + j))
        for degree in range(top - 2, -1, -1):
            d = fma8(d, u, v)
            v = fma8(v, u, load8(coef, start + degree * n + j))
        store8(out, at + j, v)
        store8(grad, at + j, scale8(2.0 * inv_h, d))


@njit(cache=True, nogil=True)
def radial_gradients(coef, inv_h, r_p, values_pj, slopes_pj):
    """`radial_gradient` of the first table at many distances."""
    for p in range(r_p.shape[0]):
        radial_gradient(coef, 0, inv_h, r_p[p], values_pj, slopes_pj, p * coef.shape[3])


def in_single(table: np.ndarray) -> np.ndarray:
    """Polynomials along axis -2 in single precision, of SINGLE_DEGREE.

    Economised: without the terms of higher degree in Chebyshev polynomials of u, so that they err
    by the coefficients of these at most (with the rounding: 5e-8 of the largest value in five
    SOAPs tried, slopes by 1e-7 of the largest, by 1e-6 with n_max 12 and l_max 10).
    """
    monomial = np.moveaxis(table, -2, 0)
    lower = SINGLE_DEGREE + 1
    to_chebyshev = np.stack([_padded(chebyshev.poly2cheb(e)) for e in np.eye(DEGREE + 1)], axis=1)
    to_monomial = np.stack([_padded(chebyshev.cheb2poly(e)) for e in np.eye(lower)], axis=1)
    economised = to_monomial[:lower] @ to_chebyshev[:lower]
    out = np.tensordot(economised, monomial, axes=1)
    return np.ascontiguousarray(np.moveaxis(out, 0, -2), dtype=np.float32)


def _padded(coefficients: np.ndarray) -> np.ndarray:
    return np.pad(coefficients, (0, DEGREE + 1 - len(coefficients)))


def build_table(function, r_max: float, tolerance: float = 1e-12, max_intervals: int = 1024):
    """Interpolate `function(r[k]) -> values[k, j]` on [0, r_max] at Chebyshev-Lobatto points.

    The ends of every interval are interpolation points, so the table is continuous. Intervals
    are doubled until the error at the midpoints between the nodes is below `tolerance` times
    the largest value of each function, or stops falling below ROUNDING because the function
    itself carries rounding of that size.

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
        if worst > 0.5 * best and best < ROUNDING:
            break
        best, table = worst, (np.ascontiguousarray(coef), 1.0 / h)
        if worst < tolerance:
            break
        n *= 2
    return table
