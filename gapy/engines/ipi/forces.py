"""Energy, forces and virial of a structure in atomic units, as i-PI wants them."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
from ase import units

from gapy.errors import GapyError


class Answer(NamedTuple):
    """energy (Ha), forces (n, 3) Ha/bohr, virial (3, 3) -dE/d(strain) Ha; extras: JSON text."""

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    extras: str


class Forces:
    """A calculator for the atoms of one structure, whose places and cell i-PI states.

    Arguments
    ---------
    potential : gapy.Potential
    atoms : species and periodic directions, which the protocol does not tell; in i-PI's order
    uncertainty : as of the calculator; with it the extras hold `force_std` (n,) eV/A, the force
        sigma of every atom, and `max_force_std`, the largest

    Raises SpeciesError for a species that the potential does not know.
    """

    def __init__(self, potential, atoms, *, uncertainty=True, threads: int = 1):
        potential.check_species(atoms.numbers)
        self._atoms = atoms.copy()
        self._calculator = potential.calculator(uncertainty=uncertainty, threads=threads)
        self._volume = bool(atoms.pbc.any())

    def __call__(self, cell: np.ndarray, positions: np.ndarray) -> Answer:
        """Of lattice vectors (3, 3) in rows and positions (n, 3), both bohr.

        Raises GapyError for another number of atoms, and what the potential refuses.
        """
        if np.shape(positions) != (len(self._atoms), 3):
            raise GapyError(
                f"i-PI: expected {len(self._atoms)} atoms, as in the start structure, got "
                f"{len(positions)}; give both the same structure"
            )
        self._atoms.positions[:] = positions * units.Bohr
        self._atoms.cell[:] = np.where(self._atoms.pbc[:, None], cell * units.Bohr, 0.0)
        self._calculator.calculate(self._atoms, ["forces"])
        found = self._calculator.results
        virial = np.zeros((3, 3))
        if "stress" in found:
            xx, yy, zz, yz, xz, xy = -found["stress"] * self._atoms.cell.volume
            virial = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        extras = {}
        if "forces_std" in found:
            sigma = found["forces_std"][:, 0]
            extras = {"force_std": sigma.tolist(), "max_force_std": float(sigma.max(initial=0.0))}
        return Answer(
            float(found["energy"]) / units.Hartree,
            found["forces"] * (units.Bohr / units.Hartree),
            virial / units.Hartree,
            json.dumps(extras),
        )
