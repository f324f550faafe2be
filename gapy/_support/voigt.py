"""The order of stress components, and when there is a stress: said once.

xx yy zz yz xz xy, ASE's order. stress = (1/V) dE/d(strain), the symmetric part of the virial over
the volume.
"""

from __future__ import annotations

import numpy as np

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
FIRST, SECOND = (list(index) for index in zip(*PAIRS))

SMALLEST_VOLUME = 1e-8
"""A^3; a cell with less has no full rank."""


def voigt(tensor: np.ndarray) -> np.ndarray:
    """The symmetric part of tensors (..., 3, 3), (..., 6)."""
    symmetric = 0.5 * (tensor + np.swapaxes(tensor, -1, -2))
    return symmetric[..., FIRST, SECOND]


def has_volume(atoms) -> bool:
    """Whether a structure (ASE Atoms) has a stress: periodic, with a cell of full rank."""
    return bool(atoms.pbc.any()) and abs(np.linalg.det(atoms.cell.array)) > SMALLEST_VOLUME


def is_crystal(atoms) -> bool:
    """Whether a structure is periodic in three directions, with a cell of full rank."""
    return bool(atoms.pbc.all()) and has_volume(atoms)


def stress_of(virial: np.ndarray, atoms) -> np.ndarray:
    """Stress (..., 6), eV/A^3, of virials dE/d(strain) (..., 3, 3), eV."""
    return voigt(virial) / atoms.get_volume()
