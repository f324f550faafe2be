"""One step as a frozen frame: structure, results of the calculator, standard deviations."""

from __future__ import annotations

import io

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz

from gapy.structures.charge import charge_of, with_charge
from gapy.structures.spins import KEY, MOMENTS

STD_ARRAYS = ("forces_std", "energies_std")
RESULTS = ("energy", "forces", "stress", "energies")


def evaluate(atoms: Atoms, *, stress: bool) -> Atoms:
    """Call the calculator of `atoms` and return an independent frame.

    The frame has numbers, positions, momenta, masses, cell, pbc and constraints, energy and
    forces (and stress and local energies where the calculator has them) in a
    SinglePointCalculator, and `forces_std` (n, 3) eV/A and `energies_std` (n,) eV in `arrays`,
    since ASE writes no results that it does not know. Initial magnetic moments and their signs
    stay. Other info than the charge and further arrays of `atoms` are left behind: labels of the
    start structure would be false here.
    """
    if stress:
        atoms.get_stress(apply_constraint=False)
    atoms.get_forces(apply_constraint=False)
    results = atoms.calc.results
    if "energy" not in results:  # asking costs ASE's comparison of all atoms once more
        atoms.get_potential_energy()
        results = atoms.calc.results
    frame = Atoms(
        numbers=atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell,
        pbc=atoms.pbc,
        constraint=[constraint.copy() for constraint in atoms.constraints],
    )
    with_charge(frame, charge_of(atoms))
    for name in ("masses", "momenta", "tags", KEY, MOMENTS):
        if atoms.has(name):
            frame.set_array(name, atoms.get_array(name))
    for name in STD_ARRAYS:
        if results.get(name) is not None:
            frame.set_array(name, np.array(results[name], dtype=float))
    kept = {name: results[name] for name in RESULTS if results.get(name) is not None}
    kept["energy"] = float(kept["energy"])
    frame.calc = SinglePointCalculator(frame, **kept)  # copies the arrays
    return frame


def to_extxyz(frame: Atoms, **info) -> bytes:
    """The frame as extended XYZ, with its charge and `info` on its comment line."""
    labelled = frame.copy()
    labelled.calc = frame.calc
    labelled.info = with_charge(Atoms(), charge_of(frame)).info | info
    text = io.StringIO()
    write_extxyz(text, [labelled])
    return text.getvalue().encode()
