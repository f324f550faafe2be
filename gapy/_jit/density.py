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
from gapy._jit.vector import (
    LANES,
    fma8,
    load8,
    mul8,
    scale8,
    splat8_at,
    store8,
    sum8,
    transpose8,
    zero8,
)

FEW = 4
"""Neighbours for which two at a time take less time than eight together."""


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
    q_av, cos_mv, sin_mv = scratch(l_max, coef)
    y_kv = aligned((l_max + 1) * (l_max + 1) * LANES, coef).reshape(-1, LANES)
    pair_v, unit_cv = np.empty(LANES, np.int64), aligned(3 * LANES, coef).reshape(3, LANES)
    r_v = np.empty(LANES)
    width = (l_max + 1) * n_pad
    rad_vj = aligned(LANES * width, coef).reshape(LANES, -1)
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
                    radial(coef, table_ss[species_i[i], s], inv_h, r_v[v], rad_vj, v * width)
                    _scale(weights[s], rad_vj, v * width, width)
                for j in range(count * width, LANES * width, LANES):
                    store8(rad_vj, j, zero8(rad_vj))
                for v in range(0, count, 4):
                    _deposit_four(v, l_max, n_pad, slot * n_pad, y_kv, rad_vj, c)
        if sum_slot >= 0:
            for k in range(c.shape[0]):
                for s in range(n_summed):
                    for n in range(n_pad):
                        c[k, sum_slot * n_pad + n] += c[k, s * n_pad + n]


@njit(cache=True, nogil=True)
def _scale(weight, rad_vj, at, width):
    if weight != 1.0:
        for j in range(at, at + width, LANES):
            store8(rad_vj, j, scale8(weight, load8(rad_vj, j)))


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
    q_av, cos_mv, sin_mv = scratch(l_max, coef)
    n_lm = (l_max + 1) * (l_max + 1)
    y_kv = aligned(n_lm * LANES, coef).reshape(n_lm, LANES)
    dy_kcv = aligned(n_lm * 3 * LANES, coef).reshape(n_lm, 3, LANES)
    pair_v, unit_cv = np.empty(LANES, np.int64), aligned(3 * LANES, coef).reshape(3, LANES)
    r_v = np.empty(LANES)
    width = (l_max + 1) * n_pad
    rad_vj = aligned(LANES * width, coef).reshape(LANES, -1)
    drad_vj = aligned(LANES * width, coef).reshape(LANES, -1)
    rad_vj[:, :], drad_vj[:, :] = 0.0, 0.0
    sums_vav = aligned(LANES * 4 * LANES, coef).reshape(LANES, 4, LANES)
    turned, sums_av = aligned(2 * LANES * LANES, coef), aligned(4 * LANES, coef).reshape(4, LANES)
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
                    table = table_ss[species_i[i], s]
                    radial_gradient(coef, table, inv_h, r_v[v], rad_vj, drad_vj, v * width)
                # Lanes beyond the last neighbour have old radial parts; their sums are not used.
                if count > FEW:
                    _contract_eight(
                        l_max, n_pad, slot * n_pad, rad_vj, drad_vj, y_kv, dy_kcv, dc, turned,
                        sums_av,
                    )  # fmt: skip
                else:
                    for v in range(0, count, 2):
                        _contract_two(
                            v, l_max, n_pad, slot * n_pad, rad_vj, drad_vj, y_kv, dy_kcv, dc,
                            sums_vav,
                        )  # fmt: skip
                    for v in range(count):
                        for a in range(4):
                            sums_av[a, v] = sum8(load8(sums_vav, (4 * v + a) * LANES))
                for v in range(count):
                    inv, w = 1.0 / r_v[v], weights[species_p[pair_v[v]]]
                    fx, fy, fz = inv * sums_av[1, v], inv * sums_av[2, v], inv * sums_av[3, v]
                    ux, uy, uz = unit_cv[0, v], unit_cv[1, v], unit_cv[2, v]
                    radial_part = sums_av[0, v] - (fx * ux + fy * uy + fz * uz)
                    g_pc[pair_v[v], 0] = w * (radial_part * ux + fx)
                    g_pc[pair_v[v], 1] = w * (radial_part * uy + fy)
                    g_pc[pair_v[v], 2] = w * (radial_part * uz + fz)


@njit(cache=True, nogil=True, fastmath=FAST)
def _contract_eight(l_max, n_pad, at, rad_vj, drad_vj, y_kv, dy_kcv, dc, turned, sums_av):
    """Sums over n and k, eight neighbours in the lanes: R' Y H and the three of R (grad Y) H.

    The sums over n come first: for each k they cost two operations for eight neighbours, and what
    is left of the harmonics one for each of the four sums.
    """
    n_channels, width = dc.shape[1], rad_vj.shape[1]
    along, x, y, z = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    half = LANES * LANES
    for l in range(l_max + 1):
        for n in range(0, n_pad, LANES):
            transpose8(rad_vj, l * n_pad + n, width, turned, 0)
            transpose8(drad_vj, l * n_pad + n, width, turned, half)
            r0, r1 = load8(turned, 0), load8(turned, LANES)
            r2, r3 = load8(turned, 2 * LANES), load8(turned, 3 * LANES)
            r4, r5 = load8(turned, 4 * LANES), load8(turned, 5 * LANES)
            r6, r7 = load8(turned, 6 * LANES), load8(turned, 7 * LANES)
            d0, d1 = load8(turned, half), load8(turned, half + LANES)
            d2, d3 = load8(turned, half + 2 * LANES), load8(turned, half + 3 * LANES)
            d4, d5 = load8(turned, half + 4 * LANES), load8(turned, half + 5 * LANES)
            d6, d7 = load8(turned, half + 6 * LANES), load8(turned, half + 7 * LANES)
            for k in range(l * l, (l + 1) * (l + 1)):
                here = k * n_channels + at + n
                h0, h1 = splat8_at(dc, here), splat8_at(dc, here + 1)
                h2, h3 = splat8_at(dc, here + 2), splat8_at(dc, here + 3)
                h4, h5 = splat8_at(dc, here + 4), splat8_at(dc, here + 5)
                h6, h7 = splat8_at(dc, here + 6), splat8_at(dc, here + 7)
                q = fma8(h3, r3, fma8(h2, r2, fma8(h1, r1, mul8(h0, r0))))
                q = fma8(h7, r7, fma8(h6, r6, fma8(h5, r5, fma8(h4, r4, q))))
                s = fma8(h3, d3, fma8(h2, d2, fma8(h1, d1, mul8(h0, d0))))
                s = fma8(h7, d7, fma8(h6, d6, fma8(h5, d5, fma8(h4, d4, s))))
                along = fma8(s, load8(y_kv, k * LANES), along)
                x = fma8(q, load8(dy_kcv, 3 * k * LANES), x)
                y = fma8(q, load8(dy_kcv, (3 * k + 1) * LANES), y)
                z = fma8(q, load8(dy_kcv, (3 * k + 2) * LANES), z)
    store_four(sums_av, 0, along, x, y, z)


@njit(cache=True, nogil=True, fastmath=FAST)
def _contract_two(v, l_max, n_pad, at, rad_vj, drad_vj, y_kv, dy_kcv, dc, sums_vav):
    """Sums over k and n, n of one vector in the lanes, for neighbours v and v + 1.

    sums_vav[v]: R' Y H and the three of R (grad Y) H. With one neighbour at a time the loop waits
    for its own additions.
    """
    n_channels, width = dc.shape[1], rad_vj.shape[1]
    along0, x0, y0, z0 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    along1, x1, y1, z1 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    for l in range(l_max + 1):
        for n in range(0, n_pad, LANES):
            h0, hx0, hy0, hz0 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
            h1, hx1, hy1, hz1 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
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
