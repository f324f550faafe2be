"""Scans of a molecule that find their own places: a bond of each kind, every turn about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms

from gapy.errors import GapyError, PropertyError
from gapy.properties.molecules import Scan, bond_scan, bonds_of, geometry, torsion_scan
from gapy.properties.result import Result

STRETCHES = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3)
"""Lengths in those at rest."""
TURN = 15.0
"""Degrees between the places of a torsion."""


@dataclass(frozen=True)
class Scans(Result):
    """scans: name -> energies along it. by_place: whether each is a number, or the highest."""

    unit: ClassVar[str] = "eV"
    scans: dict[str, Scan]
    by_place: bool

    def frames(self) -> tuple[Atoms, ...]:
        """All structures along all scans."""
        return tuple(frame for scan in self.scans.values() for frame in scan.frames())

    def numbers(self) -> dict[str, float]:
        """eV above the lowest of each scan."""
        if not self.by_place:
            return {f"{k} barrier": float(s.energies.max()) for k, s in self.scans.items()}
        return {
            f"{name} x {stretch:g}": float(e)
            for name, scan in self.scans.items()
            for stretch, e in zip(STRETCHES, scan.energies)
        }


def bonds(calculator, atoms: Atoms) -> Scans:
    """The first bond of each pair of elements, from 0.85 to 1.3 of its length at rest.

    Bonds in rings are left out. Raises PropertyError where the molecule does not relax, or has no
    such bond.
    """
    rest = geometry(calculator, atoms)
    out = {}
    for (i, j), length in rest.bonds.items():
        name = "-".join(sorted(rest.atoms.symbols[k] for k in (i, j)))
        if name in out:
            continue
        try:
            lengths = length * np.array(STRETCHES)
            out[name] = bond_scan(calculator, rest.atoms, (i, j), lengths)
        except GapyError:
            continue
    if not out:
        raise PropertyError("bonds: expected one that is not in a ring, found none")
    return Scans(out, by_place=True)


def torsions(calculator, atoms: Atoms) -> Scans:
    """A full turn about every bond with more atoms on both sides, rigid; its barrier.

    Raises PropertyError where the molecule does not relax, or nothing turns.
    """
    rest = geometry(calculator, atoms)
    out = {}
    angles = np.arange(0.0, 360.0, TURN)
    for a, b, c, d in turning(rest.bonds):
        symbols = [rest.atoms.symbols[k] for k in (a, b, c, d)]
        name = f"{'-'.join(symbols)} {b}-{c}"
        try:
            out[name] = torsion_scan(calculator, rest.atoms, (a, b, c, d), angles)
        except GapyError:
            continue
    if not out:
        raise PropertyError("torsions: expected a bond about which something turns, found none")
    return Scans(out, by_place=False)


def turning(bonds) -> list[tuple[int, int, int, int]]:
    """One dihedral a-b-c-d for each of the `bonds` (pairs of atoms) b-c that has both ends."""
    near: dict[int, set[int]] = {}
    for i, j in bonds:
        near.setdefault(i, set()).add(j)
        near.setdefault(j, set()).add(i)
    found = []
    for b, c in sorted(bonds):
        left, right = near[b] - {c}, near[c] - {b}
        if left and right:
            found.append((min(left), b, c, min(right)))
    return found


def turns(atoms: Atoms) -> bool:
    """Whether a molecule as it is has a bond about which something turns."""
    return bool(turning(bonds_of(atoms)))
