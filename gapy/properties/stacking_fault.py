"""Stacking faults: what it costs to slide one half of a crystal over the other.

    gamma = (E_faulted - N e) / A

In fcc, diamond and zincblende crystals the fault is the intrinsic one, (111) planes in the order
ABCABCAB that repeats: one plane is missing. A bcc crystal has no such minimum; its number is the
highest point on the way, half of a/2 [111] along (110), with atoms free to move across the plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.constraints import FixedLine

from gapy.errors import PropertyError
from gapy.properties.cutting import cut
from gapy.properties.lattices import conventional, lattice_of, with_moments_of
from gapy.properties.phase import PRECISION
from gapy.properties.relaxing import relax
from gapy.properties.result import Result, require_periodic
from gapy.properties.surface_energy import PER_AREA

MOST_LAYERS = 8
"""Of (111) planes or pairs of planes, one fewer than three full periods; of (110) planes."""


@dataclass(frozen=True)
class StackingFault(Result):
    """energy: J/m^2. kind: "intrinsic" or "unstable". faulted: the crystal with its fault."""

    units: ClassVar[Mapping[str, str]] = {}
    unit: ClassVar[str] = "J/m^2"
    kind: str
    energy: float
    faulted: Atoms

    def frames(self) -> tuple[Atoms, ...]:
        """The crystal with its fault."""
        return (self.faulted,)

    def numbers(self) -> dict[str, float]:
        """J/m^2 under the kind of the fault."""
        return {self.kind: self.energy}


def has_stacking(atoms: Atoms) -> bool:
    """Whether a fault is known for a crystal."""
    return lattice_of(atoms) is not None


def stacking(calculator, atoms: Atoms, *, force: float = 1e-2, steps: int = 300) -> StackingFault:
    """Energy of a stacking fault at the lattice constant of the crystal.

    Raises PropertyError for lattices other than fcc, diamond, zincblende and bcc, for moments of
    different signs, and where a relaxation fails.
    """
    require_periodic(atoms, "stacking")
    lattice = lattice_of(atoms)
    if lattice is None:
        raise PropertyError(
            f"stacking: expected an fcc, diamond, zincblende or bcc crystal, got "
            f"{atoms.get_chemical_formula()}; choose another property"
        )
    crystal = relax(calculator, atoms, cell="isotropic").atoms
    each = crystal.get_potential_energy() / len(crystal)
    cell = conventional(crystal)
    faulted = _sheared(cell) if lattice == "bcc" else _intrinsic(cell, lattice)
    end = relax(calculator, faulted, cell="fixed", force=force, steps=steps, same_phase=False).atoms
    area = float(np.linalg.norm(np.cross(end.cell[0], end.cell[1])))
    energy = float(end.get_potential_energy() - each * len(end)) / area * PER_AREA
    return StackingFault("unstable" if lattice == "bcc" else "intrinsic", energy, end)


def _intrinsic(cell: Atoms, lattice: str) -> Atoms:
    """Hexagonal cell of MOST_LAYERS planes (pairs of planes) whose order is that of the fault."""
    a = cell.cell.lengths()[0]
    side, apart = a / np.sqrt(2.0), a / np.sqrt(3.0)
    hexagonal = side * np.array([[1.0, 0.0, 0.0], [0.5, np.sqrt(0.75), 0.0]])
    step = (hexagonal[0] + hexagonal[1]) / 3.0
    # Of a pair of planes the second sits straight above the first, a bond length away.
    above = [0.0] if lattice == "fcc" else [0.0, 0.25 * np.sqrt(3.0) * a]
    kinds = [cell.numbers[0]] if lattice == "fcc" else [cell.numbers[0], cell.numbers[-1]]
    numbers, positions = [], []
    for k in range(MOST_LAYERS):
        for number, z in zip(kinds, above):
            numbers.append(number)
            positions.append(k % 3 * step + np.array([0.0, 0.0, k * apart + z]))
    box = np.vstack([hexagonal, [0.0, 0.0, MOST_LAYERS * apart]])
    out = Atoms(numbers, positions, cell=box, pbc=True)
    out.wrap()
    return with_moments_of(cell, out)


def _sheared(cell: Atoms) -> Atoms:
    """(110) planes whose repeat is shifted by half of the shortest lattice vector in the plane."""
    out = cut(cell, (1, 1, 0), MOST_LAYERS)
    burgers = _shortest_in_plane(out)
    out.cell[2] += 0.5 * burgers
    out.set_constraint(FixedLine(range(len(out)), np.cross(out.cell[0], out.cell[1])))
    return out


def _shortest_in_plane(atoms: Atoms) -> np.ndarray:
    """Shortest translation of the crystal along its first two cell vectors, A."""
    same = atoms.positions - atoms.positions[0]
    flat = same[np.abs(same[:, 2]) < PRECISION]
    steps = np.array(list(np.ndindex(5, 5))) - 2
    found = (flat[:, None, :] + (steps @ atoms.cell.array[:2])[None]).reshape(-1, 3)
    lengths = np.linalg.norm(found, axis=1)
    return found[np.argmin(np.where(lengths > PRECISION, lengths, np.inf))]
