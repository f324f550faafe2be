"""Pairs of small structures without a search: every atom against every other and its images.

The atoms of all structures lie side by side: structure m has atoms first_m[m]:first_m[m + 1].
With v_k the lattice vectors of the periodic directions and w_k their dual vectors, v_k . w_l = 1
for k = l and else 0, lattice planes are 1/|w_k| apart, so that for r_j - r_i = r only the shifts

    |S_k + r . w_k| <= cutoff |w_k|

can be within the cutoff.
"""

import numpy as np

from gapy._jit.settings import njit

MARGIN = 1e-9
"""Of a lattice vector: rounding must not lose an image."""
FAR = 1e4
"""A; structures with larger numbers, or NaN, are not small."""
FLAT = 1e-3
"""Volume (A^3), area or length of the periodic vectors; those of less are not small."""


@njit(cache=True, nogil=True)
def small_pairs(first_m, positions, cell_mcc, pbc_mc, cutoff, comparisons, neighbours):
    """(small_m, first_i, j_p, shift_pc, r_pc, smallest |r_p|^2) of the pairs closer than `cutoff`.

    By centre, neighbour and shift. Structures that are not small have none: those that might have
    more than so many comparisons, or neighbours of an atom, and those with odd numbers.
    """
    n_structures, n_atoms = first_m.shape[0] - 1, positions.shape[0]
    small_m = np.zeros(n_structures, dtype=np.bool_)
    dual_mkc = np.zeros((n_structures, 3, 3))
    reach_mk = np.zeros((n_structures, 3))
    first_i = np.zeros(n_atoms + 1, dtype=np.int64)
    no_j, no_shift, no_r = np.empty(0, np.int32), np.empty((0, 3), np.int32), np.empty((0, 3))
    for m in range(n_structures):
        begin, end = first_m[m], first_m[m + 1]
        if not (_usual(positions[begin:end]) and _usual(cell_mcc[m])):
            continue
        if not _duals(cell_mcc[m], pbc_mc[m], dual_mkc[m]):
            continue
        images = 1.0
        for k in range(3):
            w = dual_mkc[m, k]
            reach_mk[m, k] = cutoff * np.sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])
            images *= 2.0 * reach_mk[m, k] + 1.0
        around = images * (end - begin)
        if around * (end - begin) > comparisons or around > neighbours:
            continue
        small_m[m] = True
        _pairs_of(
            begin, end, positions, cell_mcc[m], pbc_mc[m], dual_mkc[m], reach_mk[m], cutoff, False,
            first_i, no_j, no_shift, no_r,
        )  # fmt: skip
    for i in range(n_atoms):
        first_i[i + 1] += first_i[i]
    n_pairs = first_i[n_atoms]
    j_p, shift_pc, r_pc = (
        np.empty(n_pairs, np.int32), np.empty((n_pairs, 3), np.int32), np.empty((n_pairs, 3)),
    )  # fmt: skip
    shortest = np.inf
    for m in range(n_structures):
        if small_m[m]:
            nearest = _pairs_of(
                first_m[m], first_m[m + 1], positions, cell_mcc[m], pbc_mc[m], dual_mkc[m],
                reach_mk[m], cutoff, True, first_i, j_p, shift_pc, r_pc,
            )  # fmt: skip
            shortest = min(shortest, nearest)
    return small_m, first_i, j_p, shift_pc, r_pc, shortest


@njit(cache=True, nogil=True)
def _usual(rows_nc):
    """Whether all numbers are finite and none is far."""
    for i in range(rows_nc.shape[0]):
        for k in range(3):
            if not abs(rows_nc[i, k]) < FAR:
                return False
    return True


@njit(cache=True, nogil=True)
def _cross(a, b, out):
    for k in range(3):
        out[k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3]


@njit(cache=True, nogil=True)
def _duals(cell, pbc, dual_kc):
    """Dual vectors of the periodic directions; False where these are nearly dependent."""
    n_periodic = int(pbc[0]) + int(pbc[1]) + int(pbc[2])
    if n_periodic == 0:
        return True
    vectors = cell.copy()
    # One vector or two: completed by vectors at right angles to them.
    if n_periodic == 1:
        k = 0 if pbc[0] else (1 if pbc[1] else 2)
        length2 = vectors[k, 0] ** 2 + vectors[k, 1] ** 2 + vectors[k, 2] ** 2
        if not length2 > FLAT * FLAT:
            return False
        dual_kc[k] = vectors[k] / length2
        return True
    if n_periodic == 2:
        k = 2 if not pbc[2] else (1 if not pbc[1] else 0)
        _cross(vectors[(k + 1) % 3], vectors[(k + 2) % 3], vectors[k])
    for k in range(3):
        _cross(vectors[(k + 1) % 3], vectors[(k + 2) % 3], dual_kc[k])
    content = vectors[0, 0] * dual_kc[0, 0] + vectors[0, 1] * dual_kc[0, 1]
    content += vectors[0, 2] * dual_kc[0, 2]
    if not abs(content) > (FLAT * FLAT if n_periodic == 2 else FLAT):  # area^2 or volume
        return False
    for k in range(3):
        for c in range(3):
            dual_kc[k, c] = dual_kc[k, c] / content if pbc[k] else 0.0
    return True


@njit(cache=True, nogil=True)
def _pairs_of(
    begin, end, positions, cell, pbc, dual_kc, reach_k, cutoff, filling, first_i, j_p, shift_pc,
    r_pc,
):  # fmt: skip
    """Count the pairs of atom i into first_i[i + 1], or write them from first_i[i] on."""
    shortest = np.inf
    cut2 = cutoff * cutoff
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for i in range(begin, end):
        n = first_i[i] if filling else 0
        for j in range(begin, end):
            x0 = positions[j, 0] - positions[i, 0]
            y0 = positions[j, 1] - positions[i, 1]
            z0 = positions[j, 2] - positions[i, 2]
            for k in range(3):
                if pbc[k]:
                    d = x0 * dual_kc[k, 0] + y0 * dual_kc[k, 1] + z0 * dual_kc[k, 2]
                    low[k] = int(np.ceil(-d - reach_k[k] - MARGIN))
                    high[k] = int(np.floor(-d + reach_k[k] + MARGIN))
            for a in range(low[0], high[0] + 1):
                for b in range(low[1], high[1] + 1):
                    for c in range(low[2], high[2] + 1):
                        x = x0 + (a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0])
                        y = y0 + (a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1])
                        z = z0 + (a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2])
                        d2 = x * x + y * y + z * z
                        if d2 >= cut2 or (i == j and a == 0 and b == 0 and c == 0):
                            continue
                        if filling:
                            j_p[n] = j
                            shift_pc[n, 0], shift_pc[n, 1], shift_pc[n, 2] = a, b, c
                            r_pc[n, 0], r_pc[n, 1], r_pc[n, 2] = x, y, z
                            shortest = min(shortest, d2)
                        n += 1
        if not filling:
            first_i[i + 1] = n
    return shortest
