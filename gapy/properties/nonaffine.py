"""What the elastic constants lose because the atoms inside the cell follow a strain.

To second order in displacements u (3n,) and strains e (6,) of a crystal at rest the energy is

    E = u H u / 2 - u L e + V e C0 e / 2,   H = d2E / du du,   L = dF / de at fixed u = 0,

with its minimum at u = H^-1 L e, so that C = C0 - L^T H^-1 L / V. H and L are central differences
of forces, 6 n + 12 force calls; no relaxation is needed.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.errors import PropertyError
from gapy.properties.straining import with_strain

STEP = 0.01
"""Displacement in differences of forces, A."""
STRAIN = 0.002
"""Strain in them."""


def nonaffine(calculator, crystal: Atoms) -> np.ndarray:
    """L^T H^-1 L / V, (6, 6) in eV/A^3, Voigt order, engineering shear: C0 less C.

    crystal : atoms and cell at rest

    Raises PropertyError where the crystal is no minimum. Source: Lutsko, J. Appl. Phys. 65, 2991
    (1989).
    """
    n = len(crystal)
    hessian = np.empty((3 * n, 3 * n))
    for k in range(3 * n):
        moved = [crystal.copy() for _ in range(2)]
        for frame, sign in zip(moved, (1.0, -1.0)):
            frame.positions[divmod(k, 3)] += sign * STEP
        hessian[k] = _difference(calculator, moved, STEP)
    along = np.empty((3 * n, 6))
    for v, unit in enumerate(np.eye(6)):
        frames = [with_strain(crystal, sign * STRAIN * unit) for sign in (1.0, -1.0)]
        along[:, v] = -_difference(calculator, frames, STRAIN)
    w, modes = np.linalg.eigh(0.5 * (hessian + hessian.T))
    # The three translations cost nothing, and no strain brings a force along them.
    kept = np.argsort(np.abs(w))[3:]
    w, modes = w[kept], modes[:, kept]
    if len(w) and w.min() <= 0.0:
        raise PropertyError(
            f"elastic: {crystal.get_chemical_formula()} is no minimum, a displacement has the "
            f"curvature {w.min():.3g} eV/A^2; begin from a crystal that is stable"
        )
    pulled = modes.T @ along
    return pulled.T @ (pulled / w[:, None]) / crystal.get_volume()


def _difference(calculator, frames: list[Atoms], step: float) -> np.ndarray:
    """Minus the central difference of the forces, (3n,)."""
    forces = []
    for frame in frames:
        frame.calc = calculator
        forces.append(frame.get_forces().ravel())
    return -(forces[0] - forces[1]) / (2.0 * step)
