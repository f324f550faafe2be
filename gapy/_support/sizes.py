"""What fits the machine: estimates before the work, so that a slip is refused with its number."""

from __future__ import annotations

import math
import os

import numpy as np

from gapy.errors import GapyError, StructureError

MOST_ATOMS = 1_000_000
"""Atoms of a repeated structure; more is a slip, or work for many machines."""
MOST_NEIGHBOURS = 10_000
"""Neighbours of an atom: those within 30 A in copper."""
PAIR_BYTES = 100
"""Of a neighbour list while it is made."""
SMALLEST_EXTENT = 3.0  # A; of a structure along a direction that is not periodic
FLAT = 1e-4  # A^3 (A^2, A); of a cell that holds atoms
BALLS = (1.0, 2.0, math.pi, 4.0 * math.pi / 3.0)
"""Content of the unit ball in so many dimensions."""


def machine_bytes() -> float:
    """Memory of this machine."""
    return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")


def repeated(atoms, repeats: tuple[int, int, int], name: str):
    """`atoms` repeated along its cell vectors, each copy with the charge that it has.

    Raises
    ------
    GapyError : more than MOST_ATOMS
    """
    n = len(atoms) * math.prod(repeats)
    if n > MOST_ATOMS:
        raise GapyError(
            f"{name}: expected at most {MOST_ATOMS} atoms, got {n} ({len(atoms)} in "
            f"{' x '.join(map(str, repeats))} copies); repeat fewer times"
        )
    out = atoms.repeat(repeats)
    if charge := out.info.get("charge"):
        out.info["charge"] = charge * math.prod(repeats)
    return out


def require_neighbours(positions: np.ndarray, box: np.ndarray, pbc: np.ndarray, cutoff) -> None:
    """Refuse a cutoff that reaches more neighbours than can be dealt with, by the mean density.

    box: vectors of the periodic directions, completed by unit vectors.

    Raises
    ------
    StructureError : more than MOST_NEIGHBOURS for an atom, or a list larger than the memory
    """
    n, found = len(positions), _expected(positions, box, pbc, float(cutoff))
    needed, there = n * found * PAIR_BYTES, machine_bytes()
    if found > MOST_NEIGHBOURS or needed > there:
        raise StructureError(
            f"cutoff: {cutoff:g} A reaches about {found:.0f} neighbours of each of {n} atoms "
            f"({needed / 1e9:.2g} GB), expected at most {MOST_NEIGHBOURS} and {there / 1e9:.2g} GB "
            "of this machine; take a smaller cutoff (r_cut) or structure"
        )


def _expected(positions, box, pbc, cutoff: float) -> float:
    """Mean number of atoms within the cutoff: of the periodic lattice, or of a uniform density."""
    n, n_periodic = len(positions), int(np.count_nonzero(pbc))
    content = abs(np.linalg.det(box))
    if content < FLAT:
        return 0.0  # no cell at all, which other checks have better words for
    lattice = n / content * BALLS[n_periodic] * cutoff**n_periodic
    if lattice <= MOST_NEIGHBOURS or n_periodic == 3:
        return lattice
    extents = np.ptp(positions @ np.linalg.inv(box), axis=0)[~pbc]
    volume = content * np.maximum(extents, SMALLEST_EXTENT).prod()
    return min(lattice, n / volume * BALLS[3] * cutoff**3)


def require_fit(n_points: int, n_features: int) -> None:
    """Refuse a fit whose inducing points alone do not fit the memory.

    n_points inducing points of n_features components, and some six triangles of that many rows.

    Raises
    ------
    GapyError : they do not
    """
    needed, there = 8.0 * n_points * (n_features + 6.0 * n_points), machine_bytes()
    if needed > there:
        raise GapyError(
            f"n_inducing: {n_points} inducing points of {n_features} components need about "
            f"{needed / 1e9:.2g} GB, expected at most the {there / 1e9:.2g} GB of this machine; "
            "take fewer points, a smaller basis or compression"
        )
