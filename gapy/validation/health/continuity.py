"""Continuity at the cutoff: an atom that comes within reach must not be felt at once.

A pair of atoms at the sum of their covalent radii stands still while a third comes along their
axis. With f at h and 2 h on either side of each cutoff, what

    2 [f(+h) - f(-h)] - [f(+2h) - f(-2h)]

keeps of a jump is its height; a slope, or a bend at the cutoff, cancels.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from gapy.validation.health.check import Check, Settings, judged
from gapy.validation.health.probe import with_calculator

STEP = 3e-5
"""A, on either side."""
SPAN, POINTS = 0.5, 51
"""A before and behind the largest cutoff, and the number of places, of the picture."""
THRESHOLD = 1e-5
"""eV/A, and eV: rounding and third derivatives leave less."""


def continuity(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Largest jump of a force at a cutoff, over all cutoffs and triples of two species."""
    species = sorted(set(atoms.numbers.tolist()))
    worst, where = 0.0, ""
    for cutoff in sorted(set(settings.cutoffs)):
        for a, b in product(species, repeat=2):
            f = [_approach(calculator, a, b, cutoff + k * STEP) for k in (-2, -1, 1, 2)]
            jump = np.abs(2.0 * (f[2] - f[1]) - (f[3] - f[0])).max()
            if jump >= worst:
                symbols = Atoms([a, a, b]).get_chemical_symbols()
                worst, where = jump, f"{'-'.join(symbols[:2])} and {symbols[2]} at {cutoff:.2f} A"
    at = settings.cutoff + np.linspace(-SPAN, SPAN, POINTS)
    pulls = [_approach(calculator, species[0], species[-1], r)[-3] for r in at]
    return judged(
        "continuity at the cutoff",
        worst,
        THRESHOLD,
        "eV/A",
        f"jump of a force (or of the energy, in eV); largest of {where}",
        arrays={"distance (A)": at, "force on the third atom (eV/A)": np.array(pulls)},
    )


def _approach(calculator, a: int, b: int, r: float) -> np.ndarray:
    """Energy (eV) and forces (eV/A), flat, of a pair of a with an atom b at r (A) from it."""
    bond = 2.0 * covalent_radii[a]
    triple = Atoms([a, a, b], [[-bond, 0.0, 0.0], [0.0, 0.0, 0.0], [r, 0.0, 0.0]])
    triple = with_calculator(triple, calculator)
    return np.append(triple.get_potential_energy(), triple.get_forces())
