"""Reverse pass of SOAP for eight right-hand sides at once: the members of a committee.

As in `gapy._jit.soap`, but the lanes hold members instead of channels: last axis v of eight. The
neighbours, radial tables and harmonics, which all members share, are evaluated once, and the sum
over channels comes first, which for several members is the cheaper order (two products per
(k, n) instead of four).
"""

import numpy as np

from gapy._jit.aligned import aligned
from gapy._jit.density import next_eight, store_four
from gapy._jit.harmonics import harmonics, harmonics_gradient, scratch
from gapy._jit.radial import radial_gradient
from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, axpy8, fma8, load8, scale8, splat8_at, store8, zero8


@njit(cache=True, nogil=True, fastmath=FAST)
def tangent_members(g_vid, x_id, inv_norm_i, zeta, eps_iv, out_idv):
    """dE/dx from dE/dxh for each member, members moved to the last axis: see `tangent`."""
    for i in range(x_id.shape[0]):
        for d in range(x_id.shape[1]):
            for v in range(g_vid.shape[0]):
                along = zeta * eps_iv[i, v] * x_id[i, d]
                out_idv[i, d, v] = (g_vid[v, i, d] - along) * inv_norm_i[i]
            for v in range(g_vid.shape[0], LANES):
                out_idv[i, d, v] = 0.0


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum_backward_members(g_idv, c_iku, layout, blocks, index, dc_ikuv):
    """dE/dc (b, k, u, 8) from dE/dx (b, D, 8); the sum slot's share is passed on to its species."""
    l_max, n_pad, n_summed, sum_slot = layout[0], layout[1], layout[2], layout[3]
    n_features, n_channels = g_idv.shape[1], c_iku.shape[2]
    for i in range(c_iku.shape[0]):
        c = c_iku[i]
        dc = dc_ikuv[i]
        dc[:, :, :] = 0.0
        for b in range(blocks.shape[0]):
            a0, na, b0, nb, symmetric = (
                blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
            )  # fmt: skip
            for l in range(l_max + 1):
                at = blocks[b, 5] + l * na * nb
                for u in range(na):
                    # A symmetric block holds (u, v) and (v, u) under one index.
                    for v in range(u if symmetric else 0, nb):
                        d = index[at + u * nb + v]
                        if d < 0:
                            continue
                        g = load8(g_idv, (i * n_features + d) * LANES)
                        for k in range(l * l, (l + 1) * (l + 1)):
                            to_u = (k * n_channels + a0 + u) * LANES
                            to_v = (k * n_channels + b0 + v) * LANES
                            store8(dc, to_u, axpy8(c[k, b0 + v], g, load8(dc, to_u)))
                            store8(dc, to_v, axpy8(c[k, a0 + u], g, load8(dc, to_v)))
        if sum_slot >= 0:
            for k in range(c.shape[0]):
                for s in range(n_summed):
                    for n in range(n_pad):
                        for v in range(LANES):
                            dc[k, s * n_pad + n, v] += dc[k, sum_slot * n_pad + n, v]


@njit(cache=True, nogil=True, fastmath=FAST)
def expand_backward_members(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, n_max, slots, weights,
    table_ss, coef, inv_h, factor, dc_ikuv, g_pcv,
):  # fmt: skip
    """dE/dr_p (P, 3, 8) of the pairs of centres begin..end-1 into g_pcv; see `expand_backward`."""
    l_max, n_pad = layout[0], layout[1]
    q_av, cos_mv, sin_mv = scratch(l_max, coef)
    n_lm, width = (l_max + 1) * (l_max + 1), (l_max + 1) * n_pad
    y_kv = aligned(n_lm * LANES, coef).reshape(n_lm, LANES)
    dy_kcv = aligned(n_lm * 3 * LANES, coef).reshape(n_lm, 3, LANES)
    pair_v, unit_cv = np.empty(LANES, np.int64), aligned(3 * LANES, coef).reshape(3, LANES)
    r_v = np.empty(LANES)
    rad, drad = np.zeros((LANES, width)), np.zeros((LANES, width))
    n_slots = dc_ikuv.shape[2] // n_pad - (1 if layout[3] >= 0 else 0)
    sums_jav = aligned(LANES * 4 * LANES, coef).reshape(LANES, 4, LANES)
    for i in range(begin, end):
        dc = dc_ikuv[i - begin]
        g_pcv[first_i[i] : first_i[i + 1], :, :] = 0.0
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
                for j in range(count):
                    s = species_p[pair_v[j]]
                    table, at = table_ss[species_i[i], s], j * rad.shape[1]
                    radial_gradient(coef, table, inv_h, r_v[j], rad, drad, at)
                # Lanes beyond the last neighbour repeat old tables; their sums are not used.
                for j in range(0, count, 4):
                    _contract_four(
                        j, l_max, n_pad, n_max, slot * n_pad, rad, drad, y_kv, dy_kcv, dc, sums_jav
                    )
                for j in range(count):
                    at = 4 * j * LANES
                    along, gx = load8(sums_jav, at), load8(sums_jav, at + LANES)
                    gy, gz = load8(sums_jav, at + 2 * LANES), load8(sums_jav, at + 3 * LANES)
                    ux, uy, uz = unit_cv[0, j], unit_cv[1, j], unit_cv[2, j]
                    w = weights[species_p[pair_v[j]]]
                    w_r = w / r_v[j]
                    gx, gy, gz = scale8(w_r, gx), scale8(w_r, gy), scale8(w_r, gz)
                    # What is left along r once the angular part is projected: w dE/dr - u . g.
                    radial_part = axpy8(-ux, gx, axpy8(-uy, gy, axpy8(-uz, gz, scale8(w, along))))
                    here = pair_v[j] * 3 * LANES
                    store8(g_pcv, here, axpy8(ux, radial_part, gx))
                    store8(g_pcv, here + LANES, axpy8(uy, radial_part, gy))
                    store8(g_pcv, here + 2 * LANES, axpy8(uz, radial_part, gz))


@njit(cache=True, nogil=True, fastmath=FAST)
def _contract_four(j, l_max, n_pad, n_max, first, rad, drad, y_kv, dy_kcv, dc, sums_jav):
    """Sums over channels and harmonics, of R' Y H and of R (grad Y) H, for neighbours j to j + 3.

    Four at a time: with fewer, the loop waits for its own additions.
    """
    n_channels, width = dc.shape[1], rad.shape[1]
    along0, x0, y0, z0 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    along1, x1, y1, z1 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    along2, x2, y2, z2 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    along3, x3, y3, z3 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
    for l in range(l_max + 1):
        r0 = j * width + l * n_pad
        r1, r2, r3 = r0 + width, r0 + 2 * width, r0 + 3 * width
        for k in range(l * l, (l + 1) * (l + 1)):
            value0, value1, value2, value3 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
            slope0, slope1, slope2, slope3 = zero8(dc), zero8(dc), zero8(dc), zero8(dc)
            here = (k * n_channels + first) * LANES
            for n in range(n_max):
                h = load8(dc, here + n * LANES)
                value0 = fma8(splat8_at(rad, r0 + n), h, value0)
                slope0 = fma8(splat8_at(drad, r0 + n), h, slope0)
                value1 = fma8(splat8_at(rad, r1 + n), h, value1)
                slope1 = fma8(splat8_at(drad, r1 + n), h, slope1)
                value2 = fma8(splat8_at(rad, r2 + n), h, value2)
                slope2 = fma8(splat8_at(drad, r2 + n), h, slope2)
                value3 = fma8(splat8_at(rad, r3 + n), h, value3)
                slope3 = fma8(splat8_at(drad, r3 + n), h, slope3)
            a, c = k * LANES + j, 3 * k * LANES + j
            along0 = fma8(splat8_at(y_kv, a), slope0, along0)
            x0 = fma8(splat8_at(dy_kcv, c), value0, x0)
            y0 = fma8(splat8_at(dy_kcv, c + LANES), value0, y0)
            z0 = fma8(splat8_at(dy_kcv, c + 2 * LANES), value0, z0)
            along1 = fma8(splat8_at(y_kv, a + 1), slope1, along1)
            x1 = fma8(splat8_at(dy_kcv, c + 1), value1, x1)
            y1 = fma8(splat8_at(dy_kcv, c + LANES + 1), value1, y1)
            z1 = fma8(splat8_at(dy_kcv, c + 2 * LANES + 1), value1, z1)
            along2 = fma8(splat8_at(y_kv, a + 2), slope2, along2)
            x2 = fma8(splat8_at(dy_kcv, c + 2), value2, x2)
            y2 = fma8(splat8_at(dy_kcv, c + LANES + 2), value2, y2)
            z2 = fma8(splat8_at(dy_kcv, c + 2 * LANES + 2), value2, z2)
            along3 = fma8(splat8_at(y_kv, a + 3), slope3, along3)
            x3 = fma8(splat8_at(dy_kcv, c + 3), value3, x3)
            y3 = fma8(splat8_at(dy_kcv, c + LANES + 3), value3, y3)
            z3 = fma8(splat8_at(dy_kcv, c + 2 * LANES + 3), value3, z3)
    store_four(sums_jav, 4 * j * LANES, along0, x0, y0, z0)
    store_four(sums_jav, 4 * (j + 1) * LANES, along1, x1, y1, z1)
    store_four(sums_jav, 4 * (j + 2) * LANES, along2, x2, y2, z2)
    store_four(sums_jav, 4 * (j + 3) * LANES, along3, x3, y3, z3)


@njit(cache=True, nogil=True)
def forces_from_pairs_members(atom_i, first_i, j_p, r_pc, g_pcv, forces_ncv, virial_ccv):
    """Add -dE/dr of every atom and dE/d(strain) for eight members; see `forces_from_pairs`."""
    for k in range(first_i.shape[0] - 1):
        i = atom_i[k]
        for p in range(first_i[k], first_i[k + 1]):
            j = j_p[p]
            for a in range(3):
                g = load8(g_pcv, (3 * p + a) * LANES)
                at_j, at_i = (3 * j + a) * LANES, (3 * i + a) * LANES
                store8(forces_ncv, at_j, axpy8(-1.0, g, load8(forces_ncv, at_j)))
                store8(forces_ncv, at_i, axpy8(1.0, g, load8(forces_ncv, at_i)))
                for b in range(3):
                    at = (3 * a + b) * LANES
                    store8(virial_ccv, at, axpy8(r_pc[p, b], g, load8(virial_ccv, at)))
