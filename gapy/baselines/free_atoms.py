"""Free atoms: every atom has the energy of its species alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from ase.data import chemical_symbols

from gapy.baselines.e0 import e0_values
from gapy.baselines.elements import N_ELEMENTS, elements_of, require_served
from gapy.baselines.protocol import Contribution, System
from gapy.errors import GapyError


@dataclass(frozen=True)
class FreeAtoms:
    """E = sum_i e0(Z_i); no forces, no virial, no pairs.

    e0 : {"Si": -107.1} or by atomic number, eV; `isolated_atom_energies` finds values for a
        training set

    Raises
    ------
    GapyError : no mapping, a value that is no finite number, a species twice
    SpeciesError : a name that is no chemical element
    """

    e0: Mapping[int, float]
    kind: ClassVar[str] = "free_atoms"
    pairwise: ClassVar[bool] = True
    cutoff: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not isinstance(self.e0, Mapping):
            raise GapyError(
                f"baseline {self.kind}, e0: expected a mapping from species to eV, got "
                f"{self.e0!r}; find values with isolated_atom_energies"
            )
        values = dict(sorted(e0_values(self.e0.items()).items()))
        object.__setattr__(self, "e0", MappingProxyType(values))

    def __reduce__(self) -> tuple:
        return type(self), (dict(self.e0),)

    def __hash__(self) -> int:
        return hash(tuple(self.e0.items()))

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that have an energy."""
        return tuple(self.e0)

    def evaluate(self, system: System) -> Contribution:
        """e0 of every centre.

        Raises
        ------
        SpeciesError : an atom, centre or not, of another species
        """
        numbers = np.asarray(system.numbers)
        require_served(elements_of(numbers), self.species, self.kind)
        e0_z = np.zeros(N_ELEMENTS)
        e0_z[list(self.e0)] = list(self.e0.values())
        out = Contribution.zeros(len(numbers))
        out.energies[system.centres] = e0_z[numbers[system.centres]]
        return out

    def settings(self) -> dict:
        """{"e0": {symbol: eV}}."""
        return {"e0": {chemical_symbols[z]: e for z, e in self.e0.items()}}
