"""Supercells whose size does not depend on the cell that a crystal is given in."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.errors import GapyError

LEAST_HEIGHT = 6.0
"""A between opposite faces: 16 atoms of silicon from the primitive cell, 64 from the cubic one."""


def repeats_of(atoms: Atoms, supercell) -> tuple[int, int, int]:
    """`supercell` as whole numbers; for None as many as make opposite faces LEAST_HEIGHT apart.

    Raises GapyError for anything but three whole numbers of at least 1.
    """
    if supercell is None:
        heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
        a, b, c = np.ceil(LEAST_HEIGHT / heights - 1e-6).astype(int).tolist()
        return a, b, c
    found = tuple(supercell)
    if len(found) != 3 or not all(n == int(n) and n >= 1 for n in found):
        raise GapyError(f"supercell: expected three whole numbers of at least 1, got {supercell}")
    a, b, c = map(int, found)
    return a, b, c
