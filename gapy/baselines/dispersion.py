"""Dispersion: the attraction of induced dipoles, which reaches beyond any local descriptor."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.geometry import complete_cell
from ase.units import Bohr, Hartree

from gapy.baselines.protocol import Contribution, System
from gapy.baselines.whole import ANSWERS, of_whole, whole_structure
from gapy.errors import GapyError, PackageError, SpeciesError, StructureError

METHODS = {"d3bj": "dftd3", "d4": "dftd4"}
"""The package behind each."""
LAST = 103
"""Largest atomic number with parameters."""
PAIRS, TRIPLES, SMOOTH = 60.0, 40.0, 2.0
"""Where the energies of pairs and triples end, and over which length before it, Bohr."""
COUNTED = {"d3bj": 40.0, "d4": 30.0}
"""Where neighbours cease to count for the coordination number, Bohr, as in the libraries."""
VACUUM = 20.0
"""Beside the atoms in directions without images, A."""
NEUTRAL = 0.0
"""Total charge, e, from which D4 finds the charges of the atoms."""


@dataclass(frozen=True)
class Dispersion:
    """DFT-D3 with rational damping or DFT-D4, by the libraries of their authors.

        E = - sum_ij sum_(n = 6, 8) s_n C_n(ij) / (r_ij^n + (a1 R0_ij + a2)^n) / 2 + E_ATM

    C_n depend on coordination numbers, in D4 on charges too; s_n, a1 and a2 belong to a density
    functional; E_ATM, the three-body term, is in D4 and, by the default of dftd3, not in D3. All of
    the energy is `shared`: it belongs to the whole structure. It ends where it does by default in
    the libraries, at 60 Bohr (31.8 A) for pairs and 40 Bohr (21.2 A) for triples, there smoothly
    over the last 2 Bohr by the libraries' own switch, so that forces are derivatives of the energy;
    with their sharp end it jumps. Cells that are periodic in one or two directions are summed over
    images in these alone by D3; D4 refuses them, for the virial of dftd4 4.3 is no derivative
    there. D4 takes structures as neutral.

    Arguments
    ---------
    method : "d3bj" (package dftd3) or "d4" (package dftd4)
    functional : name of the density functional as the library has it, "pbe" for instance

    Raises
    ------
    GapyError : an unknown method or functional
    PackageError : the package of the method is not installed

    Sources: Grimme, Antony, Ehrlich and Krieg, J. Chem. Phys. 132, 154104 (2010); Grimme, Ehrlich
    and Goerigk, J. Comput. Chem. 32, 1456 (2011); Caldeweyher et al., J. Chem. Phys. 150, 154122
    (2019).
    """

    method: str = "d3bj"
    functional: str = "pbe"
    kind: ClassVar[str] = "dispersion"
    pairwise: ClassVar[bool] = False
    species: ClassVar[None] = None
    cutoff: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.method not in tuple(METHODS):
            raise GapyError(
                f"baseline {self.kind}, method: expected one of {', '.join(METHODS)}, got "
                f"{self.method!r}; correct it"
            )
        if not isinstance(self.functional, str) or not self.functional.strip():
            raise GapyError(
                f"baseline {self.kind}, functional: expected the name of a density functional, got "
                f"{self.functional!r}; give one, 'pbe' for instance"
            )
        object.__setattr__(self, "functional", self.functional.strip().lower())
        _damping(self.method, self.functional)

    def evaluate(self, system: System) -> Contribution:
        """Energy, forces and virial of a whole structure.

        Raises
        ------
        GapyError : a system without positions, cell or periodicity
        SpeciesError : an element beyond lawrencium, of which there are no parameters
        StructureError : a structure that the library refuses, or for D4 one with one or two
            periodic directions
        """
        return ANSWERS.of(self, whole_structure(system, self.kind), self._compute)

    def settings(self) -> dict:
        """method, functional."""
        return {"method": self.method, "functional": self.functional}

    def _compute(self, atoms: Atoms) -> Contribution:
        damping = _damping(self.method, self.functional)
        if not len(atoms):
            return of_whole(0.0, np.zeros((0, 3)), np.zeros((3, 3)))
        _require_parameters(atoms.numbers, self.method)
        if self.method == "d4" and atoms.pbc.any() and not atoms.pbc.all():
            raise StructureError(
                f"baseline {self.kind}: expected a structure without or with three periodic "
                f"directions for d4, got pbc={atoms.pbc.tolist()}; take method 'd3bj' or change pbc"
            )
        positions, box = _in_box(atoms)
        given: list[Any] = [atoms.numbers, positions / Bohr]
        if self.method == "d4":
            given.append(NEUTRAL)
        if atoms.pbc.any():
            given += [box / Bohr, atoms.pbc]
        try:
            model = _interface(self.method).DispersionModel(*given)
            model.set_realspace_cutoff(
                disp2=PAIRS, disp3=TRIPLES, cn=COUNTED[self.method], width2=SMOOTH, width3=SMOOTH
            )
            found = model.get_dispersion(damping, grad=True)
        except (RuntimeError, ValueError) as error:
            raise StructureError(
                f"baseline {self.kind}: expected a structure that {METHODS[self.method]} can "
                f"evaluate, got {' '.join(str(error).split())!r}; correct the structure or leave "
                "the baseline out"
            ) from error
        forces = -np.asarray(found["gradient"]) * (Hartree / Bohr)
        return of_whole(
            float(found["energy"]) * Hartree, forces, np.asarray(found["virial"]) * Hartree
        )


def _require_parameters(numbers: np.ndarray, method: str) -> None:
    # dftd3 1.7 gives zero for elements beyond, or ends the process.
    if (beyond := int(numbers.max())) > LAST:
        raise SpeciesError(
            f"baseline {Dispersion.kind}: expected elements up to {chemical_symbols[LAST]}, of "
            f"which {method} has parameters, got {chemical_symbols[beyond]}; leave the baseline out"
        )


def _in_box(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Positions and a cell of full rank, A, that holds all atoms in directions without images.

    The libraries fold positions into the cell in those directions too, and need its inverse.
    """
    periodic = atoms.pbc[:, None]
    box = complete_cell(np.where(periodic, atoms.cell.array, 0.0))
    positions = atoms.positions.copy()
    for axis in np.flatnonzero(~atoms.pbc):
        normal = box[axis]  # of length 1, at right angles to all others
        along = positions @ normal
        length = float(np.ptp(along)) + VACUUM
        positions += (0.5 * (length - along.min() - along.max())) * normal
        box[axis] = length * normal
    return positions, box


def _interface(method: str) -> ModuleType:
    package = METHODS[method]
    try:
        return importlib.import_module(f"{package}.interface")
    except ImportError as error:
        raise PackageError(
            f"baseline {Dispersion.kind}: method {method!r} needs the package {package}, which is "
            'not installed; pip install "gapy[dispersion]"'
        ) from error


def _damping(method: str, functional: str) -> Any:
    """Damping parameters of a functional; not kept, for the libraries free them too late then."""
    interface = _interface(method)
    name = {"d3bj": "RationalDampingParam", "d4": "DampingParam"}[method]
    try:
        return getattr(interface, name)(method=functional)
    except RuntimeError as error:
        raise GapyError(
            f"baseline {Dispersion.kind}, functional: expected one that {METHODS[method]} has "
            f"{method} parameters of, got {functional!r}; correct the name"
        ) from error
