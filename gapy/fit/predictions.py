"""Values or standard deviations of several structures."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """Values or standard deviations of several structures.

    energy (n_structures,) eV; energies, forces: lists of (n,) eV and (n, 3) eV/A; stress: list of
    (6,) eV/A^3, None without a cell. `numpy.asarray` gives the energies.
    """

    energy: np.ndarray
    energies: list[np.ndarray]
    forces: list[np.ndarray]
    stress: list[np.ndarray | None]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.energy, dtype=dtype)


def gather(rows) -> Predictions:
    """Predictions from one (energy, energies, forces, stress) for each structure."""
    energy, energies, forces, stress = zip(*rows)
    return Predictions(np.array(energy), list(energies), list(forces), list(stress))


def r_squared(structures, predicted: Predictions) -> float:
    """R^2 of the force components (of the energies per atom if there are no forces)."""
    with_forces = [k for k, s in enumerate(structures) if s.forces is not None]
    if with_forces:
        truth = np.concatenate([structures[k].forces.ravel() for k in with_forces])
        guess = np.concatenate([predicted.forces[k].ravel() for k in with_forces])
    else:
        chosen = [k for k, s in enumerate(structures) if s.energy is not None]
        sizes = np.array([len(structures[k].atoms) for k in chosen])
        truth = np.array([structures[k].energy for k in chosen]) / sizes
        guess = predicted.energy[chosen] / sizes
    spread = ((truth - truth.mean()) ** 2).sum()
    if spread == 0.0:
        warnings.warn("score: the labels do not vary, R^2 is undefined", stacklevel=3)
        return float("nan")
    return float(1.0 - ((truth - guess) ** 2).sum() / spread)
