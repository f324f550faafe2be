"""Cutting a crystal along a plane, between atoms and never through a plane of them.

With Miller indices h and scaled coordinates x the planes lie at h . x, modulo one spacing. The cut
goes through the middle of the widest gap between them, so that rounding cannot move an atom from
one side of the cut to the other.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import surface

SAME = 1e-3
"""Of a spacing: gaps that differ by less are equal, and the first of them is taken."""


def layers_for(cell: Atoms, plane, thickness: float) -> int:
    """Fewest spacings whose outermost atoms are at least `thickness` (A) apart."""
    _, gap = _widest(cell, _coprime(plane))
    spacing = 1.0 / float(np.linalg.norm(_coprime(plane) @ cell.cell.reciprocal().array))
    return max(1, int(np.ceil(thickness / spacing + gap - SAME)))


def cut(cell: Atoms, plane, layers: int) -> Atoms:
    """A stack of whole spacings of lattice planes, cut in the widest gap, without vacuum.

    plane : Miller indices of `cell`
    layers : spacings, each with all atoms of a cell

    The third cell vector is normal to the plane.
    """
    miller = _coprime(plane)
    middle, _ = _widest(cell, miller)
    moved = cell.copy()
    moved.positions -= middle * (miller / (miller @ miller)) @ cell.cell.array
    return surface(moved, tuple(miller.tolist()), layers, periodic=True)


def _coprime(plane) -> np.ndarray:
    miller = np.array(plane, dtype=int)
    return miller // np.gcd.reduce(miller)


def _widest(cell: Atoms, miller: np.ndarray) -> tuple[float, float]:
    """Middle and width of the widest gap between planes, in spacings."""
    at = np.sort(cell.get_scaled_positions() @ miller % 1.0)
    gaps = np.diff(np.append(at, at[0] + 1.0))
    k = int(np.argmax(gaps > gaps.max() - SAME))
    return float(at[k] + 0.5 * gaps[k]), float(gaps[k])
