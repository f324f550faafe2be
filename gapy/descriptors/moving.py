"""Environments of one descriptor along a trajectory: what does not change is kept."""

from __future__ import annotations

import numpy as np

from gapy._jit.pairs import close_pairs
from gapy.descriptors.base import Environments, refuse_coincident, species_slots
from gapy.neighbours import VerletList, differ


class MovingEnvironments:
    """The environments that `descriptor.environments(atoms)` gives, from a list with a skin.

    Pairs are searched again only when they could have changed (`VerletList`); between searches
    the vectors of the list are computed anew and those beyond the cutoff left out.

    Arguments: a descriptor that takes neighbours, the skin in A.
    """

    def __init__(self, descriptor, skin: float):
        self._descriptor = descriptor
        self._verlet = VerletList(descriptor.cutoff, skin)
        self._numbers = np.empty(0, dtype=int)
        self._centres: tuple | None = None

    def update(self, atoms) -> Environments:
        """Environments of the atoms where they are now.

        Raises SpeciesError or StructureError as `descriptor.environments` does.
        """
        atom_i, slots, slots_i, start_s = self._species(atoms.numbers)
        positions = np.ascontiguousarray(atoms.positions, dtype=float)
        pairs, box, _ = self._verlet.refresh(positions, atoms.cell.array, atoms.pbc)
        room = len(pairs.j_p) + 1  # a pair beyond the cutoff is written before it is left out
        first_i = np.empty(len(atom_i) + 1, dtype=np.int64)
        j_p, species_p = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
        r_pc = np.empty((room, 3))
        shortest = close_pairs(
            positions, box, atom_i, slots, pairs.first_i, pairs.j_p, pairs.shift_pc,
            self._descriptor.cutoff, first_i, j_p, species_p, r_pc,
        )  # fmt: skip
        n = first_i[-1]
        env = Environments(atom_i, slots_i, start_s, first_i, j_p[:n], r_pc[:n], species_p[:n])
        refuse_coincident(shortest, env)
        return env

    def _species(self, numbers: np.ndarray) -> tuple:
        """Order of the centres and their species, kept while the numbers stay."""
        if self._centres is None or differ(numbers, self._numbers):
            slots = species_slots(self._descriptor.species, numbers)
            atom_i = np.argsort(slots, kind="stable")
            start_s = np.zeros(len(self._descriptor.species) + 1, dtype=np.int64)
            np.cumsum(np.bincount(slots, minlength=len(start_s) - 1), out=start_s[1:])
            self._centres = (atom_i, slots, slots[atom_i], start_s)
            self._numbers = numbers.copy()
        return self._centres
