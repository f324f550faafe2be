"""Which simple lattice a crystal has, and its cells: for properties that are defined on planes."""

from __future__ import annotations

import warnings

from ase import Atoms

from gapy.properties.phase import PRECISION, space_group
from gapy.properties.result import required

BY_SPACE_GROUP = {
    (225, 1): "fcc", (229, 1): "bcc", (227, 2): "diamond", (216, 2): "zincblende",
}  # fmt: skip
"""(number of the space group, atoms of the primitive cell) -> name."""


def lattice_of(atoms: Atoms) -> str | None:
    """fcc, bcc, diamond or zincblende; None for anything else. PackageError without spglib."""
    return BY_SPACE_GROUP.get((space_group(atoms), len(_standard(atoms, to_primitive=True))))


def conventional(atoms: Atoms) -> Atoms:
    """The conventional cell, whose axes Miller indices refer to. PackageError without spglib."""
    return _standard(atoms, to_primitive=False)


def _standard(atoms: Atoms, *, to_primitive: bool) -> Atoms:
    """The standard cell; the atoms as they are where none is found."""
    spglib = required("spglib", "lattices")
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    with warnings.catch_warnings():
        # Where it finds no cell, it says so in a way that its next version gives up.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.standardize_cell(cell, to_primitive=to_primitive, symprec=PRECISION)
        except spglib.SpglibError:
            found = None
    if found is None:
        return atoms.copy()
    lattice, scaled, numbers = found
    return Atoms(numbers, scaled_positions=scaled, cell=lattice, pbc=True)
