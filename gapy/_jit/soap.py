"""SOAP of a block of centres: neighbours -> c_nlm -> power spectrum, and the reverse.

Array suffixes: i centre in the block, p neighbour pair, c Cartesian, k = l*l + l + m,
u channel (species slot times n_max + n), d descriptor component.

c_iku = sum_p w(species of p) R_ln(r_p) S_lm(r_p / |r_p|), the radial table R carrying the
weighting function, the normalisation of the density and the square root of the power
spectrum's prefactor. Channels with slot >= 0 only; a "sum" slot (mu1nu1) is filled last.

Power spectrum: for each block of channel pairs (u in A, v in B) and each l
    x_d = sum_m c_ku c_kv,   d = index[l, u, v].
Symmetric blocks (A = B) hold every unordered pair once.

`blocks` rows: a0, a_len, b0, b_len, symmetric, offset of the block's index map.
`layout`: l_max, n_max, number of species, sum slot (-1: none), all as an int64 array.
"""

import numpy as np
from numba import njit

from gapy._jit.harmonics import harmonics, harmonics_gradient
from gapy._jit.radial import radial, radial_gradient
from gapy._jit.settings import FAST


@njit(cache=True, nogil=True)
def _collect(lo, hi, r_pc, species_p, n_species, cutoff, bounds, pair, ux, uy, uz, r):
    """Neighbours within the cutoff, grouped by species, as unit vectors; returns their count."""
    n = 0
    cut2 = cutoff * cutoff
    for s in range(n_species):
        bounds[s] = n
        for p in range(lo, hi):
            if species_p[p] != s:
                continue
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            d2 = x * x + y * y + z * z
            if d2 < cut2:
                d = np.sqrt(d2)
                inv = 1.0 / d
                ux[n], uy[n], uz[n], r[n] = x * inv, y * inv, z * inv, d
                pair[n] = p
                n += 1
    bounds[n_species] = n
    return n


@njit(cache=True, nogil=True)
def _widest(begin, end, first_i):
    widest = 1
    for i in range(begin, end):
        widest = max(widest, first_i[i + 1] - first_i[i])
    return widest


@njit(cache=True, nogil=True, fastmath=FAST)
def expand(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights, central,
    coef, inv_h, factor, c_iku,
):  # fmt: skip
    """Density coefficients c_iku of centres begin..end-1 (c_iku[i - begin])."""
    l_max, n_max, n_species, sum_slot = layout[0], layout[1], layout[2], layout[3]
    n_lm = (l_max + 1) * (l_max + 1)
    widest = _widest(begin, end, first_i)
    pair = np.empty(widest, np.int64)
    bounds = np.empty(n_species + 1, np.int64)
    ux, uy, uz, r = np.empty(widest), np.empty(widest), np.empty(widest), np.empty(widest)
    q_np = np.empty(((l_max + 1) * (l_max + 2) // 2, widest))
    cos_mp, sin_mp = np.empty((l_max + 1, widest)), np.empty((l_max + 1, widest))
    y_kp = np.empty((n_lm, widest))
    rad = np.empty((l_max + 1) * n_max)
    for i in range(begin, end):
        c = c_iku[i - begin]
        c[:, :] = 0.0
        own = slots[species_i[i]] * n_max
        for n in range(n_max):
            c[0, own + n] = central[n] * weights[species_i[i]]
        count = _collect(
            first_i[i], first_i[i + 1], r_pc, species_p, n_species, cutoff, bounds, pair,
            ux, uy, uz, r,
        )  # fmt: skip
        harmonics(l_max, factor, ux, uy, uz, count, q_np, cos_mp, sin_mp, y_kp)
        for s in range(n_species):
            u0 = slots[s] * n_max
            w = weights[s]
            for q in range(bounds[s], bounds[s + 1]):
                radial(coef, inv_h, r[q], rad)
                for l in range(l_max + 1):
                    j0 = l * n_max
                    for k in range(l * l, (l + 1) * (l + 1)):
                        yw = w * y_kp[k, q]
                        for n in range(n_max):
                            c[k, u0 + n] += yw * rad[j0 + n]
        if sum_slot >= 0:
            s0 = sum_slot * n_max
            for k in range(n_lm):
                for s in range(n_species):
                    for n in range(n_max):
                        c[k, s0 + n] += c[k, s * n_max + n]


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum(c_iku, l_max, blocks, index, x_id):
    """x_id from c_iku."""
    widest = 0
    for b in range(blocks.shape[0]):
        widest = max(widest, max(blocks[b, 1], blocks[b, 3]))
    gram = np.empty((widest, widest))
    for i in range(c_iku.shape[0]):
        c = c_iku[i]
        x = x_id[i]
        for b in range(blocks.shape[0]):
            a0, na, b0, nb, symmetric = (
                blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
            )  # fmt: skip
            for l in range(l_max + 1):
                for u in range(na):
                    for v in range(nb):
                        gram[u, v] = 0.0
                for k in range(l * l, (l + 1) * (l + 1)):
                    for u in range(na):
                        cu = c[k, a0 + u]
                        for v in range(nb):
                            gram[u, v] += cu * c[k, b0 + v]
                at = blocks[b, 5] + l * na * nb
                for u in range(na):
                    for v in range(u if symmetric else 0, nb):
                        x[index[at + u * nb + v]] = gram[u, v]


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum_backward(g_id, c_iku, layout, blocks, index, dc_iku):
    """dE/dc from dE/dx (g_id); the sum slot's share is passed on to its species."""
    l_max, n_max, n_species, sum_slot = layout[0], layout[1], layout[2], layout[3]
    widest = 0
    for b in range(blocks.shape[0]):
        widest = max(widest, max(blocks[b, 1], blocks[b, 3]))
    h = np.empty((widest, widest))
    for i in range(c_iku.shape[0]):
        c = c_iku[i]
        dc = dc_iku[i]
        dc[:, :] = 0.0
        g = g_id[i]
        for b in range(blocks.shape[0]):
            a0, na, b0, nb, symmetric = (
                blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
            )  # fmt: skip
            for l in range(l_max + 1):
                at = blocks[b, 5] + l * na * nb
                for u in range(na):
                    for v in range(nb):
                        h[u, v] = g[index[at + u * nb + v]]
                    if symmetric:
                        h[u, u] *= 2.0
                for k in range(l * l, (l + 1) * (l + 1)):
                    for u in range(na):
                        cu = c[k, a0 + u]
                        for v in range(nb):
                            dc[k, b0 + v] += cu * h[u, v]
                    if not symmetric:
                        for u in range(na):
                            total = 0.0
                            for v in range(nb):
                                total += h[u, v] * c[k, b0 + v]
                            dc[k, a0 + u] += total
        if sum_slot >= 0:
            s0 = sum_slot * n_max
            for k in range(c.shape[0]):
                for s in range(n_species):
                    for n in range(n_max):
                        dc[k, s * n_max + n] += dc[k, s0 + n]


@njit(cache=True, nogil=True, fastmath=FAST)
def expand_backward(
    begin, end, first_i, r_pc, species_p, cutoff, layout, slots, weights,
    coef, inv_h, factor, dc_iku, g_pc,
):  # fmt: skip
    """dE/dr_p of every neighbour vector of centres begin..end-1 into g_pc (zero beyond cutoff)."""
    l_max, n_max, n_species = layout[0], layout[1], layout[2]
    n_lm = (l_max + 1) * (l_max + 1)
    n_rad = (l_max + 1) * n_max
    widest = _widest(begin, end, first_i)
    pair = np.empty(widest, np.int64)
    bounds = np.empty(n_species + 1, np.int64)
    ux, uy, uz, r = np.empty(widest), np.empty(widest), np.empty(widest), np.empty(widest)
    q_np = np.empty(((l_max + 1) * (l_max + 2) // 2, widest))
    cos_mp, sin_mp = np.empty((l_max + 1, widest)), np.empty((l_max + 1, widest))
    y_kp = np.empty((n_lm, widest))
    dy_ckp = np.empty((3, n_lm, widest))
    rad, drad = np.empty(n_rad), np.empty(n_rad)
    rad_jp, drad_jp = np.empty((n_rad, widest)), np.empty((n_rad, widest))
    t, dt = np.empty(widest), np.empty(widest)
    along, gx, gy, gz = np.empty(widest), np.empty(widest), np.empty(widest), np.empty(widest)
    for i in range(begin, end):
        dc = dc_iku[i - begin]
        lo, hi = first_i[i], first_i[i + 1]
        for p in range(lo, hi):
            g_pc[p, 0] = 0.0
            g_pc[p, 1] = 0.0
            g_pc[p, 2] = 0.0
        count = _collect(
            lo, hi, r_pc, species_p, n_species, cutoff, bounds, pair, ux, uy, uz, r
        )  # fmt: skip
        harmonics(l_max, factor, ux, uy, uz, count, q_np, cos_mp, sin_mp, y_kp)
        harmonics_gradient(l_max, factor, ux, uy, uz, count, q_np, cos_mp, sin_mp, dy_ckp)
        for q in range(count):
            radial_gradient(coef, inv_h, r[q], rad, drad)
            for j in range(n_rad):
                rad_jp[j, q] = rad[j]
                drad_jp[j, q] = drad[j]
            along[q] = 0.0
            gx[q] = 0.0
            gy[q] = 0.0
            gz[q] = 0.0
        for s in range(n_species):
            u0 = slots[s] * n_max
            q0, q1 = bounds[s], bounds[s + 1]
            if q1 == q0:
                continue
            for l in range(l_max + 1):
                for k in range(l * l, (l + 1) * (l + 1)):
                    for q in range(q0, q1):
                        t[q] = 0.0
                        dt[q] = 0.0
                    for n in range(n_max):
                        d = dc[k, u0 + n]
                        j = l * n_max + n
                        for q in range(q0, q1):
                            t[q] += d * rad_jp[j, q]
                            dt[q] += d * drad_jp[j, q]
                    for q in range(q0, q1):
                        along[q] += dt[q] * y_kp[k, q]
                        gx[q] += t[q] * dy_ckp[0, k, q]
                        gy[q] += t[q] * dy_ckp[1, k, q]
                        gz[q] += t[q] * dy_ckp[2, k, q]
            for q in range(q0, q1):
                # Angular part: the gradient of S(r/|r|) is the projected gradient of S over |r|.
                w = weights[s]
                inv = 1.0 / r[q]
                radial_part = along[q] - inv * (gx[q] * ux[q] + gy[q] * uy[q] + gz[q] * uz[q])
                p = pair[q]
                g_pc[p, 0] = w * (radial_part * ux[q] + inv * gx[q])
                g_pc[p, 1] = w * (radial_part * uy[q] + inv * gy[q])
                g_pc[p, 2] = w * (radial_part * uz[q] + inv * gz[q])


@njit(cache=True, nogil=True, fastmath=FAST)
def spectrum_derivatives(
    begin, end, first_i, r_pc, species_p, cutoff, layout, slots, weights, reach,
    coef, inv_h, factor, c_iku, blocks, index, dx_pcd,
):  # fmt: skip
    """d x_i / d r_p of every neighbour vector of centres begin..end-1.

    dx_pcd is indexed by p - first_i[begin]. `reach[s, block, side]` is where a neighbour of
    species s enters the block's channel range A (side 0) or B (side 1), or -1.
    """
    l_max, n_max, n_species = layout[0], layout[1], layout[2]
    n_lm = (l_max + 1) * (l_max + 1)
    n_rad = (l_max + 1) * n_max
    widest = _widest(begin, end, first_i)
    pair = np.empty(widest, np.int64)
    bounds = np.empty(n_species + 1, np.int64)
    ux, uy, uz, r = np.empty(widest), np.empty(widest), np.empty(widest), np.empty(widest)
    q_np = np.empty(((l_max + 1) * (l_max + 2) // 2, widest))
    cos_mp, sin_mp = np.empty((l_max + 1, widest)), np.empty((l_max + 1, widest))
    y_kp = np.empty((n_lm, widest))
    dy_ckp = np.empty((3, n_lm, widest))
    rad, drad = np.empty(n_rad), np.empty(n_rad)
    dcn = np.empty((n_lm, n_max))
    n_channels = c_iku.shape[2]
    gram = np.empty((n_max, n_channels))
    p0 = first_i[begin]
    unit = np.empty(3)
    for i in range(begin, end):
        c = c_iku[i - begin]
        lo, hi = first_i[i], first_i[i + 1]
        for p in range(lo, hi):
            dx_pcd[p - p0, :, :] = 0.0
        count = _collect(
            lo, hi, r_pc, species_p, n_species, cutoff, bounds, pair, ux, uy, uz, r
        )  # fmt: skip
        harmonics(l_max, factor, ux, uy, uz, count, q_np, cos_mp, sin_mp, y_kp)
        harmonics_gradient(l_max, factor, ux, uy, uz, count, q_np, cos_mp, sin_mp, dy_ckp)
        for s in range(n_species):
            w = weights[s]
            for q in range(bounds[s], bounds[s + 1]):
                radial_gradient(coef, inv_h, r[q], rad, drad)
                inv = 1.0 / r[q]
                unit[0], unit[1], unit[2] = ux[q], uy[q], uz[q]
                for a in range(3):
                    for l in range(l_max + 1):
                        j0 = l * n_max
                        for k in range(l * l, (l + 1) * (l + 1)):
                            y = w * y_kp[k, q] * unit[a]
                            # u . grad S = l S on the unit sphere (Euler), hence the projection.
                            dy = inv * (w * dy_ckp[a, k, q] - l * y)
                            for n in range(n_max):
                                dcn[k, n] = drad[j0 + n] * y + rad[j0 + n] * dy
                    dx = dx_pcd[pair[q] - p0, a]
                    for b in range(blocks.shape[0]):
                        a0, na, b0, nb, symmetric = (
                            blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
                        )  # fmt: skip
                        in_a, in_b = reach[s, b, 0], reach[s, b, 1]
                        for l in range(l_max + 1):
                            at = blocks[b, 5] + l * na * nb
                            if in_a >= 0:
                                _gram(dcn, c, l, n_max, b0, nb, gram)
                                for n in range(n_max):
                                    row = at + (in_a + n) * nb
                                    for v in range(nb):
                                        dx[index[row + v]] += gram[n, v]
                                    if symmetric:
                                        dx[index[row + in_a + n]] += gram[n, in_a + n]
                            if in_b >= 0 and not symmetric:
                                _gram(dcn, c, l, n_max, a0, na, gram)
                                for n in range(n_max):
                                    for u in range(na):
                                        dx[index[at + u * nb + in_b + n]] += gram[n, u]


@njit(cache=True, nogil=True, fastmath=FAST)
def _gram(dcn, c, l, n_max, start, length, gram):
    """gram[n, v] = sum_m dcn[k, n] c[k, start + v] for one l."""
    for n in range(n_max):
        for v in range(length):
            gram[n, v] = 0.0
    for k in range(l * l, (l + 1) * (l + 1)):
        for n in range(n_max):
            d = dcn[k, n]
            for v in range(length):
                gram[n, v] += d * c[k, start + v]
