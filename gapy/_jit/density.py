"""Density coefficients of a block of centres, and the way back from them to the neighbours.

    c_iku = sum_p w(species of p) R_ln(r_p) S_lm(r_p / |r_p|)

Names and layout as in `gapy._jit.soap`. Neighbours are taken eight at a time, those of one slot
after the other, so that their contributions meet in the same coefficients while these are in the
registers.

The radial functions of a neighbour may depend on both species, where densities are mixed:
`coef[table_ss[a, b]]` is the table of a neighbour of species b around a centre of species a.
"""

import numpy as np

from gapy._jit.aligned import aligned
from gapy._jit.harmonics import harmonics, harmonics_gradient, scratch
from gapy._jit.radial import radial, radial_gradient
from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, fma8, load8, scale8, splat8_at, store8, sum8, zero8


@njit(cache=True, nogil=True)
def next_eight(p, stop, r_pc, species_p, slots, slot, cutoff, pair_v, unit_cv, r_v):
    """Up to eight neighbours of one slot within the cutoff, from pair p on: (count, next pair).

    Empty lanes point along z, which every later step can digest.
    """
    n = 0
    cut2 = cutoff * cutoff
    while p < stop and n < LANES:
        if slots[species_p[p]] != slot:
            p += 1
            continue
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
    l_max, n_pad, n_summed, sum_slot = layout[0], layout[1], layout[2], layout[3]
    n_channels = c_iku.shape[2]
    q_av, cos_mv, sin_mv = scratch(l_max)
    y_kv = aligned((l_max + 1) * (l_max + 1) * LANES).reshape(-1, LANES)
    pair_v, unit_cv = np.empty(LANES, np.int64), aligned(3 * LANES).reshape(3, LANES)
    r_v = np.empty(LANES)
    rad_vj = aligned(LANES * (l_max + 1) * n_pad).reshape(LANES, -1)
    n_slots = n_channels // n_pad - (1 if sum_slot >= 0 else 0)
    for i in range(begin, end):
        c = c_iku[i - begin]
        c[:, :] = 0.0
        own = slots[species_i[i]] * n_pad
        for n in range(n_pad):
            c[0, own + n] = central_sn[species_i[i], n]
        for slot in range(n_slots):
            p, stop = first_i[i], first_i[i + 1]
            while p < stop:
                count, p = next_eight(
                    p, stop, r_pc, species_p, slots, slot, cutoff, pair_v, unit_cv, r_v
                )
                if count == 0:
                    break
                harmonics(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, y_kv)
                for v in range(count):
                    s = species_p[pair_v[v]]
                    radial(coef[table_ss[species_i[i], s]], inv_h, r_v[v], rad_vj[v])
                    _scale(weights[s], rad_vj[v])
                rad_vj[count:, :] = 0.0
                for v in range(0, count, 4):
                    _deposit_four(v, l_max, n_pad, slot * n_pad, y_kv, rad_vj, c)
        if sum_slot >= 0:
            for k in range(c.shape[0]):
                for s in range(n_summed):
                    for n in range(n_pad):
                        c[k, sum_slot * n_pad + n] += c[k, s * n_pad + n]


@njit(cache=True, nogil=True)
def _scale(weight, rad_j):
    if weight != 1.0:
        for j in range(0, rad_j.shape[0], LANES):
            store8(rad_j, j, scale8(weight, load8(rad_j, j)))


@njit(cache=True, nogil=True, fastmath=FAST)
def _deposit_four(v, l_max, n_pad, at, y_kv, rad_vj, c):
    """c[k, at + n] += sum of Y_k R_ln over neighbours v to v + 3."""
    n_channels, width = c.shape[1], rad_vj.shape[1]
    for l in range(l_max + 1):
        for n in range(0, n_pad, LANES):
            j = v * width + l * n_pad + n
            r0, r1 = load8(rad_vj, j), load8(rad_vj, j + width)
            r2, r3 = load8(rad_vj, j + 2 * width), load8(rad_vj, j + 3 * width)
            for k in range(l * l, (l + 1) * (l + 1)):
                y, here = k * LANES + v, k * n_channels + at + n
                first = fma8(splat8_at(y_kv, y), r0, load8(c, here))
                second = fma8(splat8_at(y_kv, y + 1), r1, first)
                third = fma8(splat8_at(y_kv, y + 2), r2, second)
                store8(c, here, fma8(splat8_at(y_kv, y + 3), r3, third))


@njit(cache=True, nogil=True, fastmath=FAST)
def expand_backward(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights,
    table_ss, coef, inv_h, factor, dc_iku, g_pc,
):  # fmt: skip
    """dE/dr_p of every neighbour vector of centres begin..end-1 into g_pc (zero beyond cutoff).

    With H = dE/dc: dE/dr = u sum R' Y H + (1 - u u^T)/|r| sum R (grad S) H, u = r/|r|: the
    angular part of the gradient of S(r/|r|) is the projected gradient of S over |r|.
    """
    l_max, n_pad, sum_slot = layout[0], layout[1], layout[3]
    n_slots = dc_iku.shape[2] // n_pad - (1 if sum_slot >= 0 else 0)
    q_av, cos_mv, sin_mv = scratch(l_max)
    n_lm = (l_max + 1) * (l_max + 1)
    y_kv = aligned(n_lm * LANES).reshape(n_lm, LANES)
    dy_kcv = aligned(n_lm * 3 * LANES).reshape(n_lm, 3, LANES)
    pair_v, unit_cv = np.empty(LANES, np.int64), aligned(3 * LANES).reshape(3, LANES)
    r_v = np.empty(LANES)
    rad_vj = aligned(LANES * (l_max + 1) * n_pad).reshape(LANES, -1)
    drad_vj = aligned(LANES * (l_max + 1) * n_pad).reshape(LANES, -1)
    rad_vj[:, :], drad_vj[:, :] = 0.0, 0.0
    sums_vav = aligned(LANES * 4 * LANES).reshape(LANES, 4, LANES)
    for i in range(begin, end):
        dc = dc_iku[i - begin]
        g_pc[first_i[i] : first_i[i + 1], :] = 0.0
        for slot in range(n_slots):
            p, stop = first_i[i], first_i[i + 1]
            while p < stop:
                count, p = next_eight(
                    p, stop, r_pc, species_p, slots, slot, cutoff, pair_v, unit_cv, r_v
                )
                if count == 0:
                    break
                harmonics(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, y_kv)
                harmonics_gradient(l_max, factor, unit_cv, q_av, cos_mv, sin_mv, dy_kcv)
                for v in range(count):
                    s = species_p[pair_v[v]]
                    table = coef[table_ss[species_i[i], s]]
                    radial_gradient(table, inv_h, r_v[v], rad_vj[v], drad_vj[v])
                # Lanes beyond the last neighbour have old radial parts; their sums are not used.
                for v in range(0, count, 2):
                    _contract_two(
                        v, l_max, n_pad, slot * n_pad, rad_vj, drad_vj, y_kv, dy_kcv, dc, sums_vav
                    )
                for v in range(count):
                    at = 4 * v * LANES
                    along = sum8(load8(sums_vav, at))
                    inv, w = 1.0 / r_v[v], weights[species_p[pair_v[v]]]
                    fx = inv * sum8(load8(sums_vav, at + LANES))
                    fy = inv * sum8(load8(sums_vav, at + 2 * LANES))
                    fz = inv * sum8(load8(sums_vav, at + 3 * LANES))
                    ux, uy, uz = unit_cv[0, v], unit_cv[1, v], unit_cv[2, v]
                    radial_part = along - (fx * ux + fy * uy + fz * uz)
                    g_pc[pair_v[v], 0] = w * (radial_part * ux + fx)
                    g_pc[pair_v[v], 1] = w * (radial_part * uy + fy)
                    g_pc[pair_v[v], 2] = w * (radial_part * uz + fz)


@njit(cache=True, nogil=True, fastmath=FAST)
def _contract_two(v, l_max, n_pad, at, rad_vj, drad_vj, y_kv, dy_kcv, dc, sums_vav):
    """Sums over k and n, n of one vector in the lanes, for neighbours v and v + 1.

    sums_vav[v]: R' Y H and the three of R (grad Y) H. With one neighbour at a time the loop waits
    for its own additions.
    """
    n_channels, width = dc.shape[1], rad_vj.shape[1]
    along0, x0, y0, z0 = zero8(), zero8(), zero8(), zero8()
    along1, x1, y1, z1 = zero8(), zero8(), zero8(), zero8()
    for l in range(l_max + 1):
        for n in range(0, n_pad, LANES):
            h0, hx0, hy0, hz0 = zero8(), zero8(), zero8(), zero8()
            h1, hx1, hy1, hz1 = zero8(), zero8(), zero8(), zero8()
            for k in range(l * l, (l + 1) * (l + 1)):
                h = load8(dc, k * n_channels + at + n)
                y, dy = k * LANES + v, 3 * k * LANES + v
                h0 = fma8(splat8_at(y_kv, y), h, h0)
                hx0 = fma8(splat8_at(dy_kcv, dy), h, hx0)
                hy0 = fma8(splat8_at(dy_kcv, dy + LANES), h, hy0)
                hz0 = fma8(splat8_at(dy_kcv, dy + 2 * LANES), h, hz0)
                h1 = fma8(splat8_at(y_kv, y + 1), h, h1)
                hx1 = fma8(splat8_at(dy_kcv, dy + 1), h, hx1)
                hy1 = fma8(splat8_at(dy_kcv, dy + LANES + 1), h, hy1)
                hz1 = fma8(splat8_at(dy_kcv, dy + 2 * LANES + 1), h, hz1)
            j = v * width + l * n_pad + n
            value, slope = load8(rad_vj, j), load8(drad_vj, j)
            along0 = fma8(slope, h0, along0)
            x0, y0, z0 = fma8(value, hx0, x0), fma8(value, hy0, y0), fma8(value, hz0, z0)
            value, slope = load8(rad_vj, j + width), load8(drad_vj, j + width)
            along1 = fma8(slope, h1, along1)
            x1, y1, z1 = fma8(value, hx1, x1), fma8(value, hy1, y1), fma8(value, hz1, z1)
    store_four(sums_vav, 4 * v * LANES, along0, x0, y0, z0)
    store_four(sums_vav, 4 * (v + 1) * LANES, along1, x1, y1, z1)


@njit(cache=True, nogil=True)
def store_four(out, at, first, second, third, fourth):
    """Four vectors, one after the other."""
    store8(out, at, first)
    store8(out, at + LANES, second)
    store8(out, at + 2 * LANES, third)
    store8(out, at + 3 * LANES, fourth)
