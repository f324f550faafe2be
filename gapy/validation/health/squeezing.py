"""Pressure from 0 to 500 GPa: the volume falls all along, and no atoms meet before the flag."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.units import GPa

from gapy._support.voigt import is_crystal
from gapy.errors import GapyError, PropertyError
from gapy.md.contacts import Contacts
from gapy.validation.health.check import Check, Settings, has_flag, judged, largest_sigma, skipped
from gapy.validation.health.probe import with_calculator

PRESSURES = (0, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500)
"""GPa."""
FORCE, STEPS = 0.01, 200
"""eV/A, and steps of the optimiser at each pressure."""
RUNAWAY = 0.1
"""Of the first volume; what is smaller has collapsed."""


def squeezing(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Faults before the flag is up: a volume that does not fall, atoms that meet, no rest found."""
    name = f"pressure 0 to {PRESSURES[-1]} GPa"
    if not is_crystal(atoms):
        return skipped(name, "the structure is not periodic in three directions")
    if not has_flag(calculator, settings):
        return skipped(name, "the calculator has no calibrated sigma, so there is no flag")
    contacts = Contacts(atoms.numbers, settings.shortest)
    work = with_calculator(atoms, calculator)
    least = RUNAWAY * work.get_volume()
    reached, volumes, sigmas, faults, flagged = [], [], [], [], {}
    said = f"the flag stays down to {PRESSURES[-1]} GPa"
    for pressure in PRESSURES:
        why = _settle(work, pressure, least)
        sigma = largest_sigma(calculator, work)
        if not why and (meeting := contacts.closest(work)):
            why = f"atoms meet: {meeting}"
        volume = work.get_volume() / len(work)
        if not why and volumes and volume >= volumes[-1]:
            why = f"the volume rises from {volumes[-1]:.2f} to {volume:.2f} A^3/atom"
        reached.append(pressure)
        volumes.append(volume)
        sigmas.append(sigma)
        if settings.is_up(sigma):
            said = f"flag up at {pressure} GPa, {volume / volumes[0]:.2f} of the volume"
            flagged = {f"at {pressure} GPa, flag up": work.copy()}
            break
        if why:
            faults.append(f"{pressure} GPa: {why}")
            flagged[f"at {pressure} GPa, flag down"] = work.copy()
            if not np.isfinite(sigma) or volume * len(work) < least:
                break
    return judged(
        name,
        float(len(faults)),
        0.0,
        "faults before the flag",
        "; ".join([said, *faults[:2]]),
        arrays={
            "pressure (GPa)": np.array(reached, dtype=float),
            "volume (A^3/atom)": np.array(volumes),
            "force sigma (eV/A)": np.array(sigmas),
        },
        flagged=flagged,
    )


def _settle(work: Atoms, pressure: float, least: float) -> str:
    """Relax positions and volume in place; why that failed, "" if it did not."""

    def require_extent():
        if work.get_volume() < least:
            raise PropertyError(f"the cell collapsed to {work.get_volume():.3g} A^3")

    moving = FrechetCellFilter(work, hydrostatic_strain=True, scalar_pressure=pressure * GPa)
    optimiser = BFGS(moving, logfile=None)
    optimiser.attach(require_extent, 1)
    try:
        done = optimiser.run(fmax=FORCE, steps=STEPS)
    except (PropertyError, ArithmeticError, np.linalg.LinAlgError) as error:
        return str(error)
    except GapyError as error:
        return f"it cannot be followed, {error}"
    return "" if done else f"not at rest after {STEPS} steps"
