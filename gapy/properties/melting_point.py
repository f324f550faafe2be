"""Melting by two phases: half of a box is melted, and either half grows at a temperature.

The order of the crystal is the mean of |sum_j exp(i G . r_j)| / N over the reflections G of (220),
which fcc, bcc and diamond crystals have. Heat lowers it, so it is divided by that of a whole
crystal after a shorter run at the same temperature. At the beginning of a run at no pressure the
two phases warm up and the planes between them soften, which changes the order too; where the share
of the crystal grows after that, the temperature is below the melting point, and above it where the
share falls. In a run that is long enough a phase goes on until it has the whole box, before the
share is looked at for the first time even: then that phase decides. Halving the interval again and
again finds the melting point.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from gapy.errors import GapyError, PropertyError
from gapy.md.run import run_md
from gapy.properties.lattices import conventional, lattice_of
from gapy.properties.relaxing import relax
from gapy.properties.result import Result, require_periodic

SETTLING = 1000
"""Steps in which phases warm up and settle, a quarter of the run where that is shorter."""
ALL_CRYSTAL, ALL_LIQUID = 0.9, 0.25
"""Shares beyond which one phase has the whole box."""
LOST = 0.15
"""Order of a liquid in a small box, at most."""
MELT = 1.3
"""Temperature of the half that is melted, in the upper end of the interval."""


@dataclass(frozen=True)
class Melting(Result):
    """temperature: K, the middle of the last interval, whose half width is `within`.

    tried: temperature -> `growth` there; start: the two phases.
    """

    units: ClassVar[Mapping[str, str]] = {"melting": "K", "within": "K"}
    temperature: float
    within: float
    tried: Mapping[float, float]
    start: Atoms

    def frames(self) -> tuple[Atoms, ...]:
        """The two phases."""
        return (self.start,)

    def numbers(self) -> dict[str, float]:
        """The melting point and half of the last interval, K."""
        return {"melting": self.temperature, "within": self.within}


def melting(
    calculator,
    atoms: Atoms,
    *,
    low: float = 300.0,
    high: float = 3000.0,
    halvings: int = 5,
    steps: int = 4000,
    timestep: float = 2.0,
    supercell: int = 2,
    seed: int = 0,
) -> Melting:
    """The melting point at no pressure, from boxes of supercell x supercell x 2 supercell cells.

    Arguments
    ---------
    atoms : fcc, bcc, diamond or zincblende crystal
    low, high : K, the interval in which it is looked for
    halvings : of the interval
    steps, timestep (fs) : of the run at each temperature

    Small boxes and short runs are off by 100 K or more. Raises PropertyError for other crystals,
    for a half that does not melt, where a run ends early, and where the crystal grows, or shrinks,
    at every temperature.
    """
    require_periodic(atoms, "melting")
    if not (0.0 < low < high and halvings >= 1 and supercell >= 1):
        raise GapyError(
            f"low, high, halvings, supercell: expected 0 < low < high and at least 1, got {low}, "
            f"{high}, {halvings} and {supercell}"
        )
    if lattice_of(atoms) is None:
        raise PropertyError(
            f"melting: expected an fcc, bcc, diamond or zincblende crystal, got "
            f"{atoms.get_chemical_formula()}; choose another property"
        )
    cells = np.array([supercell, supercell, 2 * supercell])
    crystal = conventional(relax(calculator, atoms, cell="isotropic").atoms).repeat(cells)

    def run(frame: Atoms, steps: int = steps, **options) -> Atoms:
        return _end(calculator, frame, steps=steps, timestep=timestep, seed=seed, **options)

    half = crystal.copy()
    half.set_constraint(FixAtoms(np.flatnonzero(crystal.get_scaled_positions()[:, 2] < 0.5)))
    start = run(half, ensemble="nvt", temperature=MELT * high)
    start.set_constraint()
    if order(start, cells) > 0.75 * order(crystal, cells):
        raise PropertyError(
            f"melting: half of the crystal stays one after {steps} steps at {MELT * high:g} K; "
            "raise high, or allow more steps"
        )

    def grows(kelvin: float) -> float:
        at = {"ensemble": "npt", "temperature": kelvin}
        first = max(min(SETTLING, steps // 4), 1)
        whole, settled = run(crystal, first, **at), run(start, first, **at)
        end = run(settled, **at)
        return growth(share(settled, whole, cells), share(end, whole, cells))

    tried, low, high = halved(grows, low, high, halvings)
    return Melting(0.5 * (low + high), 0.5 * (high - low), tried, start)


def growth(settled: float, end: float) -> float:
    """What the crystal's share of the box grew by; 1 where it has all of it, -1 where none."""
    if end >= ALL_CRYSTAL:
        return 1.0
    return -1.0 if end <= ALL_LIQUID else end - settled


def halved(grows: Callable, low: float, high: float, halvings: int):
    """Temperature -> growth at each try, and the last interval, for `grows`: kelvin -> growth.

    Raises PropertyError where all tries end alike.
    """
    tried = {}
    for _ in range(halvings):
        kelvin = 0.5 * (low + high)
        tried[kelvin] = grows(kelvin)
        low, high = (kelvin, high) if tried[kelvin] > 0.0 else (low, kelvin)
    grown = [kelvin for kelvin, by in tried.items() if by > 0.0]
    if not 0 < len(grown) < len(tried):
        raise PropertyError(
            f"melting: the crystal {'grows' if grown else 'shrinks'} at every temperature from "
            f"{min(tried):.0f} to {max(tried):.0f} K; widen the interval, or the model does not "
            "know the liquid"
        )
    return tried, low, high


def share(atoms: Atoms, whole: Atoms, cells) -> float:
    """How much of a box is crystal, by its order beside that of a whole crystal as hot.

    0 where the whole crystal is none any more: it has melted by itself.
    """
    known = order(whole, cells)
    return order(atoms, cells) / known if known > LOST else 0.0


def order(atoms: Atoms, cells) -> float:
    """1 for a perfect crystal of cells[c] conventional cells along each axis, 0 for a liquid."""
    scaled = atoms.get_scaled_positions() * np.asarray(cells)
    planes = np.array([[2, 2, 0], [2, -2, 0], [2, 0, 2], [2, 0, -2], [0, 2, 2], [0, 2, -2]])
    return float(np.abs(np.exp(2j * np.pi * scaled @ planes.T).mean(axis=0)).mean())


def _end(calculator, frame: Atoms, **options) -> Atoms:
    """The last frame of a run, without momenta."""
    with tempfile.TemporaryDirectory() as folder:
        result = run_md(
            frame, calculator, Path(folder) / "run", traj_interval=options["steps"],
            max_force_std=np.inf, max_temperature=np.inf, **options,
        )  # fmt: skip
    if result.status != "finished":
        raise PropertyError(
            f"melting: the run at {options['temperature']:g} K ended after {result.n_steps} steps, "
            f"{result.reason}; lower high"
        )
    out = frame.copy()
    out.positions, out.cell = result.atoms.positions, result.atoms.cell
    return out
