"""Derivatives of the power spectrum with respect to every neighbour: the rows of a fit.

Names and layout as in `gapy._jit.soap`.
"""

import numpy as np

from gapy._jit.density import next_eight
from gapy._jit.harmonics import harmonics, harmonics_gradient, scratch
from gapy._jit.radial import radial_gradient
from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, axpy8, load8, scale8, store8, zero8


@njit(cache=True, nogil=True, fastmath=FAST)
def spectrum_derivatives(
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights, met_sq,
    source_skd, table_ss, coef, inv_h, factor, c_iku, dx_pcd,
):  # fmt: skip
    """d x_i / d r_p of every neighbour vector of centres begin..end-1.

    dx_pcd is indexed by p - first_i[begin]. A neighbour's density is R_ln(r) Y_lm(u). What one of
    species s brings is met by the channels of each range met_sq[s, q] = (first, number); with

        Y_lv = w sum_m c_(l m) v Y_lm,   D_lva = w sum_m c_(l m) v dY_lm / du_a

    and u . dY_l / du = l Y_l (Euler), of which the part along u does not count, all products

        gram_q[l, v, n] = sum_m c_(l m)(first + v) dc_(l m) n / dr_a
                        = u_a Y_lv R'_ln + (D_lva - l u_a Y_lv) R_ln / r

    are written one range after the other, then a zero. Component d of dx is the sum over k of
    those at source_skd[s, k, d].
    """
    l_max, n_pad, sum_slot = layout[0], layout[1], layout[3]
    n_channels = c_iku.shape[2]
    n_slots = n_channels // n_pad - (1 if sum_slot >= 0 else 0)
    q_av, cos_mv, sin_mv = scratch(l_max, factor)
    n_lm = (l_max + 1) * (l_max + 1)
    y_kv, dy_kcv = np.empty((n_lm, LANES)), np.empty((n_lm, 3, LANES))
    pair_v, unit_cv, r_v = np.empty(LANES, np.int64), np.empty((3, LANES)), np.empty(LANES)
    rad, drad = np.empty((l_max + 1) * n_pad), np.empty((l_max + 1) * n_pad)
    met_alu = np.empty((4, l_max + 1, n_channels))
    gram = np.empty((l_max + 1) * met_sq[:, :, 1].sum(axis=1).max() * n_pad + 1)
    p0 = first_i[begin]
    for i in range(begin, end):
        c = c_iku[i - begin]
        dx_pcd[first_i[i] - p0 : first_i[i + 1] - p0, :, :] = 0.0
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
                    radial_gradient(coef, table_ss[species_i[i], s], inv_h, r_v[v], rad, drad, 0)
                    _met(c, y_kv, dy_kcv, v, l_max, met_alu)
                    for a in range(3):
                        along, across = weights[s] * unit_cv[a, v], weights[s] / r_v[v]
                        at = 0
                        for q in range(met_sq.shape[1]):
                            first, number = met_sq[s, q]
                            for l in range(l_max + 1):
                                for u in range(first, first + number):
                                    y = along * met_alu[3, l, u]
                                    dy = across * met_alu[a, l, u] - l / r_v[v] * y
                                    for n0 in range(l * n_pad, (l + 1) * n_pad, LANES):
                                        angular = scale8(dy, load8(rad, n0))
                                        store8(gram, at, axpy8(y, load8(drad, n0), angular))
                                        at += LANES
                        gram[at] = 0.0
                        _gather(gram, source_skd[s], dx_pcd[pair_v[v] - p0, a])


@njit(cache=True, nogil=True, fastmath=FAST)
def _met(c, y_kv, dy_kcv, v, l_max, met_alu):
    """sum_m c_(l m) u of dY_lm / du_a (a below 3) and of Y_lm (3) of the pair in lane v."""
    n_channels = c.shape[1]
    for l in range(l_max + 1):
        for u in range(0, n_channels, LANES):
            value, x, y, z = zero8(c), zero8(c), zero8(c), zero8(c)
            for k in range(l * l, (l + 1) * (l + 1)):
                c8 = load8(c, k * n_channels + u)
                value = axpy8(y_kv[k, v], c8, value)
                x = axpy8(dy_kcv[k, 0, v], c8, x)
                y = axpy8(dy_kcv[k, 1, v], c8, y)
                z = axpy8(dy_kcv[k, 2, v], c8, z)
            at, size = l * n_channels + u, (l_max + 1) * n_channels
            store8(met_alu, at, x)
            store8(met_alu, at + size, y)
            store8(met_alu, at + 2 * size, z)
            store8(met_alu, at + 3 * size, value)


@njit(cache=True, nogil=True, fastmath=FAST)
def _gather(gram, source_kd, dx):
    """dx_d = sum_k gram[source_kd]."""
    for d in range(dx.shape[0]):
        dx[d] = gram[source_kd[0, d]]
    for k in range(1, source_kd.shape[0]):
        for d in range(dx.shape[0]):
            dx[d] += gram[source_kd[k, d]]
