"""Whether a structure is still of the phase that it began in.

Three marks are compared: the volume per atom, how many neighbours each atom has, and the space
group. Neighbours are counted up to the widest gap between the distances of the start, scaled with
the cube root of the volume, so that a pure expansion changes none of them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from ase import Atoms

from gapy._support.voigt import is_crystal
from gapy.geometry.neighbours import Neighbours, neighbour_list

VOLUME = 0.2
"""Relative change of the volume per atom beyond which a phase is left."""
WITHIN = 1.7
"""Shortest distances in which the gap is looked for: less than two shells of a close packing."""
NO_SYMMETRY = 1
"""Number of the space group of translations alone."""
PRECISION = 0.05
"""Distance within which positions count as symmetric, A."""


@dataclass(frozen=True)
class Phase:
    """volume per atom (A^3; None without a volume), neighbours (n,), and how they were counted.

    reach: distance (A) up to which neighbours are counted at that volume. space_group: its number,
    None without three periodic directions, without spglib or where it was not asked for.
    """

    volume: float | None
    neighbours: np.ndarray
    reach: float
    space_group: int | None


def phase_of(atoms: Atoms, reach: float | None = None, *, symmetry: bool = True) -> Phase:
    """The marks of a structure; `reach` of another one if its neighbours are to be compared.

    symmetry: find the space group, which takes longer than all the rest.
    """
    periodic = is_crystal(atoms)
    volume = atoms.get_volume() / len(atoms) if periodic else None
    reach = _gap(atoms) if reach is None else reach
    counts = np.zeros(len(atoms), dtype=int)
    if reach > 0.0:
        counts = np.diff(_neighbours(atoms, reach).first_i)
    return Phase(volume, counts, reach, space_group(atoms) if periodic and symmetry else None)


def left(before: Phase, atoms: Atoms, *, symmetry: bool = True, watched=None) -> str | None:
    """What of a phase is lost in `atoms`, in words; None if they are still of it.

    symmetry: compare space groups too; the start must then have that of its phase. watched (n,):
    atoms whose neighbours are to stay; all by default.
    """
    scale = 1.0
    if before.volume is not None:
        volume = atoms.get_volume() / len(atoms)
        if abs(volume / before.volume - 1.0) > VOLUME:
            return f"its volume per atom went from {before.volume:.2f} to {volume:.2f} A^3"
        scale = (volume / before.volume) ** (1.0 / 3.0)
    after = phase_of(atoms, before.reach * scale, symmetry=symmetry)
    differ = after.neighbours != before.neighbours
    changed = np.flatnonzero(differ if watched is None else differ & watched)
    if len(changed):
        k = int(changed[0])
        return (
            f"neighbours of atom {k} went from {before.neighbours[k]} to {after.neighbours[k]} "
            f"({len(changed)} of {len(atoms)} atoms changed)"
        )
    # A start without any symmetry, rattled for instance, may gain some.
    if symmetry and before.space_group != NO_SYMMETRY and after.space_group != before.space_group:
        return f"its space group went from {before.space_group} to {after.space_group}"
    return None


def space_group(atoms: Atoms) -> int | None:
    """Number of the space group by spglib; None where that is not installed or finds none."""
    if find_spec("spglib") is None:
        return None
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    with warnings.catch_warnings():
        # Where it finds no group, it says so in a way that its next version gives up.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.get_symmetry_dataset(cell, symprec=PRECISION)
        except spglib.SpglibError:
            return None
    return None if found is None else int(found.number)


def _gap(atoms: Atoms) -> float:
    """Middle (A, geometric) of the widest gap between the shortest distances; 0 without any."""
    shortest = _shortest(atoms)
    if shortest is None:
        return 0.0
    distances = np.sort(_distances(atoms, WITHIN * shortest))
    edges = np.append(distances, WITHIN * shortest)
    k = int(np.argmax(edges[1:] / edges[:-1]))
    return float(np.sqrt(edges[k] * edges[k + 1]))


def _shortest(atoms: Atoms) -> float | None:
    for cutoff in (3.0, 6.0, 12.0):
        found = _distances(atoms, cutoff)
        if len(found):
            return float(found.min())
    return None


def _distances(atoms: Atoms, cutoff: float) -> np.ndarray:
    return np.linalg.norm(_neighbours(atoms, cutoff).r_pc, axis=1)


def _neighbours(atoms: Atoms, cutoff: float) -> Neighbours:
    return neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
