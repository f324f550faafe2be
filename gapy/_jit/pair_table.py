"""Sums over pairs of tabulated functions of the distance, one function for each pair of species."""

import numpy as np

from gapy._jit.pairs import add_pair
from gapy._jit.settings import njit


@njit(cache=True, nogil=True)
def sum_pairs(
    centre_i, first_i, j_p, r_pc, slot_n, table_ss, knots_tk, spacing, cutoff, structure_n,
    energies, forces, virial,
):  # fmt: skip
    """Add 1/2 sum_j f(r_ij) to local energies, forces to all atoms, dE/d(strain) by structure.

    knots_tk (T, K, 2): f and spacing * df/dr at r = k * spacing; cubic in between, so that forces
    are the derivative of the energies. table_ss (S, S): the function of two slots; slot_n (n,): of
    atoms, negative where none. structure_n (n,): which virial (m, 3, 3) is whose.
    """
    cut2 = cutoff * cutoff
    last = knots_tk.shape[1] - 2
    for c in range(centre_i.shape[0]):
        i = centre_i[c]
        if slot_n[i] < 0:
            continue
        v = virial[structure_n[i]]
        for p in range(first_i[c], first_i[c + 1]):
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            d2 = x * x + y * y + z * z
            j = j_p[p]
            if d2 >= cut2 or slot_n[j] < 0:
                continue
            r = np.sqrt(d2)
            t = r / spacing
            k = min(int(t), last)
            t -= k
            knots = knots_tk[table_ss[slot_n[i], slot_n[j]]]
            f0, d0, f1, d1 = knots[k, 0], knots[k, 1], knots[k + 1, 0], knots[k + 1, 1]
            c2 = 3.0 * (f1 - f0) - 2.0 * d0 - d1
            c3 = 2.0 * (f0 - f1) + d0 + d1
            energies[i] += 0.5 * (f0 + t * (d0 + t * (c2 + t * c3)))
            g = 0.5 * (d0 + t * (2.0 * c2 + t * 3.0 * c3)) / (spacing * r)
            add_pair(i, j, g, x, y, z, forces, v)
