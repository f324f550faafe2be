"""SOAP of a block of centres: neighbours -> c_nlm -> power spectrum, and the reverse.

Array suffixes: i centre in the block, p neighbour pair, c Cartesian, k = l*l + l + m,
u, v channels, d descriptor component, last axis of eight lanes v in harmonics.

    c_iku = sum_p w(species of p) R_ln(r_p) S_lm(r_p / |r_p|)

with the weighting function, the normalisation of the density and the square root of the power
spectrum's prefactor in the radial table R. A channel u is a species slot times the padded n_max
plus n; padding to eight lets every innermost loop be one vector operation. With mu1nu1
compression a last "sum" slot holds the sum over species.

Power spectrum: for each block of channel pairs (u in A, v in B) and each l

    x_d = sum_m c_ku c_kv,   d = index[l, u, v]  (-1: padding).

Symmetric blocks (A = B) hold every unordered pair once.

The radial functions of a neighbour may depend on both species, where densities are mixed:
`coef[table_ss[a, b]]` is the table of a neighbour of species b around a centre of species a.

`blocks` rows: a0, a_len, b0, b_len, symmetric, offset of the block's index map.
`layout`: l_max, padded n_max, number of species, sum slot (-1: none).
"""

import numpy as np

from gapy._jit.harmonics import harmonics, harmonics_gradient, scratch
from gapy._jit.radial import radial, radial_gradient
from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, axpy8, fma8, load8, scale8, store8, sum8, zero8


@njit(cache=True, nogil=True)
def next_eight(p, stop, r_pc, cutoff, pair_v, unit_cv, r_v):
    """Up to eight neighbours within the cutoff, from pair p on; returns (count, next pair).

    Empty lanes point along z, which every later step can digest.
    """
    n = 0
    cut2 = cutoff * cutoff
    while p < stop and n < LANES:
        x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
        d2 = x * x + y * y + z * z
        if d2 < cut2:
            d = np.sqrt(d2)
            unit_cv[0, n], unit_cv[1, n], unit_cv[2, n] = x / d, y / d, z / d
            r_v[n] = d
            pair_v[n] = p
            n += 1
        p += 1
    for v in range(n, LANES):
        unit_cv[0, v], unit_cv[1, v], unit_cv[2, v] = 0.0, 0.0, 1.0
    return n, p


@njit(cache=True, nogil=True, fastmath=FAST)
def expand(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights, central_sn,
    table_ss, coef, inv_h, factor, c_iku,
):  # fmt: skip
    """Density coefficients c_iku of centres begin..end-1 (c_iku[i - begin])."""
    l_max, n_pad, n_species, sum_slot = layout[0], layout[1], layout[2], layout[3]
    n_channels = c_iku.shape[2]
    q_av, cos_mv, sin_mv = scratch(l_max)
    y_kv = np.empty(((l_max + 1) * (l_max + 1), LANES))
    pair_v, unit_cv, r_v = np.empty(LANES, np.int64), np.empty((3, LANES)), np.empty(LANES)
    rad = np.empty((l_max + 1) * n_pad)
    for i in range(begin, end):
        c = c_iku[i - begin]
        c[:, :] = 0.0
        own = slots[species_i[i]] * n_pad
        for n in range(n_pad):
            c[0, own + n] = central_sn[species_i[i], n]
        p, stop = first_i[i], first_i[i + 1]
        while p < stop:
            count, p = next_eight(p, stop, r_pc, cutoff, pair_v, unit_cv, r_v)
            if count == 0:
                break
            harmonics(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, y_kv)
            for v in range(count):
                s = species_p[pair_v[v]]
                radial(coef[table_ss[species_i[i], s]], inv_h, r_v[v], rad)
                for n0 in range(0, n_pad, LANES):
                    at = slots[s] * n_pad + n0
                    for l in range(l_max + 1):
                        radial_n = scale8(weights[s], load8(rad, l * n_pad + n0))
                        for k in range(l * l, (l + 1) * (l + 1)):
                            here = k * n_channels + at
                            store8(c, here, axpy8(y_kv[k, v], radial_n, load8(c, here)))
        if sum_slot >= 0:
            for k in range(c.shape[0]):
                for s in range(n_species):
                    for n in range(n_pad):
                        c[k, sum_slot * n_pad + n] += c[k, s * n_pad + n]


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum(c_iku, l_max, blocks, index, x_id):
    """x_id from c_iku."""
    n_channels = c_iku.shape[2]
    gram = np.empty(n_channels)
    for i in range(c_iku.shape[0]):
        c = c_iku[i]
        x = x_id[i]
        for b in range(blocks.shape[0]):
            a0, na, b0, nb, symmetric = (
                blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
            )  # fmt: skip
            for l in range(l_max + 1):
                at = blocks[b, 5] + l * na * nb
                for u in range(na):
                    first = u if symmetric else 0
                    for v0 in range(first - first % LANES, nb, LANES):
                        total = zero8()
                        for k in range(l * l, (l + 1) * (l + 1)):
                            total = axpy8(c[k, a0 + u], load8(c, k * n_channels + b0 + v0), total)
                        store8(gram, v0, total)
                    for v in range(first, nb):
                        d = index[at + u * nb + v]
                        if d >= 0:
                            x[d] = gram[v]


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum_backward(g_id, c_iku, layout, blocks, index, dc_iku):
    """dE/dc from dE/dx (g_id); the sum slot's share is passed on to its species."""
    l_max, n_pad, n_species, sum_slot = layout[0], layout[1], layout[2], layout[3]
    n_channels = c_iku.shape[2]
    h_uv = np.empty((n_channels, n_channels))
    h_vu = np.empty((n_channels, n_channels))
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
                        d = index[at + u * nb + v]
                        h_uv[u, v] = g[d] if d >= 0 else 0.0
                    if symmetric:
                        h_uv[u, u] *= 2.0
                _apply(c, h_uv, l, a0, na, b0, nb, dc)
                if not symmetric:
                    for u in range(na):
                        for v in range(nb):
                            h_vu[v, u] = h_uv[u, v]
                    _apply(c, h_vu, l, b0, nb, a0, na, dc)
        if sum_slot >= 0:
            for k in range(c.shape[0]):
                for s in range(n_species):
                    for n in range(n_pad):
                        dc[k, s * n_pad + n] += dc[k, sum_slot * n_pad + n]


@njit(cache=True, nogil=True, fastmath=FAST)
def _apply(c, h, l, u0, nu, v0, nv, out):
    """out[k, v0 + v] += sum_u c[k, u0 + u] h[u, v] for the orders k of one l."""
    width, n_channels = h.shape[1], c.shape[1]
    for k in range(l * l, (l + 1) * (l + 1)):
        for v in range(0, nv, LANES):
            here = k * n_channels + v0 + v
            total = load8(out, here)
            for u in range(nu):
                total = axpy8(c[k, u0 + u], load8(h, u * width + v), total)
            store8(out, here, total)


@njit(cache=True, nogil=True, fastmath=FAST)
def expand_backward(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights,
    table_ss, coef, inv_h, factor, dc_iku, g_pc,
):  # fmt: skip
    """dE/dr_p of every neighbour vector of centres begin..end-1 into g_pc (zero beyond cutoff).

    With H = dE/dc: dE/dr = u sum R' Y H + (1 - u u^T)/|r| sum R (grad S) H, u = r/|r|: the
    angular part of the gradient of S(r/|r|) is the projected gradient of S over |r|.
    """
    l_max, n_pad = layout[0], layout[1]
    n_channels = dc_iku.shape[2]
    q_av, cos_mv, sin_mv = scratch(l_max)
    n_lm = (l_max + 1) * (l_max + 1)
    y_kv, dy_kcv = np.empty((n_lm, LANES)), np.empty((n_lm, 3, LANES))
    pair_v, unit_cv, r_v = np.empty(LANES, np.int64), np.empty((3, LANES)), np.empty(LANES)
    rad, drad = np.empty((l_max + 1) * n_pad), np.empty((l_max + 1) * n_pad)
    for i in range(begin, end):
        dc = dc_iku[i - begin]
        p, stop = first_i[i], first_i[i + 1]
        g_pc[p:stop, :] = 0.0
        while p < stop:
            count, p = next_eight(p, stop, r_pc, cutoff, pair_v, unit_cv, r_v)
            if count == 0:
                break
            harmonics(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, y_kv)
            harmonics_gradient(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, dy_kcv)
            for v in range(count):
                s = species_p[pair_v[v]]
                radial_gradient(coef[table_ss[species_i[i], s]], inv_h, r_v[v], rad, drad)
                along, gx, gy, gz = zero8(), zero8(), zero8(), zero8()
                for n0 in range(0, n_pad, LANES):
                    at = slots[s] * n_pad + n0
                    for l in range(l_max + 1):
                        h0, hx, hy, hz = zero8(), zero8(), zero8(), zero8()
                        for k in range(l * l, (l + 1) * (l + 1)):
                            h = load8(dc, k * n_channels + at)
                            h0 = axpy8(y_kv[k, v], h, h0)
                            hx = axpy8(dy_kcv[k, 0, v], h, hx)
                            hy = axpy8(dy_kcv[k, 1, v], h, hy)
                            hz = axpy8(dy_kcv[k, 2, v], h, hz)
                        value = load8(rad, l * n_pad + n0)
                        along = fma8(load8(drad, l * n_pad + n0), h0, along)
                        gx = fma8(value, hx, gx)
                        gy = fma8(value, hy, gy)
                        gz = fma8(value, hz, gz)
                ux, uy, uz = unit_cv[0, v], unit_cv[1, v], unit_cv[2, v]
                inv, w = 1.0 / r_v[v], weights[s]
                fx, fy, fz = inv * sum8(gx), inv * sum8(gy), inv * sum8(gz)
                radial_part = sum8(along) - (fx * ux + fy * uy + fz * uz)
                g_pc[pair_v[v], 0] = w * (radial_part * ux + fx)
                g_pc[pair_v[v], 1] = w * (radial_part * uy + fy)
                g_pc[pair_v[v], 2] = w * (radial_part * uz + fz)


@njit(cache=True, nogil=True, fastmath=FAST)
def spectrum_derivatives(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights, reach,
    table_ss, coef, inv_h, factor, c_iku, blocks, index, dx_pcd,
):  # fmt: skip
    """d x_i / d r_p of every neighbour vector of centres begin..end-1.

    dx_pcd is indexed by p - first_i[begin]. `reach[s, block, side]` is where a neighbour of
    species s enters the block's channel range A (side 0) or B (side 1), or -1.
    """
    l_max, n_pad = layout[0], layout[1]
    q_av, cos_mv, sin_mv = scratch(l_max)
    n_lm = (l_max + 1) * (l_max + 1)
    y_kv, dy_kcv = np.empty((n_lm, LANES)), np.empty((n_lm, 3, LANES))
    pair_v, unit_cv, r_v = np.empty(LANES, np.int64), np.empty((3, LANES)), np.empty(LANES)
    rad, drad = np.empty((l_max + 1) * n_pad), np.empty((l_max + 1) * n_pad)
    dc_kn = np.empty((n_lm, n_pad))
    gram_vn = np.empty((c_iku.shape[2], n_pad))
    p0 = first_i[begin]
    for i in range(begin, end):
        c = c_iku[i - begin]
        p, stop = first_i[i], first_i[i + 1]
        dx_pcd[p - p0 : stop - p0, :, :] = 0.0
        while p < stop:
            count, p = next_eight(p, stop, r_pc, cutoff, pair_v, unit_cv, r_v)
            if count == 0:
                break
            harmonics(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, y_kv)
            harmonics_gradient(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, dy_kcv)
            for v in range(count):
                s = species_p[pair_v[v]]
                radial_gradient(coef[table_ss[species_i[i], s]], inv_h, r_v[v], rad, drad)
                w, inv = weights[s], 1.0 / r_v[v]
                for a in range(3):
                    for l in range(l_max + 1):
                        for k in range(l * l, (l + 1) * (l + 1)):
                            y = w * y_kv[k, v] * unit_cv[a, v]
                            # u . grad S = l S on the unit sphere (Euler), hence the projection.
                            dy = inv * (w * dy_kcv[k, a, v] - l * y)
                            for n0 in range(0, n_pad, LANES):
                                j = l * n_pad + n0
                                angular = scale8(dy, load8(rad, j))
                                store8(dc_kn, k * n_pad + n0, axpy8(y, load8(drad, j), angular))
                    dx = dx_pcd[pair_v[v] - p0, a]
                    for b in range(blocks.shape[0]):
                        a0, na, b0, nb, symmetric = (
                            blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
                        )  # fmt: skip
                        in_a, in_b = reach[s, b, 0], reach[s, b, 1]
                        for l in range(l_max + 1):
                            at = blocks[b, 5] + l * na * nb
                            if in_a >= 0:
                                _gram(dc_kn, c, l, b0, nb, gram_vn)
                                _add_rows(gram_vn, index, at, in_a, n_pad, nb, symmetric, dx)
                            if in_b >= 0 and not symmetric:
                                _gram(dc_kn, c, l, a0, na, gram_vn)
                                _add_columns(gram_vn, index, at, in_b, n_pad, na, nb, dx)


@njit(cache=True, nogil=True, fastmath=FAST)
def _gram(dc_kn, c, l, start, length, gram_vn):
    """gram[v, n] = sum_m c[k, start + v] dc[k, n] for one l."""
    n_pad = dc_kn.shape[1]
    for v in range(length):
        for n0 in range(0, n_pad, LANES):
            total = zero8()
            for k in range(l * l, (l + 1) * (l + 1)):
                total = axpy8(c[k, start + v], load8(dc_kn, k * n_pad + n0), total)
            store8(gram_vn, v * n_pad + n0, total)


@njit(cache=True, nogil=True)
def _add_rows(gram_vn, index, at, row0, n_pad, nb, symmetric, dx):
    """Add gram to the components (row0 + n, v); a diagonal one of a square counts twice."""
    for n in range(n_pad):
        here = at + (row0 + n) * nb
        for v in range(nb):
            d = index[here + v]
            if d >= 0:
                dx[d] += gram_vn[v, n]
        if symmetric and index[here + row0 + n] >= 0:
            dx[index[here + row0 + n]] += gram_vn[row0 + n, n]


@njit(cache=True, nogil=True)
def _add_columns(gram_vn, index, at, column0, n_pad, na, nb, dx):
    """Add gram to the components (u, column0 + n)."""
    for u in range(na):
        for n in range(n_pad):
            d = index[at + u * nb + column0 + n]
            if d >= 0:
                dx[d] += gram_vn[u, n]
