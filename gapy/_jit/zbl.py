"""Screened nuclear repulsion of pairs: value, slope and curvature, and the sum over a pair list.

V(r) = q / r phi(r / a), phi(x) = sum_k c_k exp(-d_k x).

Source: Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter, vol. 1 (1985).
"""

import numpy as np

from gapy._jit.pairs import add_pair
from gapy._jit.settings import njit

C0, C1, C2, C3 = 0.18175, 0.50986, 0.28022, 0.02817
D0, D1, D2, D3 = 3.19980, 0.94229, 0.40290, 0.20162


# error_model: two atoms at one place give infinity, which the caller refuses, no exception here.
@njit(cache=True, nogil=True, error_model="numpy")
def screened_coulomb(r, charge, inverse_length):
    """V (eV), V' and V'' at r; charge q in eV A, inverse_length 1/a in 1/A."""
    x = r * inverse_length
    e0, e1 = C0 * np.exp(-D0 * x), C1 * np.exp(-D1 * x)
    e2, e3 = C2 * np.exp(-D2 * x), C3 * np.exp(-D3 * x)
    phi = e0 + e1 + e2 + e3
    slope = -inverse_length * (D0 * e0 + D1 * e1 + D2 * e2 + D3 * e3)
    bend = inverse_length**2 * (D0 * D0 * e0 + D1 * D1 * e1 + D2 * D2 * e2 + D3 * D3 * e3)
    over = charge / r
    value = over * phi
    first = over * slope - value / r
    return value, first, over * bend - 2.0 * first / r


@njit(cache=True, nogil=True, error_model="numpy")
def repulsion(
    centre_i, first_i, j_p, r_pc, numbers, slot_z, table_ssk, energies, forces, virial
):  # fmt: skip
    """Add energies (half to each end), forces and dE/d(strain) of the pairs of every centre.

    Returns the energy that was added.
    slot_z: row of `table_ssk` of an atomic number. Columns k: outer^2, inner, q, 1/a, A, B, C of
    the switch V + C + (t > 0) (A/3 t^3 + B/4 t^4), t = r - inner.
    """
    total = 0.0
    widest2 = table_ssk[:, :, 0].max()
    for c in range(centre_i.shape[0]):
        i = centre_i[c]
        row = table_ssk[slot_z[numbers[i]]]
        for p in range(first_i[c], first_i[c + 1]):
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            d2 = x * x + y * y + z * z
            if d2 >= widest2:  # nearly all; NaN goes on and shows
                continue
            j = j_p[p]
            k = row[slot_z[numbers[j]]]
            if d2 >= k[0]:
                continue
            r = np.sqrt(d2)
            value, slope, _ = screened_coulomb(r, k[2], k[3])
            value += k[6]
            t = r - k[1]
            if t > 0.0:
                t2 = t * t
                value += t2 * t * (k[4] / 3.0 + k[5] / 4.0 * t)
                slope += t2 * (k[4] + k[5] * t)
            energies[i] += 0.5 * value
            total += 0.5 * value
            g = 0.5 * slope / r
            add_pair(i, j, g, x, y, z, forces, virial)
    return total
