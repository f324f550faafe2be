"""Forces and stress against finite differences of the energy.

    F . d = -dE(r + x d)/dx,    V sigma : e = dE((1 + x e) r)/dx

along random directions, by central differences at h and h/2 with the error of second order
removed.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy._support.voigt import is_crystal
from gapy.properties.straining import with_strain
from gapy.validation.health.check import Check, Settings, judged, skipped
from gapy.validation.health.probe import probe, with_calculator

DIRECTIONS = 5
STEP = 1e-3
"""A, of all displacements together: above rounding, below the curvature that matters."""
STRAIN = 1e-4
LEAST_FORCE, LEAST_STRESS = 1e-3, 1e-5
"""eV/A and eV/A^3: errors are relative to no less, since one atom alone has no force."""
THRESHOLD = 1e-6
"""Relative: what tables of radial functions and rounding leave is 1e-8 or so."""


def forces(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Largest error of a force along a random direction, relative to the size of the forces."""
    rng = settings.rng()
    at = probe(atoms, rng)
    known = with_calculator(at, calculator).get_forces()
    errors = []
    for _ in range(DIRECTIONS):
        direction = rng.normal(size=known.shape)
        direction /= np.linalg.norm(direction)

        def energy(x, direction=direction):
            moved = with_calculator(at, calculator)
            moved.positions += x * direction
            return moved.get_potential_energy()

        errors.append(abs(slope(energy, STEP) + (known * direction).sum()))
    scale = max(np.linalg.norm(known) / np.sqrt(known.size), LEAST_FORCE)
    return judged(
        "forces are derivatives",
        max(errors) / scale,
        THRESHOLD,
        "relative",
        f"against differences of the energy along {DIRECTIONS} random directions",
    )


def stress(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Largest error of a stress component, relative to the largest component."""
    name = "stress is a derivative"
    if not is_crystal(atoms):
        return skipped(name, "the structure is not periodic in three directions")
    at = probe(atoms, settings.rng())
    known = with_calculator(at, calculator).get_stress()
    found = np.empty(6)
    for k, direction in enumerate(np.eye(6)):

        def energy(x, direction=direction):
            strained = with_strain(at, x * direction)
            return with_calculator(strained, calculator).get_potential_energy()

        found[k] = slope(energy, STRAIN) / at.get_volume()
    return judged(
        name,
        np.abs(found - known).max() / max(np.abs(known).max(), LEAST_STRESS),
        THRESHOLD,
        "relative",
        "against differences of the energy along six strains",
    )


def slope(function, h: float) -> float:
    """f'(0), error of fourth order in h."""
    coarse = (function(h) - function(-h)) / (2.0 * h)
    fine = (function(0.5 * h) - function(-0.5 * h)) / h
    return (4.0 * fine - coarse) / 3.0
