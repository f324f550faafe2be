"""Pairs along a trajectory: what does not change is kept."""

from __future__ import annotations

import numpy as np

from gapy._jit.pairs import close_pairs
from gapy.geometry.neighbours import VerletList, differ
from gapy.geometry.pairs import Pairs


class MovingPairs:
    """All pairs within the cutoff, from one list with a skin.

    Pairs are searched again only when they could have changed (`VerletList`); between searches
    the vectors of the list are computed anew and those beyond the cutoff left out. Centres come
    in the order of their atomic numbers, which is that of any descriptor's species: nothing need
    be sorted again (`gapy.descriptors.selection`).

    Arguments: cutoff and skin in A.
    """

    def __init__(self, cutoff: float, skin: float):
        self._verlet = VerletList(cutoff, skin)
        self._numbers = np.empty(0, dtype=int)
        self._centre_i: np.ndarray | None = None

    def update(self, atoms) -> Pairs:
        """Pairs of the atoms where they are now.

        Raises StructureError as `pairs_within` does.
        """
        if self._centre_i is None or differ(atoms.numbers, self._numbers):
            self._centre_i = np.argsort(atoms.numbers, kind="stable")
            self._numbers = atoms.numbers.copy()
        positions = np.ascontiguousarray(atoms.positions, dtype=float)
        listed, box, _ = self._verlet.refresh(positions, atoms.cell.array, atoms.pbc)
        room = len(listed.j_p) + 1  # a pair beyond the cutoff is written before it is left out
        first_i = np.empty(len(self._centre_i) + 1, dtype=np.int64)
        j_p, r_pc = np.empty(room, dtype=np.int32), np.empty((room, 3))
        shortest = close_pairs(
            positions, box, self._centre_i, listed.first_i, listed.j_p, listed.shift_pc,
            self._verlet.cutoff, first_i, j_p, r_pc,
        )  # fmt: skip
        n = first_i[-1]
        pairs = Pairs(self._centre_i, first_i, j_p[:n], r_pc[:n], self._verlet.cutoff)
        pairs.refuse_coincident(shortest)
        return pairs
