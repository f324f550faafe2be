"""Energies and gradients of a few centres in one pass over the inducing points.

    eps_i = sum_s alpha_s t_is^zeta,   t_is = xh_i . x_s,   xh = x / |x|
    d eps_i / dx = (sum_s zeta alpha_s t_is^(zeta-1) x_s - zeta eps_i xh_i) / |x_i|

Two matrix products read all points twice, whatever the number of rows, and a matrix library is
not made for two or three rows. Here each point is read once, for the product and, while it is in
the cache, for the gradient: two points and two centres at a time, which the registers can hold.
"""

import numpy as np

from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, axpy8, fma8, load8, store8, sum8, zero8

POINTS, CENTRES = 2, 2


@njit(cache=True, nogil=True, fastmath=FAST)
def few_centres(x_id, x_sd, alpha_s, zeta, inv_norm_i, eps_i, g_id, t_is):
    """eps_i and its gradient g_id of descriptors x_id, which become normalised; inv_norm_i = 1/|x|.

    t_is is filled in too if it has a column for each point.
    """
    n_i, n_d = x_id.shape
    n_s = x_sd.shape[0]
    keep = t_is.shape[1] == n_s
    for i in range(n_i):
        total = 0.0
        for d in range(n_d):
            total += x_id[i, d] * x_id[i, d]
        inv_norm_i[i] = 1.0 / np.sqrt(total) if total > 0.0 else 0.0
        for d in range(n_d):
            x_id[i, d] *= inv_norm_i[i]
            g_id[i, d] = 0.0
        eps_i[i] = 0.0
    t, w = np.empty((CENTRES, POINTS)), np.empty((CENTRES, POINTS))
    for s0 in range(0, n_s, POINTS):
        # Of an odd number of points the last stands in for its missing partner, with weight zero.
        s1 = min(s0 + 1, n_s - 1)
        for i0 in range(0, n_i, CENTRES):
            n_c = min(CENTRES, n_i - i0)
            if n_c == 2:
                _products_of_two(x_id, x_sd, i0, s0, s1, t)
            else:
                _products_of_one(x_id, x_sd, i0, s0, s1, t)
            for c in range(n_c):
                if keep:
                    t_is[i0 + c, s0], t_is[i0 + c, s1] = t[c, 0], t[c, 1]
                for k in range(POINTS):
                    below = alpha_s[s0 + k] if s0 + k < n_s else 0.0
                    for _ in range(zeta - 1):
                        below *= t[c, k]
                    eps_i[i0 + c] += below * t[c, k]
                    w[c, k] = zeta * below
            if n_c == 2:
                _add_to_two(x_sd, s0, s1, w, i0, g_id)
            else:
                _add_to_one(x_sd, s0, s1, w, i0, g_id)
    for i in range(n_i):
        along = zeta * eps_i[i]
        for d in range(n_d):
            g_id[i, d] = (g_id[i, d] - along * x_id[i, d]) * inv_norm_i[i]


@njit(cache=True, nogil=True, fastmath=FAST)
def _products_of_two(x_id, x_sd, i, s0, s1, t):
    """t[c, k] = x_id[i + c] . x_sd[s_k]."""
    n_d = x_id.shape[1]
    whole = n_d - n_d % LANES
    a0, a1, b0, b1 = i * n_d, (i + 1) * n_d, s0 * n_d, s1 * n_d
    t00, t01, t10, t11 = zero8(x_id), zero8(x_id), zero8(x_id), zero8(x_id)
    for d in range(0, whole, LANES):
        x0, x1 = load8(x_id, a0 + d), load8(x_id, a1 + d)
        p0, p1 = load8(x_sd, b0 + d), load8(x_sd, b1 + d)
        t00, t01 = fma8(x0, p0, t00), fma8(x0, p1, t01)
        t10, t11 = fma8(x1, p0, t10), fma8(x1, p1, t11)
    t[0, 0], t[0, 1], t[1, 0], t[1, 1] = sum8(t00), sum8(t01), sum8(t10), sum8(t11)
    for d in range(whole, n_d):
        for c in range(CENTRES):
            t[c, 0] += x_id[i + c, d] * x_sd[s0, d]
            t[c, 1] += x_id[i + c, d] * x_sd[s1, d]


@njit(cache=True, nogil=True, fastmath=FAST)
def _products_of_one(x_id, x_sd, i, s0, s1, t):
    """t[0, k] = x_id[i] . x_sd[s_k]."""
    total0, total1 = 0.0, 0.0
    for d in range(x_id.shape[1]):
        total0 += x_id[i, d] * x_sd[s0, d]
        total1 += x_id[i, d] * x_sd[s1, d]
    t[0, 0], t[0, 1] = total0, total1


@njit(cache=True, nogil=True, fastmath=FAST)
def _add_to_two(x_sd, s0, s1, w, i, g_id):
    """g_id[i + c] += sum_k w[c, k] x_sd[s_k]."""
    n_d = g_id.shape[1]
    whole = n_d - n_d % LANES
    a0, a1, b0, b1 = i * n_d, (i + 1) * n_d, s0 * n_d, s1 * n_d
    w00, w01, w10, w11 = w[0, 0], w[0, 1], w[1, 0], w[1, 1]
    for d in range(0, whole, LANES):
        p0, p1 = load8(x_sd, b0 + d), load8(x_sd, b1 + d)
        store8(g_id, a0 + d, axpy8(w00, p0, axpy8(w01, p1, load8(g_id, a0 + d))))
        store8(g_id, a1 + d, axpy8(w10, p0, axpy8(w11, p1, load8(g_id, a1 + d))))
    for d in range(whole, n_d):
        for c in range(CENTRES):
            g_id[i + c, d] += w[c, 0] * x_sd[s0, d] + w[c, 1] * x_sd[s1, d]


@njit(cache=True, nogil=True, fastmath=FAST)
def _add_to_one(x_sd, s0, s1, w, i, g_id):
    """g_id[i] += sum_k w[0, k] x_sd[s_k]."""
    n_d = g_id.shape[1]
    whole = n_d - n_d % LANES
    w0, w1 = w[0, 0], w[0, 1]
    for d in range(0, whole, LANES):
        g = axpy8(w1, load8(x_sd, s1 * n_d + d), load8(g_id, i * n_d + d))
        store8(g_id, i * n_d + d, axpy8(w0, load8(x_sd, s0 * n_d + d), g))
    for d in range(whole, n_d):
        g_id[i, d] += w0 * x_sd[s0, d] + w1 * x_sd[s1, d]


@njit(cache=True, nogil=True, fastmath=FAST)
def few_squares(t_is, zeta, factor_sm, lower, n_leading, square_i, leading_i):
    """|T k_i|^2 of k = t^zeta, and the part of its leading rows, with T triangular.

    factor_sm = T^T (m, m), of as many leading points as it has rows.
    """
    n_i, n_m = t_is.shape[0], factor_sm.shape[0]
    out_im = np.zeros((n_i, n_m))
    for s in range(n_m):
        begin, end = (s, n_m) if lower else (0, s + 1)
        whole = end - (end - begin) % LANES
        for i in range(n_i):
            k = t_is[i, s]
            for _ in range(zeta - 1):
                k *= t_is[i, s]
            for m in range(begin, whole, LANES):
                here = i * n_m + m
                store8(out_im, here, axpy8(k, load8(factor_sm, s * n_m + m), load8(out_im, here)))
            for m in range(whole, end):
                out_im[i, m] += factor_sm[s, m] * k
    for i in range(n_i):
        leading, rest = 0.0, 0.0
        for m in range(n_leading):
            leading += out_im[i, m] ** 2
        for m in range(n_leading, n_m):
            rest += out_im[i, m] ** 2
        square_i[i], leading_i[i] = leading + rest, leading
