"""Pair vectors, and sums over pairs back to atoms."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def pair_vectors(positions, cell, first_i, j_p, shift_pc, r_pc):
    """r_p = r_j - r_i + S_p @ cell; returns the smallest |r_p|^2."""
    shortest = np.inf
    for i in range(first_i.shape[0] - 1):
        for p in range(first_i[i], first_i[i + 1]):
            j = j_p[p]
            a, b, c = shift_pc[p, 0], shift_pc[p, 1], shift_pc[p, 2]
            for k in range(3):
                r_pc[p, k] = (
                    positions[j, k]
                    - positions[i, k]
                    + (a * cell[0, k] + b * cell[1, k] + c * cell[2, k])
                )
            d2 = r_pc[p, 0] ** 2 + r_pc[p, 1] ** 2 + r_pc[p, 2] ** 2
            shortest = min(shortest, d2)
    return shortest


@njit(cache=True, nogil=True)
def forces_from_pairs(atom_i, first_i, j_p, r_pc, g_pc, forces, virial):
    """Add -dE/dr of every atom and dE/d(strain) from g_p = dE/dr_p, in a fixed order."""
    for k in range(first_i.shape[0] - 1):
        i = atom_i[k]
        for p in range(first_i[k], first_i[k + 1]):
            j = j_p[p]
            for a in range(3):
                g = g_pc[p, a]
                forces[j, a] -= g
                forces[i, a] += g
                for b in range(3):
                    virial[a, b] += g * r_pc[p, b]
