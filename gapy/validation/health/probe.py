"""The disturbed structure that the checks look at: no force or stress vanishes by symmetry."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy._support.voigt import is_crystal

LEAST_ATOMS = 8
RATTLE = 0.05
"""Standard deviation of the displacements, A."""
STRAIN = 0.01


def probe(atoms: Atoms, rng: np.random.Generator, *, least: int = LEAST_ATOMS) -> Atoms:
    """A crystal of at least `least` atoms, strained and rattled; a molecule, rattled."""
    out = atoms.copy()
    out.set_constraint()
    if is_crystal(atoms):
        out = out.repeat(repeats(atoms, least))
        deformation = np.eye(3) + STRAIN * rng.normal(size=(3, 3))
        out.set_cell(out.cell.array @ deformation, scale_atoms=True)
    out.positions += RATTLE * rng.normal(size=out.positions.shape)
    return out


def repeats(atoms: Atoms, least: int) -> tuple[int, int, int]:
    """Repeats along each axis, the shortest first, that give at least so many atoms."""
    n, lengths = [1, 1, 1], atoms.cell.lengths()
    while len(atoms) * np.prod(n) < least:
        n[int(np.argmin(lengths * n))] += 1
    return n[0], n[1], n[2]


def with_calculator(atoms: Atoms, calculator) -> Atoms:
    """A copy that the calculator evaluates."""
    out = atoms.copy()
    out.calc = calculator
    return out
