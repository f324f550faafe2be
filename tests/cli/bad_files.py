"""Structure files that no command can use."""

import numpy as np
from ase import Atoms
from ase.io import write


def written(path, atoms: Atoms) -> None:
    write(path, atoms, format="extxyz")


def nan_position(path, atoms):
    atoms.positions[1, 2] = np.nan
    written(path, atoms)


def flat_cell(path, atoms):
    cell = atoms.cell.array.copy()
    cell[2] = cell[1]
    atoms.set_cell(cell)
    written(path, atoms)


def coincident(path, atoms):
    atoms.positions[1] = atoms.positions[0] + 0.001
    written(path, atoms)


def empty(path, atoms):
    path.write_text("")


def text(path, atoms):
    path.write_text("this is no structure\n")
