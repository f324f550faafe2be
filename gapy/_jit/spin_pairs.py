"""Pairs that count a second time, by the signs of the moments at both ends."""

import numpy as np

from gapy._jit.settings import njit


@njit(cache=True, nogil=True)
def with_spin_pairs(atom_i, first_i, j_p, r_pc, species_p, sign_n, kind_s):
    """(first_i, j_p, r_pc, species_p): behind the pairs of each centre, those between moments.

    sign_n: -1, 0 or 1 of each atom. A neighbour of species s comes again as kind_s[s] if its moment
    is parallel to that of the centre, as kind_s[s] + 1 if it is antiparallel, and not if one of
    the two is zero.
    """
    room = 2 * j_p.shape[0]
    first_out = np.zeros_like(first_i)
    j_out, species_out = np.empty(room, j_p.dtype), np.empty(room, species_p.dtype)
    r_out = np.empty((room, 3))
    n = 0
    for i in range(atom_i.shape[0]):
        begin, end = first_i[i], first_i[i + 1]
        for p in range(begin, end):
            j_out[n], species_out[n] = j_p[p], species_p[p]
            r_out[n, 0], r_out[n, 1], r_out[n, 2] = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            n += 1
        for p in range(begin, end):
            product = sign_n[atom_i[i]] * sign_n[j_p[p]]
            if product == 0:
                continue
            j_out[n] = j_p[p]
            species_out[n] = kind_s[species_p[p]] + (product < 0)
            r_out[n, 0], r_out[n, 1], r_out[n, 2] = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            n += 1
        first_out[i + 1] = n
    return first_out, j_out[:n], r_out[:n], species_out[:n]
