"""Pair vectors, and sums over pairs back to atoms."""

import numpy as np

from gapy._jit.settings import njit


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
def order_pairs(first_i, j_p, shift_pc):
    """Order the pairs of each centre by neighbour and shift, in place.

    The search leaves them in the order of its grid, which changes with the length of the list.
    """
    for i in range(first_i.shape[0] - 1):
        begin, end = first_i[i], first_i[i + 1]
        order = np.argsort(j_p[begin:end])
        js, shifts = j_p[begin:end][order], shift_pc[begin:end][order]
        # Nearly done: what is left are the images of one neighbour among themselves.
        for p in range(end - begin):
            j, a, b, c = js[p], shifts[p, 0], shifts[p, 1], shifts[p, 2]
            q = begin + p
            while q > begin and (j_p[q - 1], shift_pc[q - 1, 0], shift_pc[q - 1, 1],
                                 shift_pc[q - 1, 2]) > (j, a, b, c):  # fmt: skip
                j_p[q] = j_p[q - 1]
                for k in range(3):
                    shift_pc[q, k] = shift_pc[q - 1, k]
                q -= 1
            j_p[q] = j
            shift_pc[q, 0], shift_pc[q, 1], shift_pc[q, 2] = a, b, c


@njit(cache=True, nogil=True)
def close_pairs(positions, cell, atom_i, first_i, j_p, shift_pc, cutoff, first_out, j_out, r_out):
    """Pairs closer than the cutoff, out of a list by atom, with centres in the order `atom_i`.

    Returns the smallest |r_p|^2. The outputs have room for the whole list; first_out[-1] pairs
    are filled. Writing every pair and counting only the close ones needs no branch.
    """
    shortest = np.inf
    cut2 = cutoff * cutoff
    n = 0
    first_out[0] = 0
    for k in range(atom_i.shape[0]):
        i = atom_i[k]
        xi, yi, zi = positions[i, 0], positions[i, 1], positions[i, 2]
        for p in range(first_i[i], first_i[i + 1]):
            j = j_p[p]
            a, b, c = shift_pc[p, 0], shift_pc[p, 1], shift_pc[p, 2]
            x = positions[j, 0] - xi + (a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0])
            y = positions[j, 1] - yi + (a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1])
            z = positions[j, 2] - zi + (a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2])
            d2 = x * x + y * y + z * z
            shortest = min(shortest, d2)
            r_out[n, 0], r_out[n, 1], r_out[n, 2] = x, y, z
            j_out[n] = j
            n += d2 < cut2
        first_out[k + 1] = n
    return shortest


@njit(cache=True, nogil=True)
def select_pairs(place_k, slots, first_i, j_p, r_pc, cutoff, first_out, j_out, species_out, r_out):
    """Pairs closer than the cutoff whose neighbour has a slot, of the centres at place_k.

    The outputs have room for one pair more than the list; the number of pairs is returned.
    """
    cut2 = cutoff * cutoff
    n = 0
    first_out[0] = 0
    for k in range(place_k.shape[0]):
        for p in range(first_i[place_k[k]], first_i[place_k[k] + 1]):
            j = j_p[p]
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            r_out[n, 0], r_out[n, 1], r_out[n, 2] = x, y, z
            j_out[n] = j
            species_out[n] = slots[j]
            n += (slots[j] >= 0) & (x * x + y * y + z * z < cut2)
        first_out[k + 1] = n
    return n


@njit(cache=True, nogil=True)
def inspect_pairs(centre_i, first_i, j_p, r_pc, seen):
    """(what is wrong, smallest |r_p|^2): -1 first_i, -2 centre_i, a pair, or -3 for nothing.

    `seen`: as many False as there are atoms.
    """
    n, n_pairs = seen.shape[0], j_p.shape[0]
    if first_i[0] != 0 or first_i[-1] != n_pairs:
        return -1, np.inf
    for k in range(centre_i.shape[0]):
        if first_i[k + 1] < first_i[k]:
            return -1, np.inf
        i = centre_i[k]
        if i < 0 or i >= n or seen[i]:
            return -2, np.inf
        seen[i] = True
    shortest = np.inf
    for p in range(n_pairs):
        d2 = r_pc[p, 0] ** 2 + r_pc[p, 1] ** 2 + r_pc[p, 2] ** 2
        if j_p[p] < 0 or j_p[p] >= n or not d2 < np.inf:
            return p, d2
        shortest = min(shortest, d2)
    return -3, shortest


@njit(cache=True, nogil=True)
def largest_displacement(positions, reference):
    """Largest |r - r_reference|^2; NaN if any is."""
    largest = 0.0
    for i in range(positions.shape[0]):
        x = positions[i, 0] - reference[i, 0]
        y = positions[i, 1] - reference[i, 1]
        z = positions[i, 2] - reference[i, 2]
        d2 = x * x + y * y + z * z
        if not d2 <= largest:
            largest = d2
            if np.isnan(d2):
                break
    return largest


ONE_STRUCTURE = np.array([0, np.iinfo(np.int64).max])
"""first_m where all atoms are those of one structure."""


@njit(cache=True, nogil=True)
def forces_from_pairs(begin, end, atom_i, first_i, j_p, r_pc, g_pc, first_m, forces, virial_mcc):
    """Add -dE/dr of every atom and dE/d(strain) from g_p = dE/dr_p of centres begin..end-1.

    Atoms first_m[m]..first_m[m + 1] - 1 are those of structure m. The order of the sums is that of
    the pairs, however they are cut into calls.
    """
    m = 0
    while begin < end:
        while atom_i[begin] < first_m[m]:
            m -= 1
        while atom_i[begin] >= first_m[m + 1]:
            m += 1
        stop = begin + 1
        while stop < end and first_m[m] <= atom_i[stop] < first_m[m + 1]:
            stop += 1
        _of_one(begin, stop, atom_i, first_i, j_p, r_pc, g_pc, forces, virial_mcc[m])
        begin = stop


@njit(cache=True, nogil=True)
def _of_one(begin, end, atom_i, first_i, j_p, r_pc, g_pc, forces, virial):
    """`forces_from_pairs` of centres of one structure."""
    xx, xy, xz = virial[0, 0], virial[0, 1], virial[0, 2]
    yx, yy, yz = virial[1, 0], virial[1, 1], virial[1, 2]
    zx, zy, zz = virial[2, 0], virial[2, 1], virial[2, 2]
    for k in range(begin, end):
        i = atom_i[k]
        for p in range(first_i[k], first_i[k + 1]):
            j = j_p[p]
            gx, gy, gz = g_pc[p, 0], g_pc[p, 1], g_pc[p, 2]
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            forces[j, 0] -= gx
            forces[j, 1] -= gy
            forces[j, 2] -= gz
            forces[i, 0] += gx
            forces[i, 1] += gy
            forces[i, 2] += gz
            xx += gx * x
            xy += gx * y
            xz += gx * z
            yx += gy * x
            yy += gy * y
            yz += gy * z
            zx += gz * x
            zy += gz * y
            zz += gz * z
    virial[0, 0], virial[0, 1], virial[0, 2] = xx, xy, xz
    virial[1, 0], virial[1, 1], virial[1, 2] = yx, yy, yz
    virial[2, 0], virial[2, 1], virial[2, 2] = zx, zy, zz


@njit(cache=True, nogil=True)
def worst_values(atom_i, first_i, j_p, r_pc, cutoff, v_nk, out_nk):
    """Half of every column of v_nk >= 0 of each atom, and half of the largest around it.

    out_i = v_i / 2 + max(v_i, max_j (1 - r_ij^2 / cutoff^2) v_j) / 2
    """
    inverse = 1.0 / cutoff**2
    for c in range(first_i.shape[0] - 1):
        i = atom_i[c]
        for k in range(v_nk.shape[1]):
            out_nk[i, k] = v_nk[i, k]
        for p in range(first_i[c], first_i[c + 1]):
            d2 = r_pc[p, 0] ** 2 + r_pc[p, 1] ** 2 + r_pc[p, 2] ** 2
            falling = max(1.0 - d2 * inverse, 0.0)
            for k in range(v_nk.shape[1]):
                out_nk[i, k] = max(out_nk[i, k], falling * v_nk[j_p[p], k])
        for k in range(v_nk.shape[1]):
            out_nk[i, k] = 0.5 * (v_nk[i, k] + out_nk[i, k])


@njit(cache=True, nogil=True)
def add_pair(i, j, g, x, y, z, forces, virial):
    """Add the forces and dE/d(strain) of dE/dr = g r of one pair, r = (x, y, z) from i to j."""
    gx, gy, gz = g * x, g * y, g * z
    forces[i, 0] += gx
    forces[i, 1] += gy
    forces[i, 2] += gz
    forces[j, 0] -= gx
    forces[j, 1] -= gy
    forces[j, 2] -= gz
    virial[0, 0] += gx * x
    virial[0, 1] += gx * y
    virial[0, 2] += gx * z
    virial[1, 0] += gy * x
    virial[1, 1] += gy * y
    virial[1, 2] += gy * z
    virial[2, 0] += gz * x
    virial[2, 1] += gz * y
    virial[2, 2] += gz * z


@njit(cache=True, nogil=True)
def closest_ratio(atom_i, first_i, j_p, r_pc, slots_n, least_ss, out_n):
    """out_i = max_j least / r_ij over the neighbours of each atom, at least 1.

    least_ss[a, b]: a distance for each pair of species slots; atoms without a slot, -1, do not
    count.
    """
    for c in range(first_i.shape[0] - 1):
        i = atom_i[c]
        largest = 1.0
        if slots_n[i] >= 0:
            for p in range(first_i[c], first_i[c + 1]):
                if slots_n[j_p[p]] >= 0:
                    d2 = r_pc[p, 0] ** 2 + r_pc[p, 1] ** 2 + r_pc[p, 2] ** 2
                    least = least_ss[slots_n[i], slots_n[j_p[p]]]
                    largest = max(largest, least * least / d2)
        out_n[i] = np.sqrt(largest)


@njit(cache=True, nogil=True)
def nearest_distances(atom_i, first_i, j_p, r_pc, slots_n, cutoff, out_n):
    """out_i: distance of the nearest neighbour of each atom within the cutoff, if there is one.

    Atoms without a slot, -1, do not count.
    """
    for c in range(first_i.shape[0] - 1):
        i = atom_i[c]
        if slots_n[i] < 0:
            continue
        least = cutoff * cutoff
        found = False
        for p in range(first_i[c], first_i[c + 1]):
            d2 = r_pc[p, 0] ** 2 + r_pc[p, 1] ** 2 + r_pc[p, 2] ** 2
            if d2 < least and slots_n[j_p[p]] >= 0:
                least, found = d2, True
        if found:
            out_n[i] = np.sqrt(least)


@njit(cache=True, nogil=True)
def least_distances(atom_i, first_i, j_p, r_pc, slots_n, least_ss):
    """Lower least_ss[a, b] to the shortest distance between atoms of slots a and b, if not -1."""
    for c in range(first_i.shape[0] - 1):
        a = slots_n[atom_i[c]]
        for p in range(first_i[c], first_i[c + 1]):
            b = slots_n[j_p[p]]
            if a >= 0 and b >= 0:
                d2 = r_pc[p, 0] ** 2 + r_pc[p, 1] ** 2 + r_pc[p, 2] ** 2
                least_ss[a, b] = min(least_ss[a, b], np.sqrt(d2))
