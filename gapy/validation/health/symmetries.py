"""What changes neither energy nor forces: rotations, shifts, names of atoms, inversion, repeats."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.validation.health.check import Check, Settings, judged, skipped
from gapy.validation.health.probe import probe, with_calculator

THRESHOLD = 1e-7
"""eV/A, and eV/atom: rounding of sums that are taken in another order leaves less."""
APART = 3.0
"""A beyond the cutoff between two copies of a molecule."""
UNIT = "eV/A or eV/atom"


def rotation(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Energy of a rotated structure, and forces rotated back."""
    rng = settings.rng()
    at = probe(atoms, rng)
    turn, triangle = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.diag(triangle))
    turn *= np.linalg.det(turn)  # three signs turn a reflection into a rotation
    return _linear(calculator, at, turn, "rotation", "a random rotation")


def inversion(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Energy of the mirror image, and forces inverted."""
    at = probe(atoms, settings.rng())
    return _linear(calculator, at, -np.eye(3), "inversion", "positions and cell inverted")


def _linear(calculator, at: Atoms, matrix: np.ndarray, name: str, what: str) -> Check:
    moved = with_calculator(at, calculator)
    moved.set_cell(at.cell.array @ matrix)
    moved.positions = at.positions @ matrix
    energy, forces = _answers(moved)
    first, known = _answers(with_calculator(at, calculator))
    return _judged(name, energy - first, forces @ matrix.T - known, what)


def translation(calculator, atoms: Atoms, settings: Settings) -> Check:
    """A shift of all atoms, across the faces of a periodic cell; forces must sum to zero too."""
    rng = settings.rng()
    at = probe(atoms, rng)
    first, known = _answers(with_calculator(at, calculator))
    moved = with_calculator(at, calculator)
    moved.positions += 3.0 * rng.normal(size=3)
    if at.pbc.any():
        moved.wrap()
    energy, forces = _answers(moved)
    difference = np.concatenate([forces - known, known.sum(axis=0, keepdims=True) / len(at)])
    return _judged("translation", energy - first, difference, "a random shift; sum of the forces")


def permutation(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Atoms in another order."""
    rng = settings.rng()
    at = probe(atoms, rng)
    first, known = _answers(with_calculator(at, calculator))
    order = rng.permutation(len(at))
    energy, forces = _answers(with_calculator(at[order], calculator))
    return _judged("permutation", energy - first, forces - known[order], "a random order of atoms")


def extensivity(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Twice of everything: what is periodic repeated, or two copies of a molecule far apart."""
    at = probe(atoms, settings.rng())
    first, known = _answers(with_calculator(at, calculator))
    if at.pbc.any():
        k = int(np.argmax(at.pbc))
        twice, what = at.repeat(1 + np.eye(3, dtype=int)[k]), f"repeated along axis {k + 1}"
    elif settings.endless:
        return skipped(
            "extensivity", "a baseline without a cutoff couples the copies of a molecule"
        )
    else:
        other = at.copy()
        other.positions[:, 0] += np.ptp(at.positions[:, 0]) + settings.cutoff + APART
        twice, what = at + other, "two copies beyond the cutoff"
    energy, forces = _answers(with_calculator(twice, calculator))
    return _judged("extensivity", energy - 2.0 * first, forces - np.tile(known, (2, 1)), what)


def _answers(atoms: Atoms) -> tuple[float, np.ndarray]:
    return float(atoms.get_potential_energy()), atoms.get_forces()


def _judged(name: str, energy: float, forces: np.ndarray, what: str) -> Check:
    n = max(len(forces), 1)
    value = max(abs(energy) / n, float(np.abs(forces).max()))
    note = f"{what}: energy differs by {abs(energy) / n:.1e} eV/atom, a force by "
    return judged(name, value, THRESHOLD, UNIT, f"{note}{np.abs(forces).max():.1e} eV/A")
