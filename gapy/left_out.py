"""What left-out structures tell: errors of energies and forces, and the force calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy.gp.calibration import ForceCalibration, calibrate_forces
from gapy.noise import Noise

SYMMETRY_FORCE = 1e-4
"""Force labels below this (eV/A) are zero by symmetry up to the reference's own convergence."""
SCALES = (1.0, 0.5, 0.25, 0.125, 0.0625)
FORCE_SACRIFICE = 1.03
"""How far better energies may raise the force error."""


@dataclass(frozen=True)
class LeftOutErrors:
    """RMSE of left-out structures: energy in eV/atom, forces in eV/A; None without labels."""

    energy: float | None
    forces: float | None


def left_out_errors(pairs) -> LeftOutErrors:
    """Errors over (structure, LeftOut) pairs."""
    energy, forces = [], []
    for s, out in pairs:
        if s.energy is not None:
            energy.append((out.residual[0] / len(s.atoms)) ** 2)
        if s.forces is not None:
            forces.append(_force_residual(s, out).ravel() ** 2)
    return LeftOutErrors(
        energy=float(np.sqrt(np.mean(energy))) if energy else None,
        forces=float(np.sqrt(np.concatenate(forces).mean())) if forces else None,
    )


def balance_energies(noise: Noise, errors) -> Noise:
    """Noise whose energy sigmas are scaled by the factor with the least left-out energy error.

    errors(noise) gives LeftOutErrors. Factors that raise the force error by more than
    FORCE_SACRIFICE are passed over.
    """
    best_noise, best, first = noise, None, None
    for scale in SCALES:
        trial = _with_energy_scaled(noise, scale)
        found = errors(trial)
        if found.energy is None or found.forces is None:
            return noise
        first = first or found
        if found.forces > FORCE_SACRIFICE * first.forces:
            break
        if best is None or found.energy < best.energy:
            best_noise, best = trial, found
    return best_noise


def calibrate(pairs, noise: Noise) -> ForceCalibration:
    """Force calibration from (structure, LeftOut) pairs; `noise` where there are no forces."""
    squared, distances, variances = [], [], []
    for s, out in pairs:
        if s.forces is None:
            continue
        # Forces that vanish by symmetry say nothing about errors.
        free = np.abs(s.forces).max(axis=1) > SYMMETRY_FORCE
        squared.append((_force_residual(s, out)[free] ** 2).mean(axis=1))
        distances.append(out.distances[free])
        variances.append(out.local_std[free] ** 2)
    joined = [np.concatenate([np.empty(0), *v]) for v in (squared, distances, variances)]
    return calibrate_forces(*joined, noise.forces)


def _force_residual(s, out) -> np.ndarray:
    start = 0 if s.energy is None else 1
    return out.residual[start : start + s.forces.size].reshape(-1, 3)


def _with_energy_scaled(noise: Noise, scale: float) -> Noise:
    overrides = {
        name: {k: v * scale if k == "energy" else v for k, v in sigmas.items()}
        for name, sigmas in noise.overrides.items()
    }
    return Noise(noise.energy * scale, noise.forces, noise.stress, overrides)
