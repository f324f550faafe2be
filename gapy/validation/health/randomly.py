"""Random structures: none may lie below the ground state without its flag up.

Atoms of the composition are thrown into a cell, none closer than the shortest distances allow, and
follow their forces for a while: a model with a hole is found there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.optimize import FIRE

from gapy._support.voigt import is_crystal
from gapy.errors import GapyError, PropertyError
from gapy.md.contacts import Contacts
from gapy.properties.relaxing import relax
from gapy.validation.health.check import Check, Settings, has_flag, judged, largest_sigma, skipped
from gapy.validation.health.probe import repeats

NUMBER = 20
LEAST_ATOMS = 8
DENSITIES = (0.7, 1.6)
"""Volumes relative to the structure at rest."""
STEPS = 40
"""Of the relaxation: enough to fall into a hole that is near."""
BELOW = 1e-3
"""eV/atom below the ground state that counts."""
TRIES = 200


def random_structures(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Structures below the ground state with the flag down.

    The ground state is the lower of the structure at rest and `settings.lowest`; without the
    latter there is no verdict where some lie below the former.
    """
    name = "random structures"
    if not has_flag(calculator, settings):
        return skipped(name, "the calculator has no calibrated sigma, so there is no flag")
    try:
        ground = relax(calculator, atoms, same_phase=False, symmetry=False).atoms
    except PropertyError as error:
        return skipped(name, f"no ground state to compare with: {error}")
    lowest = ground.get_potential_energy() / len(ground)
    if settings.lowest is not None:
        lowest = min(lowest, settings.lowest)
    rng = settings.rng()
    contacts = Contacts(ground.numbers, settings.shortest)
    energies, sigmas, flagged, deepest, below = [], [], {}, {}, 0

    def look(frame: Atoms) -> None:
        nonlocal below
        energy = frame.get_potential_energy() / len(frame) - lowest
        sigma = largest_sigma(calculator, frame)
        if not energies or energy < min(energies):
            deepest["the lowest random structure"] = frame.copy()
        energies.append(energy)
        sigmas.append(sigma)
        if energy < -BELOW and not settings.is_up(sigma):
            below += 1
            flagged[f"{energy:.3f} eV/atom, sigma {sigma:.2g} eV/A"] = frame.copy()

    for _ in range(NUMBER):
        frame = thrown(ground, rng, contacts)
        frame.calc = calculator
        look(frame)
        _follow(frame)
        look(frame)
    up = int((np.array(sigmas) > settings.flag).sum())
    note = (
        f"{NUMBER} as thrown and after {STEPS} steps along their forces; the flag is up for {up} "
        f"of {len(sigmas)}, the lowest has {min(energies):+.3f} eV/atom"
    )
    found = judged(
        name,
        float(below),
        0.0,
        "below the ground state, flag down",
        note,
        arrays={"energy (eV/atom)": np.array(energies), "force sigma (eV/A)": np.array(sigmas)},
        flagged=flagged or deepest,
    )
    if settings.lowest is None and below:
        # The given structure may be metastable: then a right model has others below it.
        why = f"{below} below the given structure with the flag down, no ground state is known"
        return replace(
            found, value=None, threshold=None, unit="", verdict="skipped", note=f"{why}; {note}"
        )
    return found


def thrown(ground: Atoms, rng: np.random.Generator, contacts: Contacts) -> Atoms:
    """Atoms of the composition of `ground` at random, none nearer than `contacts` allows.

    A box too small for that grows.
    """
    if is_crystal(ground):
        numbers = np.tile(ground.numbers, int(np.prod(repeats(ground, LEAST_ATOMS))))
        volume = ground.get_volume() / len(ground) * len(numbers) * rng.uniform(*DENSITIES)
        shape = np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))
        cell = shape * (volume / abs(np.linalg.det(shape))) ** (1.0 / 3.0)
        box = Atoms(cell=cell, pbc=True)
    else:
        numbers = ground.numbers
        box = Atoms(cell=np.ptp(ground.positions, axis=0).mean() * np.eye(3) + np.eye(3))
    tries = 0
    first = Atoms(numbers[:1], scaled_positions=[[0.5, 0.5, 0.5]], cell=box.cell, pbc=box.pbc)
    out = first.copy()
    while len(out) < len(numbers):
        trial = out + Atoms(numbers[[len(out)]], scaled_positions=rng.random((1, 3)), cell=out.cell)
        of = np.searchsorted(contacts.species, trial.numbers)
        near = trial.get_distances(-1, range(len(out)), mic=True)
        if (near > contacts.least_ss[of[-1], of[:-1]]).all():
            out = trial
        elif (tries := tries + 1) % TRIES == 0:
            first.set_cell(1.1 * first.cell.array, scale_atoms=True)
            out = first.copy()
    return out


def _follow(frame: Atoms) -> None:
    """Some steps along the forces, in place; where it breaks off the structure stays as it is."""
    try:
        FIRE(frame, logfile=None).run(fmax=0.05, steps=STEPS)
    except (GapyError, ArithmeticError, ValueError):
        return
