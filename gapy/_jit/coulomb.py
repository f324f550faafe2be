"""Coulomb energies of Gaussian charges: pairs in real space, and plane waves of a periodic cell.

Energies are in e^2/A; the caller multiplies by e^2/(4 pi eps0).
"""

import math

import numpy as np

from gapy._jit.pairs import add_pair
from gapy._jit.settings import FAST, njit

OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
NEAR = 1e-3
"""Of gamma r: below, the two terms of the slope cancel, and their series is exact to 1e-12."""


@njit(cache=True, nogil=True, inline="always")
def smeared(r, gamma):
    """erf(gamma r) / r and its derivative over r: (1/r) d/dr (erf(gamma r) / r)."""
    x = gamma * r
    if x < NEAR:
        value = OVER_SQRT_PI * gamma * (1.0 - x * x / 3.0)
        return value, -OVER_SQRT_PI * gamma**3 * (2.0 / 3.0 - 0.4 * x * x)
    value = math.erf(x) / r
    return value, (OVER_SQRT_PI * gamma * math.exp(-x * x) - value) / (r * r)


@njit(cache=True, nogil=True)
def direct(positions, charge_n, square_n, forces, virial):
    """Energy of all pairs without images; forces and virial are added to.

    square_n: sigma^2 of the Gaussians; pairs interact by erf(gamma r)/r, gamma^-2 = 2 (s_i^2 +
    s_j^2).
    """
    energy = 0.0
    for i in range(len(charge_n)):
        for j in range(i):
            x = positions[j, 0] - positions[i, 0]
            y = positions[j, 1] - positions[i, 1]
            z = positions[j, 2] - positions[i, 2]
            r = math.sqrt(x * x + y * y + z * z)
            gamma = 1.0 / math.sqrt(2.0 * (square_n[i] + square_n[j]))
            value, slope = smeared(r, gamma)
            both = charge_n[i] * charge_n[j]
            energy += both * value
            add_pair(i, j, both * slope, x, y, z, forces, virial)
    return energy


@njit(cache=True, nogil=True)
def beside_waves(first_i, j_p, r_pc, reach, alpha, charge_n, square_n, forces, virial):
    """Energy of pairs (each from both ends) that the waves leave out: erf(gamma r) - erf(alpha r).

    Pairs beyond `reach` do not count.
    """
    energy = 0.0
    for i in range(len(first_i) - 1):
        for p in range(first_i[i], first_i[i + 1]):
            j = j_p[p]
            x, y, z = r_pc[p, 0], r_pc[p, 1], r_pc[p, 2]
            r = math.sqrt(x * x + y * y + z * z)
            if r >= reach:
                continue
            gamma = 1.0 / math.sqrt(2.0 * (square_n[i] + square_n[j]))
            value, slope = smeared(r, gamma)
            taken, steep = smeared(r, alpha)
            half = 0.5 * charge_n[i] * charge_n[j]
            energy += half * (value - taken)
            add_pair(i, j, half * (slope - steep), x, y, z, forces, virial)
    return energy


@njit(cache=True, nogil=True)
def list_waves(reciprocal, most_i, k_most, h_ki, k_kc):
    """Fill multiples h and vectors k of one half of all waves with 0 < |k| < k_most; their number.

    reciprocal (3, 3): rows b with a_i . b_j = 2 pi [i = j]; most_i: largest multiples to look at.
    """
    n = 0
    for h in range(most_i[0] + 1):
        for i in range(-most_i[1], most_i[1] + 1):
            for j in range(-most_i[2], most_i[2] + 1):
                if h == 0 and (i < 0 or (i == 0 and j <= 0)):
                    continue
                square = 0.0
                for c in range(3):
                    k = h * reciprocal[0, c] + i * reciprocal[1, c] + j * reciprocal[2, c]
                    k_kc[n, c] = k
                    square += k * k
                if square < k_most * k_most:
                    h_ki[n, 0], h_ki[n, 1], h_ki[n, 2] = h, i, j
                    n += 1
    return n


@njit(cache=True, nogil=True)
def _powers(reciprocal_i, positions, most, cosine_hn, sine_hn):
    """cos and sin of h b . r for h = -most ... most, in rows h + most."""
    for n in range(len(positions)):
        phase = 0.0
        for c in range(3):
            phase += reciprocal_i[c] * positions[n, c]
        cosine_hn[most, n], sine_hn[most, n] = 1.0, 0.0
        a, b = math.cos(phase), math.sin(phase)
        u, v = 1.0, 0.0
        for h in range(1, most + 1):
            u, v = u * a - v * b, u * b + v * a
            cosine_hn[most + h, n], sine_hn[most + h, n] = u, v
            cosine_hn[most - h, n], sine_hn[most - h, n] = u, -v


@njit(cache=True, nogil=True, fastmath=FAST)
def of_waves(
    positions, reciprocal, most_i, h_ki, k_kc, over_volume, first_s, square_s, charge_n, forces,
    virial,
):  # fmt: skip
    """Energy sum_k w_k |sum_n q_n e^(-k^2 s_n^2 / 2) e^(i k r_n)|^2 with w_k = over_volume / k^2.

    The waves are half of all, over_volume = 4 pi/V. square_s: s^2 of the different widths; atoms
    first_s[s]:first_s[s + 1] have width s. forces (3, n) are added to, in rows of components.
    """
    n_atoms, n_widths = len(positions), len(square_s)
    widest = most_i.max()
    cosine = np.empty((3, 2 * widest + 1, n_atoms))
    sine = np.empty((3, 2 * widest + 1, n_atoms))
    for i in range(3):
        _powers(reciprocal[i], positions, most_i[i], cosine[i], sine[i])
    c_n, s_n, form_s = np.empty(n_atoms), np.empty(n_atoms), np.empty(n_widths)
    u_n, v_n = np.empty(n_atoms), np.empty(n_atoms)
    energy, last = 0.0, (-1, 0)
    for k in range(len(k_kc)):
        h, i, j = h_ki[k, 0], h_ki[k, 1], h_ki[k, 2]
        if last != (h, i):
            last = (h, i)
            a, b = cosine[0, h + most_i[0]], sine[0, h + most_i[0]]
            c, d = cosine[1, i + most_i[1]], sine[1, i + most_i[1]]
            for n in range(n_atoms):
                u_n[n] = (a[n] * c[n] - b[n] * d[n]) * charge_n[n]
                v_n[n] = (a[n] * d[n] + b[n] * c[n]) * charge_n[n]
        e, f = cosine[2, j + most_i[2]], sine[2, j + most_i[2]]
        x, y, z = k_kc[k, 0], k_kc[k, 1], k_kc[k, 2]
        square = x * x + y * y + z * z
        real, imaginary, real_bent, imaginary_bent = 0.0, 0.0, 0.0, 0.0
        for s in range(n_widths):
            form_s[s] = math.exp(-0.5 * square * square_s[s])
            p, q = 0.0, 0.0
            for n in range(first_s[s], first_s[s + 1]):
                c_n[n] = u_n[n] * e[n] - v_n[n] * f[n]
                s_n[n] = u_n[n] * f[n] + v_n[n] * e[n]
                p += c_n[n]
                q += s_n[n]
            real += form_s[s] * p
            imaginary += form_s[s] * q
            real_bent += form_s[s] * square_s[s] * p
            imaginary_bent += form_s[s] * square_s[s] * q
        weight = over_volume / square
        own = weight * (real * real + imaginary * imaginary)
        energy += own
        for s in range(n_widths):
            twice = 2.0 * weight * form_s[s]
            for n in range(first_s[s], first_s[s + 1]):
                g = twice * (s_n[n] * real - c_n[n] * imaginary)
                forces[0, n] += g * x
                forces[1, n] += g * y
                forces[2, n] += g * z
        bent = weight * (real * real_bent + imaginary * imaginary_bent)
        shape = 2.0 * (own / square + bent)  # k^2 falls as the cell is stretched
        for row, v in enumerate((x, y, z)):
            virial[row, row] -= own
            virial[row, 0] += shape * v * x
            virial[row, 1] += shape * v * y
            virial[row, 2] += shape * v * z
    return energy
