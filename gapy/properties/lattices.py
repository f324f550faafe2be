"""Which simple lattice a crystal has, and its cells: for properties that are defined on planes."""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from gapy.errors import PropertyError
from gapy.properties.phase import PRECISION, space_group
from gapy.properties.result import required
from gapy.structures.spins import KEY, MOMENTS, known_signs, with_moments, with_signs

BY_SPACE_GROUP = {
    (225, 1): "fcc", (229, 1): "bcc", (227, 2): "diamond", (216, 2): "zincblende",
}  # fmt: skip
"""(number of the space group, atoms of the primitive cell) -> name."""


def lattice_of(atoms: Atoms) -> str | None:
    """fcc, bcc, diamond or zincblende; None for anything else. PackageError without spglib."""
    return BY_SPACE_GROUP.get((space_group(atoms), len(_standard(atoms, to_primitive=True))))


def conventional(atoms: Atoms) -> Atoms:
    """The conventional cell, whose axes Miller indices refer to, with the moments of the elements.

    Raises PackageError without spglib, PropertyError as `with_moments_of`.
    """
    return with_moments_of(atoms, _standard(atoms, to_primitive=False))


def with_moments_of(crystal: Atoms, cell: Atoms) -> Atoms:
    """Another cell of a crystal, which then has the signs and initial moments of its elements.

    Raises PropertyError where atoms of one element have moments of different signs: which atom of
    the other cell has which, nobody knows.
    """
    signs = known_signs(crystal)
    if signs is None:
        return cell
    of_element = {z: crystal.numbers == z for z in np.unique(crystal.numbers).tolist()}
    for z, own in of_element.items():
        if np.ptp(signs[own]):
            raise PropertyError(
                f"moments: expected one sign for all atoms of an element, to put them on other "
                f"cells of the crystal, got {chemical_symbols[z]} with several; choose a property "
                "of the cell as it is, or remove moments that the calculator does not look at"
            )
    if KEY in crystal.arrays:
        with_signs(cell, np.array([signs[of_element[z]][0] for z in cell.numbers]))
    if MOMENTS in crystal.arrays:
        moments = crystal.get_initial_magnetic_moments()
        with_moments(cell, np.array([moments[of_element[z]].mean() for z in cell.numbers]))
    return cell


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
