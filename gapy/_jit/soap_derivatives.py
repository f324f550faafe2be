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
    begin, end, first_i, species_i, r_pc, species_p, cutoff, layout, slots, weights, reach,
    table_ss, coef, inv_h, factor, c_iku, blocks, index, dx_pcd,
):  # fmt: skip
    """d x_i / d r_p of every neighbour vector of centres begin..end-1.

    dx_pcd is indexed by p - first_i[begin]. `reach[s, block, side]` is where the first channel of a
    neighbour of species s lies in the block's channel range A (side 0) or B (side 1); the range may
    begin after it, or hold none of its channels.
    """
    l_max, n_pad, sum_slot = layout[0], layout[1], layout[3]
    n_slots = c_iku.shape[2] // n_pad - (1 if sum_slot >= 0 else 0)
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
                            a0, na, b0, nb, symmetric, first = blocks[b]
                            in_a, in_b = reach[s, b, 0], reach[s, b, 1]
                            for l in range(l_max + 1):
                                at = first + l * na * nb
                                if -n_pad < in_a < na:
                                    _gram(dc_kn, c, l, b0, nb, gram_vn)
                                    _add_rows(gram_vn, index, at, in_a, na, nb, symmetric, dx)
                                if -n_pad < in_b < nb and not symmetric:
                                    _gram(dc_kn, c, l, a0, na, gram_vn)
                                    _add_columns(gram_vn, index, at, in_b, na, nb, dx)


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
def _add_rows(gram_vn, index, at, row0, na, nb, symmetric, dx):
    """Add gram to the components (row0 + n, v); a diagonal one of a square counts twice."""
    for n in range(max(0, -row0), min(gram_vn.shape[1], na - row0)):
        here = at + (row0 + n) * nb
        for v in range(nb):
            d = index[here + v]
            if d >= 0:
                dx[d] += gram_vn[v, n]
        if symmetric and index[here + row0 + n] >= 0:
            dx[index[here + row0 + n]] += gram_vn[row0 + n, n]


@njit(cache=True, nogil=True)
def _add_columns(gram_vn, index, at, column0, na, nb, dx):
    """Add gram to the components (u, column0 + n)."""
    for u in range(na):
        for n in range(max(0, -column0), min(gram_vn.shape[1], nb - column0)):
            d = index[at + u * nb + column0 + n]
            if d >= 0:
                dx[d] += gram_vn[u, n]
