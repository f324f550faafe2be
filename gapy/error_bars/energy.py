"""The standard deviation of a total energy, calibrated on left-out structures.

    sigma_E = scale N^power (sum_i v_i / N)^(1/2)

with the posterior variances v_i of the N local energies. Errors of atoms that have nothing to do
with one another add as a root, power 1/2; those of atoms of one kind add coherently, power 1. Which
it is cannot be derived from the v_i, so the power is the likeliest of POWERS for the left-out
errors of structures of several sizes, and the scale such that 90 % of those of new structures lie
within 1.645 sigma (`gapy.error_bars.coverage`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy.error_bars.coverage import covering_factor

POWERS = (0.5, 0.75, 1.0)
FEWEST = 20
"""Structures from which a scale is taken; with fewer there is none."""


@dataclass(frozen=True)
class EnergyCalibration:
    """scale, no unit, and power; sigma of energies of structures like the training set's."""

    scale: float
    power: float

    def sigma(self, variances, n_atoms) -> np.ndarray:
        """eV; from the mean variance of the local energies (eV^2), and the number of atoms."""
        return self.scale * np.power(n_atoms, self.power) * np.sqrt(variances)


def calibrate_energies(errors, variances, n_atoms) -> EnergyCalibration | None:
    """From left-out errors (n,) eV of structures with mean local variances (n,) eV^2 and n_atoms.

    None for fewer than FEWEST structures, or errors that all vanish. With structures of one size
    the powers cannot be told apart, and the largest is taken: a larger structure then has no bar
    too narrow.
    """
    errors, n_atoms = np.abs(np.asarray(errors)), np.asarray(n_atoms)
    usable = np.asarray(variances) > 0.0
    errors, variances, n_atoms = errors[usable], np.asarray(variances)[usable], n_atoms[usable]
    if len(errors) < FEWEST or not errors.any():
        return None
    best, least = None, np.inf
    for power in sorted(POWERS, reverse=True):
        size = np.power(n_atoms, power) * np.sqrt(variances)
        scale = covering_factor(errors / size, len(errors))
        if not scale > 0.0:
            continue
        # Laplace's density, whose tail is that of errors with outliers: -log p = |e|/s + log s.
        loss = float((errors / (scale * size) + np.log(scale * size)).mean())
        if loss < least - 1e-9:
            best, least = EnergyCalibration(scale, power), loss
    return best
