"""What the fit and the engine need from a descriptor, and the arrays that pass between them."""

from __future__ import annotations

from dataclasses import dataclass

import ase.data
import numpy as np

from gapy.errors import SpeciesError, StructureError
from gapy.neighbours import Neighbours


@dataclass(frozen=True)
class Environments:
    """Neighbourhoods of a structure, centres ordered by species.

    Centre i is atom `atom_i[i]` of species slot `species_i[i]`; its pairs are
    first_i[i]:first_i[i + 1] with atom j_p and vector r_pc (A); `species_p` is the slot of the
    neighbour. Centres of slot s are start_s[s]:start_s[s + 1].
    """

    atom_i: np.ndarray
    species_i: np.ndarray
    start_s: np.ndarray
    first_i: np.ndarray
    j_p: np.ndarray
    r_pc: np.ndarray
    species_p: np.ndarray

    def __len__(self) -> int:
        return len(self.species_i)

    def blocks(self, slot: int, size: int):
        """Ranges (begin, end) of at most `size` centres of one species slot."""
        for begin in range(self.start_s[slot], self.start_s[slot + 1], size):
            yield begin, min(begin + size, int(self.start_s[slot + 1]))


def order_by_species(neighbours: Neighbours, slots: np.ndarray, n_slots: int) -> Environments:
    """Environments of all atoms from a neighbour list in atom order."""
    start_s = np.zeros(n_slots + 1, dtype=np.int64)
    np.cumsum(np.bincount(slots, minlength=n_slots), out=start_s[1:])
    species_p = slots[neighbours.j_p]
    first_i, j_p, r_pc = neighbours.first_i, neighbours.j_p, neighbours.r_pc
    if (slots[1:] >= slots[:-1]).all():
        atom_i = np.arange(len(slots))
        return Environments(atom_i, slots, start_s, first_i, j_p, r_pc, species_p)
    atom_i = np.argsort(slots, kind="stable")
    counts = np.diff(first_i)[atom_i]
    ordered = np.zeros_like(first_i)
    np.cumsum(counts, out=ordered[1:])
    take = np.arange(len(j_p)) + np.repeat(first_i[:-1][atom_i] - ordered[:-1], counts)
    return Environments(
        atom_i, slots[atom_i], start_s, ordered, j_p[take], r_pc[take], species_p[take]
    )


def refuse_coincident(shortest_squared: float, env: Environments) -> None:
    """Raise StructureError if two atoms are on top of each other."""
    if shortest_squared >= 1e-10:
        return
    d2 = np.einsum("pc,pc->p", env.r_pc, env.r_pc)
    p = int(d2.argmin())
    i = int(env.atom_i[np.searchsorted(env.first_i, p, side="right") - 1])
    raise StructureError(
        f"positions: atoms {i} and {int(env.j_p[p])} are on top of each other "
        f"({np.sqrt(d2[p]):.1e} A apart); remove one of them"
    )


@dataclass(frozen=True)
class DerivativeBlock:
    """Descriptors of some centres and their derivatives.

    x_id (b, D); centre i is atom atom_i[i]; its pairs are first_i[i]:first_i[i+1] with atom j_p
    and dx_pcd = d x_i / d r_jc (P, 3, D). The centre's own derivative is minus the sum over its
    pairs. Strain derivatives: either r_pc (P, 3), where d x / d eps_ab = sum_p dx_pa r_pb, or
    strain_ivd (b, 6, D) in Voigt order.
    """

    atom_i: np.ndarray
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
    return slots.astype(np.int32)
