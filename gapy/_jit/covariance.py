"""Elementwise work between the matrix products of the kernel (x . s)^zeta."""

import numpy as np

from gapy._jit.settings import FAST, njit


@njit(cache=True, nogil=True, fastmath=FAST)
def normalise(x_id, inv_norm_i):
    """Divide every row by its length, in place; a zero row stays zero with inverse norm 0."""
    for i in range(x_id.shape[0]):
        total = 0.0
        for d in range(x_id.shape[1]):
            total += x_id[i, d] * x_id[i, d]
        inv = 1.0 / np.sqrt(total) if total > 0.0 else 0.0
        inv_norm_i[i] = inv
        for d in range(x_id.shape[1]):
            x_id[i, d] *= inv


@njit(cache=True, nogil=True, fastmath=FAST)
def squares(x_id, square_i):
    """|x_i|^2 of every row."""
    for i in range(x_id.shape[0]):
        total = 0.0
        for d in range(x_id.shape[1]):
            total += x_id[i, d] * x_id[i, d]
        square_i[i] = total


@njit(cache=True, nogil=True, fastmath=FAST)
def quadratic_energy(x_id, g_id, energy_i):
    """eps_i = x_i . g_i, where g = Q x comes in, and its gradient 2 Q x, in place."""
    for i in range(x_id.shape[0]):
        total = 0.0
        for d in range(x_id.shape[1]):
            total += x_id[i, d] * g_id[i, d]
            g_id[i, d] *= 2.0
        energy_i[i] = total


@njit(cache=True, nogil=True, fastmath=FAST)
def project(first_i, x_id, inv_norm_i, dx_pcd):
    """Derivatives of the normalised descriptor: (dx - xh (xh . dx)) / |x|, in place.

    `x_id` is normalised already; pairs of row i are first_i[i]:first_i[i + 1].
    """
    n_d = x_id.shape[1]
    for i in range(first_i.shape[0] - 1):
        inv = inv_norm_i[i]
        for p in range(first_i[i], first_i[i + 1]):
            for c in range(dx_pcd.shape[1]):
                along = 0.0
                for d in range(n_d):
                    along += x_id[i, d] * dx_pcd[p, c, d]
                for d in range(n_d):
                    dx_pcd[p, c, d] = (dx_pcd[p, c, d] - along * x_id[i, d]) * inv


@njit(cache=True, nogil=True, fastmath=FAST)
def _raise(start_s, t_s, exponent, out_s):
    """out = start * t^exponent, one pass over the row for each factor."""
    for s in range(t_s.shape[0]):
        out_s[s] = start_s[s]
    for _ in range(exponent):
        for s in range(t_s.shape[0]):
            out_s[s] *= t_s[s]


@njit(cache=True, nogil=True, fastmath=FAST)
def kernel(t_is, zeta, k_is):
    """k = t^zeta into k_is, of as many leading columns as k_is has."""
    for i in range(t_is.shape[0]):
        _raise(t_is[i, : k_is.shape[1]], t_is[i, : k_is.shape[1]], zeta - 1, k_is[i])


@njit(cache=True, nogil=True, fastmath=FAST)
def remainder(t_is, first, zeta, known_iq, single_iq):
    """t^zeta - known in single precision, of the points s = first + q."""
    n_q = known_iq.shape[1]
    k = np.empty(n_q)
    for i in range(t_is.shape[0]):
        _raise(t_is[i, first : first + n_q], t_is[i, first : first + n_q], zeta - 1, k)
        for q in range(n_q):
            single_iq[i, q] = k[q] - known_iq[i, q]


@njit(cache=True, nogil=True, fastmath=FAST)
def powers(t_is, zeta, k_is):
    """k = t^zeta into k_is and zeta t^(zeta-1) into t_is."""
    one = np.ones(t_is.shape[1])
    below = np.empty(t_is.shape[1])
    for i in range(t_is.shape[0]):
        _raise(one, t_is[i], zeta - 1, below)
        for s in range(t_is.shape[1]):
            k_is[i, s] = below[s] * t_is[i, s]
            t_is[i, s] = zeta * below[s]


@njit(cache=True, nogil=True, fastmath=FAST)
def energy_and_weights(t_is, alpha_s, zeta, energy_i):
    """eps_i = sum_s alpha_s t^zeta; t_is becomes alpha_s zeta t^(zeta-1)."""
    below = np.empty(t_is.shape[1])
    for i in range(t_is.shape[0]):
        _raise(alpha_s, t_is[i], zeta - 1, below)
        total = 0.0
        for s in range(t_is.shape[1]):
            total += below[s] * t_is[i, s]
            t_is[i, s] = zeta * below[s]
        energy_i[i] = total


@njit(cache=True, nogil=True, fastmath=FAST)
def kernel_and_weights(t_is, alpha_s, zeta, k_is, energy_i):
    """As `energy_and_weights`, with k = t^zeta into k_is as well: one pass over the kernel."""
    one = np.ones(t_is.shape[1])
    below = np.empty(t_is.shape[1])
    for i in range(t_is.shape[0]):
        _raise(one, t_is[i], zeta - 1, below)
        total = 0.0
        for s in range(t_is.shape[1]):
            k = below[s] * t_is[i, s]
            k_is[i, s] = k
            total += alpha_s[s] * k
            t_is[i, s] = zeta * alpha_s[s] * below[s]
        energy_i[i] = total


@njit(cache=True, nogil=True, fastmath=FAST)
def tangent(g_id, x_id, inv_norm_i, zeta, eps_i):
    """dE/dx from dE/dxh, in place: (g - xh (xh . g)) / |x|, where xh . g = zeta eps."""
    for i in range(g_id.shape[0]):
        along = zeta * eps_i[i]
        inv = inv_norm_i[i]
        for d in range(g_id.shape[1]):
            g_id[i, d] = (g_id[i, d] - along * x_id[i, d]) * inv


@njit(cache=True, nogil=True)
def fold_images(n_atoms, atom_i, first_i, j_p, dx_pcd, first_out, j_out):
    """d xh_i / d r_j out of d xh_i / d r_p, in place: pairs with images of one atom j are summed.

    Pairs of a centre with its own images are left out: its motion moves both ends. first_out and
    j_out (as long as j_p) describe the first rows of dx_pcd afterwards; returns their number.
    """
    place = np.full(n_atoms, -1)
    n = 0
    first_out[0] = 0
    for i in range(atom_i.shape[0]):
        start = n
        for p in range(first_i[i], first_i[i + 1]):
            j = j_p[p]
            if j == atom_i[i]:
                continue
            at = place[j]
            if at >= start:
                for c in range(3):
                    for d in range(dx_pcd.shape[2]):
                        dx_pcd[at, c, d] += dx_pcd[p, c, d]
                continue
            place[j] = n
            j_out[n] = j
            if n != p:
                dx_pcd[n] = dx_pcd[p]
            n += 1
        first_out[i + 1] = n
    return n


@njit(cache=True, nogil=True, fastmath=FAST)
def scatter_force_rows(atom_i, first_i, j_p, slope_is, t_pcs, rows_ncs):
    """Force rows -d/dr_j of sum_i k(i, s), from t_pcs = (d xh_i / d r_p) . s.

    slope_is = dk/dt. Row (j, c) loses, row (centre, c) gains: moving the centre is moving all
    its neighbours the other way.
    """
    n_s = t_pcs.shape[2]
    for i in range(first_i.shape[0] - 1):
        a = atom_i[i]
        for p in range(first_i[i], first_i[i + 1]):
            j = j_p[p]
            for c in range(3):
                for s in range(n_s):
                    v = slope_is[i, s] * t_pcs[p, c, s]
                    rows_ncs[j, c, s] -= v
                    rows_ncs[a, c, s] += v


@njit(cache=True, nogil=True, fastmath=FAST)
def strain_derivative(first_i, dx_pcd, r_pc, out_ivd):
    """Symmetric strain derivative sum_p (dx_pa r_pb + dx_pb r_pa) / 2 in Voigt order."""
    n_d = dx_pcd.shape[2]
    for i in range(first_i.shape[0] - 1):
        out_ivd[i, :, :] = 0.0
        for p in range(first_i[i], first_i[i + 1]):
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            for d in range(n_d):
                gx, gy, gz = dx_pcd[p, 0, d], dx_pcd[p, 1, d], dx_pcd[p, 2, d]
                out_ivd[i, 0, d] += gx * x
                out_ivd[i, 1, d] += gy * y
                out_ivd[i, 2, d] += gz * z
                out_ivd[i, 3, d] += 0.5 * (gy * z + gz * y)
                out_ivd[i, 4, d] += 0.5 * (gx * z + gz * x)
                out_ivd[i, 5, d] += 0.5 * (gx * y + gy * x)
