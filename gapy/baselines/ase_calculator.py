"""Any ASE calculator as a baseline: the Gaussian process learns what it gets wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from gapy._support.objects import constructed
from gapy._support.voigt import PAIRS, has_volume
from gapy.baselines.protocol import Contribution, System
from gapy.baselines.whole import ANSWERS, of_whole, whole_structure
from gapy.errors import GapyError, StructureError
from gapy.structures.charge import with_initial_charges

METHODS = ("get_potential_energy", "get_forces")
"""What every ASE calculator has."""


@dataclass(frozen=True)
class ASECalculator:
    """Energy, forces and stress of an ASE calculator, stated by import path and arguments.

        E = E_calculator(structure),   F = F_calculator,   dE/d(strain) = V stress_calculator

    The energy is the one whose derivatives the forces are (`free_energy`) where the calculator has
    both, and belongs to the whole structure (`shared`). A structure without a periodic cell has no
    stress, and its virial is 0. The calculator finds the total `charge` of a structure in
    `atoms.info` and, spread evenly, as initial charges. Each process and thread makes the
    calculator once and resets it before every structure; its answers have to depend on species,
    positions, cell and charge alone, since they are kept.

    Model files hold path and arguments, not what these import: they are loaded with
    `gapy.load(path, trust=True)` only. Names of files in the arguments are those of the process
    that loads, relative ones from its working directory.

    Arguments
    ---------
    path : "package.module.Name" of a class or function, "tblite.ase.TBLite" for instance
    arguments : its keywords, as plain data: {"method": "GFN2-xTB"}; a table with the key "class"
        is an object of its own, made in the same way

    Raises
    ------
    GapyError : a path that cannot be imported, arguments that it refuses or that are no plain
        data, something that is no calculator
    """

    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind: ClassVar[str] = "calculator"
    pairwise: ClassVar[bool] = False
    species: ClassVar[None] = None
    cutoff: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path.strip("."):
            raise GapyError(
                f"baseline {self.kind}, path: expected the import path of a calculator, got "
                f"{self.path!r}; give one such as 'ase.calculators.emt.EMT'"
            )
        if not isinstance(self.arguments, Mapping):
            raise GapyError(
                f"baseline {self.kind}, arguments: expected names and values, got "
                f"{self.arguments!r}; give a table of keywords"
            )
        try:
            plain = json.loads(json.dumps(dict(self.arguments), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise GapyError(
                f"baseline {self.kind}, arguments: expected plain data that a model file can hold, "
                f"got {dict(self.arguments)!r}: {error}; give numbers, texts, lists and tables"
            ) from error
        object.__setattr__(self, "arguments", MappingProxyType(plain))
        self._calculator()

    def __reduce__(self) -> tuple:
        return type(self), (self.path, dict(self.arguments))

    def __hash__(self) -> int:
        return hash((self.path, self._text))

    @cached_property
    def _text(self) -> str:
        return json.dumps(dict(self.arguments), sort_keys=True)

    def _calculator(self) -> Any:
        return _made(self.path, self._text, threading.get_ident())

    def evaluate(self, system: System) -> Contribution:
        """Energy, forces and virial of a whole structure.

        Raises
        ------
        GapyError : a system without positions, cell or periodicity
        StructureError : the calculator raises an error, gives numbers that are not finite, or no
            stress of a periodic cell
        """
        return ANSWERS.of(self, whole_structure(system, self.kind), self._compute)

    def settings(self) -> dict:
        """path, and arguments as plain data."""
        return {"path": self.path, "arguments": json.loads(self._text)}

    def _compute(self, atoms: Atoms) -> Contribution:
        calculator = self._calculator()
        consistent = "free_energy" in getattr(calculator, "implemented_properties", ())
        virial = np.zeros((3, 3))
        if callable(forget := getattr(calculator, "reset", None)):
            forget()  # a wave function from the last structure would change the last digits
        with_initial_charges(atoms).calc = calculator
        wanted = "energy and forces"
        try:
            energy = atoms.get_potential_energy(force_consistent=consistent)
            forces = atoms.get_forces()
            if has_volume(atoms):
                wanted = "the stress of a periodic cell"
                for (a, b), value in zip(PAIRS, atoms.get_stress() * atoms.get_volume()):
                    virial[a, b] = virial[b, a] = value
        except Exception as error:
            raise StructureError(
                f"baseline {self.kind}: expected {wanted} from {self.path}, got "
                f"{type(error).__name__}: {' '.join(str(error).split())}; leave the structure out "
                "or choose a calculator that can evaluate it"
            ) from error
        out = of_whole(energy, forces, virial)
        if not (
            np.isfinite(out.shared) and np.isfinite(forces).all() and np.isfinite(virial).all()
        ):
            raise StructureError(
                f"baseline {self.kind}: expected finite numbers from {self.path}, got others; "
                "leave the structure out or choose a calculator that can evaluate it"
            )
        return out


@lru_cache(maxsize=32)
def _made(path: str, arguments: str, thread: int) -> Any:
    """The calculator of a thread: two must not use one at a time."""
    where = f"baseline {ASECalculator.kind}"
    made = constructed(path, json.loads(arguments), where)
    if isinstance(made, type) or not all(callable(getattr(made, name, None)) for name in METHODS):
        raise GapyError(
            f"{where}, path: expected what makes an ASE calculator, got {path!r}, which makes "
            f"{type(made).__name__}; correct it"
        )
    return made
