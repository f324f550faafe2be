"""Values or standard deviations of several structures."""

from __future__ import annotations

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
