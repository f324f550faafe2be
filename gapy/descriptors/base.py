"""What the fit and the engine need from a descriptor, and the arrays that pass between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ase.data
import numpy as np

from gapy.errors import SpeciesError
from gapy.neighbours import Neighbours


@dataclass(frozen=True)
class Environments:
    """Neighbourhoods of a structure: pairs in CSR form, species as slots of the descriptor."""

    neighbours: Neighbours
    species_i: np.ndarray

    def __len__(self) -> int:
        return len(self.species_i)

    @property
    def first_i(self) -> np.ndarray:
        return self.neighbours.first_i

    @property
    def j_p(self) -> np.ndarray:
        return self.neighbours.j_p

    @property
    def r_pc(self) -> np.ndarray:
        return self.neighbours.r_pc

    @cached_property
    def species_p(self) -> np.ndarray:
        return self.species_i[self.neighbours.j_p]


@dataclass(frozen=True)
class DerivativeBlock:
    """Descriptors of some centres and their derivatives.

    x_id (b, D); pairs of local centre i are first_i[i]:first_i[i+1] with atom j_p and
    dx_pcd = d x_i / d r_jc (P, 3, D). The centre's own derivative is minus the sum over its pairs.
    Strain derivatives: either r_pc (P, 3), where d x / d eps_ab = sum_p dx_pa r_pb, or
    strain_ivd (b, 6, D) in Voigt order.
    """

    begin: int
    x_id: np.ndarray
    first_i: np.ndarray
    j_p: np.ndarray
    dx_pcd: np.ndarray
    r_pc: np.ndarray | None = None
    strain_ivd: np.ndarray | None = None


def species_slots(species: tuple[int, ...], numbers: np.ndarray) -> np.ndarray:
    """Slot of every atom in the descriptor's sorted species; SpeciesError for an unknown one."""
    species_z = np.asarray(species)
    slots = np.searchsorted(species_z, numbers)
    known = species_z[np.minimum(slots, len(species_z) - 1)] == numbers
    if not np.all(known):
        unknown = sorted({ase.data.chemical_symbols[z] for z in np.asarray(numbers)[~known]})
        names = [ase.data.chemical_symbols[z] for z in species]
        raise SpeciesError(
            f"species: the descriptor knows {names}, the structure also holds {unknown}; "
            "add them to the descriptor's species and fit again"
        )
    return slots.astype(np.int64)
