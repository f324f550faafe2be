"""Relaxation to vanishing forces, and stress if the cell may follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, LBFGS

from gapy._support.voigt import is_crystal
from gapy.errors import GapyError, PropertyError
from gapy.properties.phase import left, phase_of
from gapy.properties.result import Result, require_periodic

CELLS = ("fixed", "free", "isotropic", "shape")
LATTICE = {
    "energy": "eV/atom", "volume": "A^3/atom", "a": "A", "b": "A", "c": "A",
    "alpha": "degrees", "beta": "degrees", "gamma": "degrees",
}  # fmt: skip
"""Units of what a crystal at rest is described by."""
RUNAWAY = 3.0
"""Factor on the volume, either way, at which a relaxation is given up: what collapses has ever more
neighbours, and never ends."""
MANY = 200
"""Atoms from which the optimiser keeps no full Hessian."""


@dataclass(frozen=True)
class Relaxed(Result):
    """A structure at rest.

    atoms: with its energy, forces and stress where it is periodic. steps: of the optimiser.
    energy: eV. largest_force: eV/A.
    """

    units: ClassVar[Mapping[str, str]] = LATTICE
    atoms: Atoms
    energy: float
    steps: int
    largest_force: float

    def frames(self) -> tuple[Atoms, ...]:
        """The structure at rest."""
        return (self.atoms,)

    def numbers(self) -> dict[str, float]:
        """energy (eV/atom), and of a crystal volume (A^3/atom) and the lengths of its lattice.

        Lengths (A) and angles (degrees) are those of the conventional cell.
        """
        out = {"energy": self.energy / len(self.atoms)}
        if is_crystal(self.atoms):
            out["volume"] = float(self.atoms.get_volume()) / len(self.atoms)
            out |= lattice(self.atoms)
        return out


def relax(
    calculator,
    atoms: Atoms,
    *,
    cell: str | None = None,
    force: float = 1e-3,
    steps: int = 500,
    same_phase: bool = True,
    symmetry: bool = True,
    watched: np.ndarray | None = None,
) -> Relaxed:
    """Relax positions, and the cell with them, by BFGS on the logarithm of the deformation.

    Arguments
    ---------
    cell : "free" (six strains), "isotropic" (volume only), "shape" (at constant volume) or "fixed";
        by default free for a crystal and fixed for anything else
    force : largest force that remains, eV/A; of the cell it is the virial per atom
    steps : of the optimiser, at most
    same_phase : refuse an end of another volume (20 %), number of neighbours or, if `symmetry`,
        space group (by spglib where that is installed) than the start, if it has any symmetry
    watched : atoms (n,) whose number of neighbours is to stay; all by default

    Raises
    ------
    PropertyError : not converged, RUNAWAY from the volume, or another phase than the start
    GapyError : a cell that cannot relax, settings that are no positive numbers

    Source: the filter is that of ASE, after Larsen et al., J. Phys.: Condens. Matter 29, 273002
    (2017).
    """
    cell = ("free" if is_crystal(atoms) else "fixed") if cell is None else cell
    if cell not in CELLS:
        raise GapyError(f"cell: expected one of {', '.join(CELLS)}, got {cell!r}; correct it")
    if not (force > 0.0 and steps >= 1):
        raise GapyError(f"force, steps: expected positive numbers, got {force} and {steps}")
    if cell != "fixed":
        require_periodic(atoms, "relax")
    before = phase_of(atoms, symmetry=same_phase and symmetry)
    work = atoms.copy()
    work.calc = calculator
    moving = _filtered(work, cell)
    optimiser = (BFGS if len(work) < MANY else LBFGS)(moving, logfile=None)
    if cell != "fixed":
        optimiser.attach(_require_near, 1, work, float(atoms.get_volume()))
    try:
        converged = bool(optimiser.run(fmax=force, steps=steps))
    except PropertyError:
        raise
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise PropertyError(
            f"relax: {atoms.get_chemical_formula()} cannot be followed after "
            f"{optimiser.nsteps} steps, {error}; begin from another structure"
        ) from error
    if not converged:
        raise PropertyError(
            f"relax: {atoms.get_chemical_formula()} has forces of up to "
            f"{np.abs(moving.get_forces()).max():.3g} eV/A after {steps} steps, expected "
            f"{force:g}; allow more steps, or begin nearer to the minimum"
        )
    lost = left(before, work, symmetry=symmetry, watched=watched) if same_phase else None
    if lost:
        raise PropertyError(
            f"relax: {atoms.get_chemical_formula()} left its phase, {lost}; the model has no such "
            "minimum here, or begin nearer to it"
        )
    largest = float(np.abs(work.get_forces()).max())
    return Relaxed(at_rest(work), float(work.get_potential_energy()), optimiser.nsteps, largest)


def _require_near(atoms: Atoms, volume: float) -> None:
    """PropertyError where the volume (A^3) is RUNAWAY from what it was."""
    now = float(atoms.get_volume())
    if not volume / RUNAWAY < now < volume * RUNAWAY:
        raise PropertyError(
            f"relax: {atoms.get_chemical_formula()} ran away, its volume went from {volume:.3g} to "
            f"{now:.3g} A^3; the model has no minimum here, or begin nearer to it"
        )


def at_rest(atoms: Atoms) -> Atoms:
    """A copy that holds energy, forces and stress rather than a calculator."""
    from ase.calculators.singlepoint import SinglePointCalculator

    out = atoms.copy()
    known = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    if is_crystal(atoms):
        known["stress"] = atoms.get_stress()
    out.calc = SinglePointCalculator(out, **known)
    return out


def lattice(atoms: Atoms) -> dict[str, float]:
    """Lengths (A) and angles (degrees) that the Bravais lattice leaves free, conventional cell."""
    found = atoms.cell.get_bravais_lattice(eps=1e-3)
    return {name: float(value) for name, value in found.vars().items()}


def _filtered(atoms: Atoms, cell: str):
    if cell == "fixed":
        return atoms
    return FrechetCellFilter(
        atoms, hydrostatic_strain=cell == "isotropic", constant_volume=cell == "shape"
    )
