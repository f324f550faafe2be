"""Real solid harmonics and their gradients by recursion, vectorised over neighbours.

Conventions: index l*l + l + m; orthonormal on the unit sphere, so that
sum_m S_lm(u)^2 = (2l + 1) / (4 pi). The solid harmonic S_lm is the homogeneous polynomial of
degree l that equals Y_lm on the unit sphere. Arrays run over neighbours p in their last axis.

Source of the recursion: Bigi, Fraux, Browning, Ceriotti, J. Chem. Phys. 159, 064802 (2023),
eqs 4-12 (S_lm = F_lm Q_l|m| times the real or imaginary part of (x + i y)^|m|).
"""

import math

import numpy as np
from numba import njit

from gapy._jit.settings import FAST


def prefactors(l_max: int) -> np.ndarray:
    """F_lm for m >= 0, flattened as l*(l+1)/2 + m: the normalisation of Q_lm times cos/sin."""
    out = np.empty((l_max + 1) * (l_max + 2) // 2)
    for l in range(l_max + 1):
        for m in range(l + 1):
            ratio = math.factorial(l - m) / math.factorial(l + m)
            norm = math.sqrt((2 * l + 1) / (2.0 * math.pi) * ratio)
            out[l * (l + 1) // 2 + m] = (-1) ** m * norm / (math.sqrt(2.0) if m == 0 else 1.0)
    return out


@njit(cache=True, nogil=True, fastmath=FAST)
def _legendre_part(l_max, x, y, z, n, q_np, cos_mp, sin_mp):
    """Q_lm on the unit sphere and the real and imaginary parts of (x + i y)^m."""
    for p in range(n):
        q_np[0, p] = 1.0
        cos_mp[0, p] = 1.0
        sin_mp[0, p] = 0.0
    for m in range(1, l_max + 1):
        for p in range(n):
            cos_mp[m, p] = x[p] * cos_mp[m - 1, p] - y[p] * sin_mp[m - 1, p]
            sin_mp[m, p] = x[p] * sin_mp[m - 1, p] + y[p] * cos_mp[m - 1, p]
    for l in range(1, l_max + 1):
        here = l * (l + 1) // 2
        below = (l - 1) * l // 2
        for m in range(l - 1):
            inv = 1.0 / (l - m)
            a = (2 * l - 1) * inv
            b = (l + m - 1) * inv
            below2 = (l - 2) * (l - 1) // 2
            for p in range(n):
                q_np[here + m, p] = a * z[p] * q_np[below + m, p] - b * q_np[below2 + m, p]
        for p in range(n):
            q_np[here + l - 1, p] = (2 * l - 1) * z[p] * q_np[below + l - 1, p]
            q_np[here + l, p] = -(2 * l - 1) * q_np[below + l - 1, p]


@njit(cache=True, nogil=True, fastmath=FAST)
def harmonics(l_max, factor, x, y, z, n, q_np, cos_mp, sin_mp, y_lp):
    """S_lm of n unit vectors into y_lp[(l_max+1)^2, n]."""
    _legendre_part(l_max, x, y, z, n, q_np, cos_mp, sin_mp)
    for l in range(l_max + 1):
        centre = l * l + l
        here = l * (l + 1) // 2
        f = factor[here]
        for p in range(n):
            y_lp[centre, p] = f * q_np[here, p]
        for m in range(1, l + 1):
            f = factor[here + m]
            for p in range(n):
                fq = f * q_np[here + m, p]
                y_lp[centre + m, p] = fq * cos_mp[m, p]
                y_lp[centre - m, p] = fq * sin_mp[m, p]


@njit(cache=True, nogil=True, fastmath=FAST)
def harmonics_gradient(l_max, factor, x, y, z, n, q_np, cos_mp, sin_mp, g_clp):
    """d S_lm / d(x, y, z) into g_clp[3, (l_max+1)^2, n]; call after `harmonics` (same scratch).

    Uses dQ_lm/dz = (l + m) Q_(l-1)m and dQ_lm/d(x, y) = (x, y) Q_(l-1)(m+1), where Q is the
    homogeneous form; terms whose order exceeds their degree vanish.
    """
    for p in range(n):
        g_clp[0, 0, p] = 0.0
        g_clp[1, 0, p] = 0.0
        g_clp[2, 0, p] = 0.0
    for l in range(1, l_max + 1):
        centre = l * l + l
        here = l * (l + 1) // 2
        below = (l - 1) * l // 2
        for m in range(l + 1):
            f = factor[here + m]
            has_up = m + 1 <= l - 1
            has_same = m <= l - 1
            for p in range(n):
                up = q_np[below + m + 1, p] if has_up else 0.0
                same = q_np[below + m, p] if has_same else 0.0
                dqx = f * x[p] * up
                dqy = f * y[p] * up
                dqz = f * (l + m) * same
                if m == 0:
                    g_clp[0, centre, p] = dqx
                    g_clp[1, centre, p] = dqy
                    g_clp[2, centre, p] = dqz
                else:
                    c = cos_mp[m, p]
                    s = sin_mp[m, p]
                    fqm = f * m * q_np[here + m, p]
                    c1 = cos_mp[m - 1, p]
                    s1 = sin_mp[m - 1, p]
                    g_clp[0, centre + m, p] = dqx * c + fqm * c1
                    g_clp[1, centre + m, p] = dqy * c - fqm * s1
                    g_clp[2, centre + m, p] = dqz * c
                    g_clp[0, centre - m, p] = dqx * s + fqm * s1
                    g_clp[1, centre - m, p] = dqy * s + fqm * c1
                    g_clp[2, centre - m, p] = dqz * s
