"""What every property gives: something frozen with named numbers."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import ModuleType
from typing import ClassVar

from ase import Atoms

from gapy._support.voigt import is_crystal
from gapy.errors import GapyError, PackageError


class Result(ABC):
    """A property's result.

    units: of the numbers by name; unit: of those that it does not name.
    """

    units: ClassVar[Mapping[str, str]] = {}
    unit: ClassVar[str] = ""

    @abstractmethod
    def numbers(self) -> dict[str, float]:
        """name -> value, in the units that the class states."""

    @abstractmethod
    def frames(self) -> tuple[Atoms, ...]:
        """Structures that were computed, with energies and forces."""

    def unit_of(self, name: str) -> str:
        """The unit of a number, empty for one without."""
        return self.units.get(name, self.unit)


def required(module: str, what: str) -> ModuleType:
    """A module of the extra `properties`, or PackageError with what brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PackageError(
            f"{what}: needs the package {module.partition('.')[0]}, which is not installed; "
            'pip install "gapy[properties]"'
        ) from error


def require_periodic(atoms, what: str) -> None:
    """GapyError unless a structure is periodic in three directions."""
    if not is_crystal(atoms):
        raise GapyError(
            f"{what}: expected a crystal, periodic in three directions, got pbc="
            f"{atoms.pbc.tolist()} and a cell of rank {atoms.cell.rank}; give cell and pbc"
        )
