"""Rows of the basis of UF3: cubic splines of pairs and their products over triplets.

    E = sum_i [ e + sum_j V_2(r_ij) + sum_(j < k) V_3(r_ij, r_ik, r_jk) ]
    V_2 = sum_n c_n B_n,   V_3 = sum_lmn c_lmn B_l B_m B_n with c_lmn = c_mln

Source: Xie, Rupp and Hennig, npj Comput. Mater. 9, 162 (2023). The last three splines of each
direction are left out, so that energy and forces vanish smoothly at the cutoff.
"""

from __future__ import annotations

import numpy as np
from ase.neighborlist import neighbor_list
from numba import njit

TRIM = 3
R_MIN = 0.001


def knots(r_cut: float, intervals: int) -> np.ndarray:
    """Uniform knots from R_MIN to the cutoff, the ends four times."""
    inner = np.linspace(R_MIN, r_cut, intervals + 1)
    return np.concatenate([np.repeat(inner[0], 3), inner, np.repeat(inner[-1], 3)])


def columns(n_ij: int, n_jk: int) -> np.ndarray:
    """Column (n_ij, n_ij, n_jk) of each product of splines, -1 where it is left out."""
    out = np.full((n_ij, n_ij, n_jk), -1)
    k = 0
    for a in range(n_ij - TRIM):
        for b in range(a, n_ij - TRIM):
            out[a, b, : n_jk - TRIM] = out[b, a, : n_jk - TRIM] = k + np.arange(n_jk - TRIM)
            k += n_jk - TRIM
    return out


def rows(atoms, pair_knots, leg_knots, far_knots) -> tuple[np.ndarray, np.ndarray]:
    """Energy row (k,) of the structure and rows of its forces (3 n, k); the constant first."""
    n2 = len(pair_knots) - 4 - TRIM
    column = columns(len(leg_knots) - 4, len(far_knots) - 4)
    energy = np.zeros(n2 + column.max() + 1)
    forces = np.zeros((len(atoms), 3, len(energy)))
    centre, other, d_pc, r_p = neighbor_list("ijDd", atoms, float(pair_knots[-1]))
    _pairs(centre, other, d_pc, r_p, pair_knots, n2, energy, forces)
    near = r_p < leg_knots[-1]
    centre, other, d_pc, r_p = centre[near], other[near], d_pc[near], r_p[near]
    first = np.searchsorted(centre, np.arange(len(atoms) + 1))
    _triplets(
        first, other, d_pc, r_p, leg_knots, far_knots, column, energy[n2:], forces[:, :, n2:]
    )  # fmt: skip
    table = forces.reshape(3 * len(atoms), -1)
    return (
        np.concatenate([[len(atoms)], energy]),
        np.concatenate([np.zeros((len(table), 1)), table], axis=1),
    )


@njit(cache=True)
def _splines(x, t, values, slopes):
    """The four cubic B-splines at x and their slopes; the index of the first.

    Cox and de Boor: B_i,d = (x - t_i) / (t_i+d - t_i) B_i,d-1 + (t_i+d+1 - x) / (t_i+d+1 - t_i+1)
    B_i+1,d-1 and B'_i,3 = 3 [B_i,2 / (t_i+3 - t_i) - B_i+1,2 / (t_i+4 - t_i+1)].
    """
    k = 3
    while k < len(t) - 5 and x >= t[k + 1]:
        k += 1
    values[:] = 0.0
    values[0] = 1.0
    for d in range(1, 4):
        if d == 3:
            slopes[0] = -3.0 * values[0] / (t[k + 1] - t[k - 2])
            for s in range(1, 3):
                left = values[s - 1] / (t[k + s] - t[k + s - 3])
                slopes[s] = 3.0 * (left - values[s] / (t[k + s + 1] - t[k + s - 2]))
            slopes[3] = 3.0 * values[2] / (t[k + 3] - t[k])
        carried = 0.0
        for s in range(d):
            part = values[s] / (t[k + s + 1] - t[k + s + 1 - d])
            values[s] = carried + (t[k + s + 1] - x) * part
            carried = (x - t[k + s + 1 - d]) * part
        values[d] = carried
    return k - 3


@njit(cache=True)
def _pairs(centre, other, d_pc, r_p, t, n, energy, forces):
    value, slope = np.empty(4), np.empty(4)
    for p in range(len(r_p)):
        first = _splines(r_p[p], t, value, slope)
        for a in range(4):
            if first + a < n:
                energy[first + a] += value[a]
                for c in range(3):
                    pull = slope[a] * d_pc[p, c] / r_p[p]
                    forces[centre[p], c, first + a] += pull
                    forces[other[p], c, first + a] -= pull


@njit(cache=True)
def _triplets(first_i, other, d_pc, r_p, leg, far, column, energy, forces):
    n_pairs = len(r_p)
    v_p, s_p = np.empty((n_pairs, 4)), np.empty((n_pairs, 4))
    at_p = np.empty(n_pairs, dtype=np.int64)
    for p in range(n_pairs):
        at_p[p] = _splines(r_p[p], leg, v_p[p], s_p[p])
    v, s, u_jk = np.empty(4), np.empty(4), np.empty(3)
    for i in range(len(first_i) - 1):
        for p in range(first_i[i], first_i[i + 1]):
            for q in range(p + 1, first_i[i + 1]):
                j, k = other[p], other[q]
                r_jk = 0.0
                for c in range(3):
                    u_jk[c] = d_pc[q, c] - d_pc[p, c]
                    r_jk += u_jk[c] ** 2
                r_jk = np.sqrt(r_jk)
                at = _splines(r_jk, far, v, s)
                for a in range(4):
                    for b in range(4):
                        for e in range(4):
                            col = column[at_p[p] + a, at_p[q] + b, at + e]
                            if col < 0:
                                continue
                            energy[col] += v_p[p, a] * v_p[q, b] * v[e]
                            g_ij = s_p[p, a] * v_p[q, b] * v[e] / r_p[p]
                            g_ik = v_p[p, a] * s_p[q, b] * v[e] / r_p[q]
                            g_jk = v_p[p, a] * v_p[q, b] * s[e] / r_jk
                            for c in range(3):
                                on_j = g_jk * u_jk[c] - g_ij * d_pc[p, c]
                                on_k = -g_jk * u_jk[c] - g_ik * d_pc[q, c]
                                forces[j, c, col] += on_j
                                forces[k, c, col] += on_k
                                forces[i, c, col] -= on_j + on_k
