"""What the loop begins with: the start structures and a few distorted copies of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from gapy.active.frames import Request
from gapy.md.settings import real, whole
from gapy.structures.spins import moments_of

CLOSEST = 0.7
"""A rattled copy may bring two atoms to this share of the closest distance in its original."""
TRIES = 100


@dataclass(frozen=True, kw_only=True)
class Initial:
    """Structures that are labelled before there is a model.

    Attributes
    ----------
    rattles : distorted copies of each start structure, beside the structure itself
    rattle : A, width of the normal displacements of every coordinate
    strain : width of the normal entries of the strain, for structures periodic in all directions

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    rattles: int = 4
    rattle: float = 0.05
    strain: float = 0.02

    def __post_init__(self):
        object.__setattr__(self, "rattles", whole("rattles", self.rattles, least=0))
        object.__setattr__(self, "rattle", real("rattle", self.rattle, "A", least=0.0))
        object.__setattr__(self, "strain", real("strain", self.strain, "no unit", least=0.0))

    def requests(self, starts: Sequence[tuple[str, Atoms]], seed: int) -> list[Request]:
        """Requests for (name, structure) pairs; a structure that comes twice counts once."""
        rng = np.random.default_rng([int(seed), 0xA11])
        seen, out = set(), []
        for name, atoms in starts:
            moments = moments_of(atoms)
            parts = (atoms.numbers, atoms.positions, atoms.cell.array, moments)
            content = tuple(b"" if part is None else part.tobytes() for part in parts)
            if content in seen:
                continue
            seen.add(content)
            out.append(Request.initial(atoms, name))
            out += [Request.initial(self._distorted(atoms, rng), name) for _ in range(self.rattles)]
        return out

    def _distorted(self, atoms: Atoms, rng: np.random.Generator) -> Atoms:
        least = CLOSEST * _closest(atoms)
        new = atoms
        for _ in range(TRIES):
            new = atoms.copy()
            if self.strain and new.pbc.all():
                strain = rng.normal(scale=self.strain, size=(3, 3))
                deformation = np.eye(3) + 0.5 * (strain + strain.T)
                new.set_cell(new.cell.array @ deformation, scale_atoms=True)
            new.positions += rng.normal(scale=self.rattle, size=new.positions.shape)
            if _closest(new) > least:
                break
        return new


def _closest(atoms: Atoms) -> float:
    """Shortest distance between two atoms, periodic images included, A; 0 for a lone atom."""
    from gapy.geometry.neighbours import neighbour_list

    found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, 4.0).shortest_squared
    return float(np.sqrt(found)) if np.isfinite(found) else 0.0
