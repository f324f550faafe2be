"""How close two atoms of a run may come: the distances allowed, and the pair that is too close."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from gapy.geometry.neighbours import VerletList
from gapy.structures.checks import BOND_FRACTION

TRAINING_FRACTION = 0.7
"""Of the shortest distance in the training set: hot atoms come closer than those of a training set
that is cold, by a tenth or two; at 0.7 of it no force is known any more."""
SKIN = 1.0
"""A, of the list of close pairs, which is short."""


class Contacts:
    """Least distances of the species of one run.

    Arguments
    ---------
    numbers : atomic numbers of the run, (n,)
    known : shortest distance in the training set by pair of atomic numbers, A; a pair that is not
        in it may come to BOND_FRACTION of the sum of its covalent radii
    least : one distance for all pairs instead, A; 0 for no limit
    """

    def __init__(self, numbers: np.ndarray, known: dict, least: float | None = None):
        self.species, self._slots = np.unique(numbers, return_inverse=True)
        self._unknown = least is None and any(
            self._key(a, b) not in known for a, b in self._pairs()
        )
        self._given = least is not None
        size = len(self.species)
        self.least_ss = np.zeros((size, size))
        for a, b in self._pairs():
            distance = least
            if distance is None:
                radii = covalent_radii[self.species[a]] + covalent_radii[self.species[b]]
                shortest = known.get(self._key(a, b))
                distance = TRAINING_FRACTION * shortest if shortest else BOND_FRACTION * radii
            self.least_ss[a, b] = self.least_ss[b, a] = distance
        self._list = VerletList(self.least_ss.max(), SKIN) if self.least_ss.any() else None

    def _pairs(self):
        size = len(self.species)
        return [(a, b) for a in range(size) for b in range(a, size)]

    def _key(self, a: int, b: int) -> tuple[int, int]:
        return int(self.species[a]), int(self.species[b])

    def distances(self) -> dict[str, float]:
        """Least distance of each pair of species, A, as {"Al-Cu": 1.9}."""
        symbols = [chemical_symbols[z] for z in self.species]
        return {f"{symbols[a]}-{symbols[b]}": float(self.least_ss[a, b]) for a, b in self._pairs()}

    def source(self) -> str:
        """What is added to distances that the user did not choose."""
        if self._given:
            return ""
        training = f"{TRAINING_FRACTION:g} of the shortest in the training set"
        covalent = f"{BOND_FRACTION:g} of the covalent radii"
        return f" (the default, {f'{covalent} or {training}' if self._unknown else training})"

    def closest(self, atoms: Atoms) -> str | None:
        """The pair that is furthest below its least distance, in words; None if there is none.

        Raises StructureError for a cell without extent.
        """
        if self._list is None:
            return None
        pairs = self._list.update(atoms.positions, atoms.cell.array, atoms.pbc)
        if pairs.shortest_squared >= self.least_ss.max() ** 2:
            return None
        i_p = pairs.i_p
        distance = np.linalg.norm(pairs.r_pc, axis=1)
        least = self.least_ss[self._slots[i_p], self._slots[pairs.j_p]]
        below = np.flatnonzero(distance < least)
        if not len(below):
            return None
        worst = below[np.argmin(distance[below] / least[below])]
        i, j = sorted((int(i_p[worst]), int(pairs.j_p[worst])))
        symbols = atoms.get_chemical_symbols()
        return (
            f"{symbols[i]}{i} and {symbols[j]}{j} are {distance[worst]:.3g} A apart, closer than "
            f"min_distance = {least[worst]:.3g} A"
        )
