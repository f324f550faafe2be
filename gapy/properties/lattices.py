"""Which simple lattice a crystal has, and its cells: for properties that are defined on planes."""

from __future__ import annotations

from ase import Atoms

from gapy.properties.phase import PRECISION
from gapy.properties.result import required

BY_SPACE_GROUP = {
    (225, 1): "fcc", (229, 1): "bcc", (227, 2): "diamond", (216, 2): "zincblende",
}  # fmt: skip
"""(number of the space group, atoms of the primitive cell) -> name."""


def lattice_of(atoms: Atoms) -> str | None:
    """fcc, bcc, diamond or zincblende; None for anything else. PackageError without spglib."""
    spglib = required("spglib", "lattices")
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=PRECISION)
    primitive = spglib.find_primitive(cell, symprec=PRECISION)
    if found is None or primitive is None:
        return None
    return BY_SPACE_GROUP.get((int(found.number), len(primitive[2])))


def conventional(atoms: Atoms) -> Atoms:
    """The conventional cell, whose axes Miller indices refer to. PackageError without spglib."""
    spglib = required("spglib", "lattices")
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.standardize_cell(cell, to_primitive=False, symprec=PRECISION)
    if found is None:
        return atoms.copy()
    lattice, scaled, numbers = found
    return Atoms(numbers, scaled_positions=scaled, cell=lattice, pbc=True)
