"""What the fit and the engine need from a descriptor, and the arrays that pass between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import ase.data
import numpy as np

from gapy.errors import SpeciesError

AT_ONCE = 256
"""Centres described in one go where no gradients follow: a few MB, and within 6 % of the fastest
(measured with 324 components and kernel values of 1000 points: 128 is 9 % slower, 512 6 % faster).
With gradients it is `gapy.model.engine.BLOCK`."""


@dataclass(frozen=True)
class Environments:
    """Neighbourhoods of a structure, centres ordered by species.

    Only of atoms whose species the descriptor knows, and only of those that the pair list has as
    centres.

    Centre i is atom `atom_i[i]` of species slot `species_i[i]`; its pairs are
    first_i[i]:first_i[i + 1] with atom j_p and vector r_pc (A); `species_p` is the slot of the
    neighbour, or another kind that the descriptor makes of it. Centres of slot s are
    start_s[s]:start_s[s + 1].
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

    def blocks(self, slot: int, size: int = AT_ONCE):
        """Ranges (begin, end) of at most `size` centres of one species slot."""
        for begin in range(self.start_s[slot], self.start_s[slot + 1], size):
            yield begin, min(begin + size, int(self.start_s[slot + 1]))


class Passes(NamedTuple):
    """What a force call asks of a descriptor; verbs as in `gapy.descriptors.protocol`."""

    forward: Callable
    unseen: Callable
    gradient_store: Callable
    backward: Callable
    collect: Callable

    @classmethod
    def of(cls, descriptor) -> Passes:
        """Those of a descriptor."""
        return cls(*(getattr(descriptor, verb) for verb in cls._fields))


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


def by_atom(descriptor, atoms) -> np.ndarray:
    """Descriptors (n, D) of all atoms of a structure; zeros for species it does not know."""
    env = descriptor.environments(atoms)
    x_nd = np.zeros((len(atoms), descriptor.n_features))
    for slot in range(len(descriptor.species)):
        for begin, end in env.blocks(slot):
            x_nd[env.atom_i[begin:end]] = descriptor.values(env, begin, end)
    return x_nd


def magnetic_elements(descriptors) -> set[int]:
    """Atomic numbers of the elements whose signs of moments some descriptor looks at."""
    return {z for descriptor in descriptors for z in descriptor.magnetic}


def known_species(descriptors) -> list[int]:
    """Atomic numbers that at least one of the descriptors knows."""
    return sorted({z for d in descriptors for z in d.species})


def known_slots(species: tuple[int, ...], numbers: np.ndarray) -> np.ndarray:
    """Slot of every atom in the descriptor's sorted species (n,) int32; -1 for an unknown one."""
    species_z = np.asarray(species)
    slots = np.searchsorted(species_z, numbers)
    known = species_z[np.minimum(slots, len(species_z) - 1)] == numbers
    return np.where(known, slots, -1).astype(np.int32)


def species_slots(species: tuple[int, ...], numbers: np.ndarray) -> np.ndarray:
    """As `known_slots`, but SpeciesError for an unknown species."""
    slots = known_slots(species, numbers)
    if (slots < 0).any():
        unknown = sorted({ase.data.chemical_symbols[z] for z in np.asarray(numbers)[slots < 0]})
        names = [ase.data.chemical_symbols[z] for z in species]
        raise SpeciesError(
            f"species: the descriptor knows {names}, the structure also holds {unknown}; "
            "add them to the descriptor's species and fit again"
        )
    return slots
