"""A structure under a strain."""

from __future__ import annotations

import numpy as np
from ase import Atoms


def with_strain(atoms: Atoms, voigt) -> Atoms:
    """A copy under a strain (6,), xx yy zz yz xz xy, shear in the engineering sense; the atoms keep
    their scaled positions."""
    xx, yy, zz, yz, xz, xy = voigt
    strain = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    out = atoms.copy()
    out.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return out
