"""What a descriptor sees of a pair list: its own cutoff, its own species, centres by species."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gapy._jit.pairs import select_pairs
from gapy.descriptors.base import Environments, known_slots
from gapy.errors import StructureError
from gapy.geometry.pairs import Pairs


class _Centres(NamedTuple):
    """slots (n,) of all atoms, -1 unknown; place_k: of each environment, its place in the list."""

    slots: np.ndarray
    place_k: np.ndarray
    atom_i: np.ndarray
    species_i: np.ndarray
    start_s: np.ndarray
    as_listed: bool


class Selection:
    """Environments of one descriptor from pairs at its cutoff (A) or a larger one.

    Atoms of a species that the descriptor does not know are neither centres nor neighbours. A list
    of the descriptor's own cutoff, whose centres come by species, is used as it is.
    """

    def __init__(self, species: tuple[int, ...], cutoff: float):
        self._species, self._cutoff = species, cutoff
        self._last: tuple[bytes, bytes, _Centres] | None = None

    def __call__(self, numbers: np.ndarray, pairs: Pairs) -> Environments:
        if pairs.cutoff < self._cutoff:
            raise StructureError(
                f"pairs: expected all that are shorter than the cutoff {self._cutoff:.4f} A, got a "
                f"list of cutoff {pairs.cutoff:.4f} A; search with the cutoff of the potential"
            )
        slots, place_k, atom_i, species_i, start_s, as_listed = self._centres(numbers, pairs)
        if as_listed and pairs.cutoff == self._cutoff:
            return Environments(
                atom_i, species_i, start_s, pairs.first_i, pairs.j_p, pairs.r_pc,
                slots.take(pairs.j_p),
            )  # fmt: skip
        room = len(pairs.j_p) + 1  # a pair is written before it is left out
        first_i = np.empty(len(atom_i) + 1, dtype=np.int64)
        j_p, species_p = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
        r_pc = np.empty((room, 3))
        n = select_pairs(
            place_k, slots, pairs.first_i, pairs.j_p, pairs.r_pc, self._cutoff, first_i, j_p,
            species_p, r_pc,
        )  # fmt: skip
        return Environments(atom_i, species_i, start_s, first_i, j_p[:n], r_pc[:n], species_p[:n])

    def _centres(self, numbers: np.ndarray, pairs: Pairs) -> _Centres:
        """Order and species of the centres; the last answer is kept, for a trajectory."""
        key = (numbers.tobytes(), pairs.centre_i.tobytes())
        last = self._last
        if last is None or last[:2] != key:
            slots = known_slots(self._species, numbers)
            listed = slots[pairs.centre_i]
            place_k = np.argsort(listed, kind="stable")[int((listed < 0).sum()) :]
            species_i = listed[place_k]
            start_s = np.zeros(len(self._species) + 1, dtype=np.int64)
            np.cumsum(np.bincount(species_i, minlength=len(self._species)), out=start_s[1:])
            as_listed = bool((slots >= 0).all() and (place_k[1:] > place_k[:-1]).all())
            centres = _Centres(
                slots, place_k, pairs.centre_i[place_k], species_i, start_s, as_listed
            )
            last = self._last = (*key, centres)
        return last[2]
