"""A bond pulled apart: sigma has to rise as it leaves what is known.

The pair begins where the data end, at the longest distance of an atom to its nearest neighbour,
and is judged up to 0.5 A before the cutoff: beyond it the atoms hardly see each other, and free
atoms may be known again.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from gapy.validation.health.check import Check, Settings, has_sigma, judged, largest_sigma, skipped
from gapy.validation.health.probe import with_calculator

STEP = 0.05
"""A."""
MARGIN = 0.5
"""A before the cutoff where judging ends."""
FALL = 0.2
"""Share of the largest sigma so far that it may lose."""


def pulled(calculator, atoms: Atoms, settings: Settings) -> tuple[Check, ...]:
    """How far sigma falls below its largest value so far, of every pair of the species."""
    species = sorted(set(atoms.numbers.tolist()))
    return tuple(
        of_pair(calculator, a, b, settings) for a, b in combinations_with_replacement(species, 2)
    )


def of_pair(calculator, a: int, b: int, settings: Settings) -> Check:
    """One pair of atomic numbers."""
    name = f"bond {chemical_symbols[a]}-{chemical_symbols[b]} pulled"
    if not has_sigma(calculator):
        return skipped(name, "the calculator has no calibrated sigma")
    bond = float(covalent_radii[a] + covalent_radii[b])
    start = max(bond, *(settings.farthest.get(z, 0.0) for z in (a, b)))
    at = np.arange(start, settings.cutoff + 0.5 * STEP, STEP)
    until = at <= settings.cutoff - MARGIN
    if until.sum() < 2:
        return skipped(name, f"the cutoff, {settings.cutoff:.2f} A, leaves no way to pull")
    sigma = np.array(
        [
            largest_sigma(
                calculator,
                with_calculator(Atoms([a, b], [[0.0, 0.0, 0.0], [r, 0.0, 0.0]]), calculator),
            )
            for r in at
        ]
    )
    highest = np.maximum.accumulate(sigma[until])
    fall = 1.0 - sigma[until] / highest
    return judged(
        name,
        float(fall.max()),
        FALL,
        "relative",
        f"largest fall of sigma below its highest so far, from {start:.2f} to "
        f"{at[until][-1]:.2f} A; at {at[until][int(np.argmax(fall))]:.2f} A",
        arrays={"distance (A)": at, "force sigma (eV/A)": sigma},
    )
