"""The sums of `gapy.baselines.electrostatics`, said plainly, with an alpha of their own."""

from itertools import product

import numpy as np
from scipy.special import erf, erfc

K = 14.39964548


def energy(charge_n, sigma_n, atoms, alpha=0.6, images=6, waves=12):
    """eV, without what a charge has with itself; periodic in three directions or none."""
    positions, cell, n = atoms.positions, atoms.cell.array, len(atoms)
    shifts = product(range(-images, images + 1), repeat=3) if atoms.pbc.all() else [(0, 0, 0)]
    out = 0.0
    for shift in shifts:
        for i in range(n):
            for j in range(n):
                if i == j and not any(shift):
                    continue
                r = np.linalg.norm(positions[j] + shift @ cell - positions[i])
                gamma = 1.0 / np.sqrt(2.0 * (sigma_n[i] ** 2 + sigma_n[j] ** 2))
                if atoms.pbc.all():
                    value = (erfc(alpha * r) - erfc(gamma * r)) / r
                else:
                    value = erf(gamma * r) / r
                out += 0.5 * charge_n[i] * charge_n[j] * value
    if atoms.pbc.all():
        reciprocal, volume = 2.0 * np.pi * np.linalg.inv(cell).T, atoms.get_volume()
        for h in product(range(-waves, waves + 1), repeat=3):
            if any(h):
                k = h @ reciprocal
                wave = np.sum(charge_n * np.exp(1j * positions @ k))
                out += (
                    2 * np.pi / volume * np.exp(-k @ k / (4 * alpha**2)) / (k @ k) * abs(wave) ** 2
                )
        out -= alpha / np.sqrt(np.pi) * np.sum(np.square(charge_n))
        widths = np.add.outer(np.square(sigma_n), np.square(sigma_n))
        flat = np.outer(charge_n, charge_n) * (1.0 / alpha**2 - 2.0 * widths)
        out -= 0.5 * np.pi / volume * flat.sum()
    return K * out
