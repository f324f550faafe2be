"""Real solid harmonics and their gradients by recursion, eight directions at a time.

Conventions: index k = l*l + l + m; orthonormal on the unit sphere, so that
sum_m S_lm(u)^2 = (2l + 1) / (4 pi). The solid harmonic S_lm is the homogeneous polynomial of
degree l that equals Y_lm on the unit sphere. Arrays end in the lane axis v of eight directions.

Source of the recursion: Bigi, Fraux, Browning, Ceriotti, J. Chem. Phys. 159, 064802 (2023),
eqs 4-12 (S_lm = F_lm Q_l|m| times the real or imaginary part of (x + i y)^|m|).
"""

import math

import numpy as np

from gapy._jit.aligned import aligned
from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, axpy8, fma8, load8, mul8, scale8, splat8, store8, zero8


def prefactors(l_max: int) -> np.ndarray:
    """F_lm for m >= 0, flattened as l*(l+1)/2 + m: the normalisation of Q_lm times cos/sin."""
    out = np.empty((l_max + 1) * (l_max + 2) // 2)
    for l in range(l_max + 1):
        for m in range(l + 1):
            ratio = math.factorial(l - m) / math.factorial(l + m)
            norm = math.sqrt((2 * l + 1) / (2.0 * math.pi) * ratio)
            out[l * (l + 1) // 2 + m] = (-1) ** m * norm / (math.sqrt(2.0) if m == 0 else 1.0)
    return out


@njit(cache=True, nogil=True)
def scratch(l_max, like):
    """Room for Q_lm and the real and imaginary parts of (x + i y)^m, of the type of `like`."""
    return (
        aligned((l_max + 1) * (l_max + 2) // 2 * LANES, like).reshape(-1, LANES),
        aligned((l_max + 1) * LANES, like).reshape(-1, LANES),
        aligned((l_max + 1) * LANES, like).reshape(-1, LANES),
    )


@njit(cache=True, nogil=True, fastmath=FAST)
def harmonics(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, y_kv):
    """S_lm of eight unit vectors (3, 8) into y_kv ((l_max+1)^2, 8); fills the scratch arrays."""
    x, y, z = load8(unit_cv, 0), load8(unit_cv, LANES), load8(unit_cv, 2 * LANES)
    minus_y = scale8(-1.0, y)
    c, s = splat8(unit_cv, 1.0), zero8(unit_cv)
    store8(q_av, 0, c)
    store8(cos_mv, 0, c)
    store8(sin_mv, 0, s)
    for m in range(1, l_max + 1):
        c, s = fma8(x, c, mul8(minus_y, s)), fma8(x, s, mul8(y, c))
        store8(cos_mv, m * LANES, c)
        store8(sin_mv, m * LANES, s)
    for l in range(1, l_max + 1):
        here = l * (l + 1) // 2
        below = (l - 1) * l // 2
        below2 = (l - 2) * (l - 1) // 2
        for m in range(l - 1):
            inv = 1.0 / (l - m)
            q1 = mul8(z, load8(q_av, (below + m) * LANES))
            q2 = scale8(-(l + m - 1) * inv, load8(q_av, (below2 + m) * LANES))
            store8(q_av, (here + m) * LANES, axpy8((2 * l - 1) * inv, q1, q2))
        diagonal = scale8(2.0 * l - 1.0, load8(q_av, (below + l - 1) * LANES))
        store8(q_av, (here + l - 1) * LANES, mul8(z, diagonal))
        store8(q_av, (here + l) * LANES, scale8(-1.0, diagonal))
    for l in range(l_max + 1):
        centre = l * l + l
        here = l * (l + 1) // 2
        store8(y_kv, centre * LANES, scale8(factor[here], load8(q_av, here * LANES)))
        for m in range(1, l + 1):
            q = scale8(factor[here + m], load8(q_av, (here + m) * LANES))
            store8(y_kv, (centre + m) * LANES, mul8(q, load8(cos_mv, m * LANES)))
            store8(y_kv, (centre - m) * LANES, mul8(q, load8(sin_mv, m * LANES)))


@njit(cache=True, nogil=True, fastmath=FAST)
def harmonics_gradient(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, g_kcv):
    """d S_lm / d(x, y, z) into g_kcv ((l_max+1)^2, 3, 8); call after `harmonics`.

    Uses dQ_lm/dz = (l + m) Q_(l-1)m and dQ_lm/d(x, y) = (x, y) Q_(l-1)(m+1), where Q is the
    homogeneous form; terms whose order exceeds their degree vanish.
    """
    x, y = load8(unit_cv, 0), load8(unit_cv, LANES)
    none = zero8(unit_cv)
    for a in range(3):
        store8(g_kcv, a * LANES, none)
    for l in range(1, l_max + 1):
        centre = l * l + l
        here = l * (l + 1) // 2
        below = (l - 1) * l // 2
        for m in range(l + 1):
            f = factor[here + m]
            up, same = none, none
            if m + 1 <= l - 1:
                up = scale8(f, load8(q_av, (below + m + 1) * LANES))
            if m <= l - 1:
                same = scale8(f * (l + m), load8(q_av, (below + m) * LANES))
            dqx, dqy = mul8(x, up), mul8(y, up)
            plus, minus = 3 * (centre + m) * LANES, 3 * (centre - m) * LANES
            if m == 0:
                store8(g_kcv, plus, dqx)
                store8(g_kcv, plus + LANES, dqy)
                store8(g_kcv, plus + 2 * LANES, same)
                continue
            c, s = load8(cos_mv, m * LANES), load8(sin_mv, m * LANES)
            q = scale8(f * m, load8(q_av, (here + m) * LANES))
            qc = mul8(q, load8(cos_mv, (m - 1) * LANES))
            qs = mul8(q, load8(sin_mv, (m - 1) * LANES))
            store8(g_kcv, plus, fma8(dqx, c, qc))
            store8(g_kcv, plus + LANES, fma8(dqy, c, scale8(-1.0, qs)))
            store8(g_kcv, plus + 2 * LANES, mul8(same, c))
            store8(g_kcv, minus, fma8(dqx, s, qs))
            store8(g_kcv, minus + LANES, fma8(dqy, s, qc))
            store8(g_kcv, minus + 2 * LANES, mul8(same, s))
