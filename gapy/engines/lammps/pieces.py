"""Molecular dynamics in LAMMPS in pieces, each from where the last one ended, also across restarts.

What a restart file does not hold (random numbers, the pair style) is stated anew when it is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapy.engines.lammps.domain import fit_for_domains
from gapy.engines.lammps.session import open_lammps
from gapy.model.potential import Potential

MODEL = "model"
TARGET = "target"
"""Variable of the thermostat's temperature, K."""


@dataclass(frozen=True, eq=False)
class Start:
    """What a run begins from, in LAMMPS' units metal; plain data, so that it can travel.

    restart : bytes of a restart file, which then says where the atoms are, or None
    symbols, masses : of each type; types (n,) from 1; positions (n, 3) A from the box's origin;
    velocities (n, 3) A/ps; cell (3, 3) A, lower triangular; step : number of the step at hand
    commands : groups and fixes; timestep : ps
    """

    restart: bytes | None
    symbols: Sequence[str]
    masses: Sequence[float]
    types: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    step: int
    commands: Sequence[str]
    timestep: float


@dataclass(frozen=True, eq=False)
class Reached:
    """Positions (n, 3) A from the box's origin, velocities (n, 3) A/ps, cell (3, 3) A."""

    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray


class Pieces:
    """A LAMMPS object on one rank, from a `Start` with a potential."""

    def __init__(self, potential: Potential, start: Start):
        fit_for_domains(potential, MODEL, lambda _: 'explore with engine = "ase"')
        self._folder = tempfile.TemporaryDirectory(prefix="gapy-lammps-")
        self._file = Path(self._folder.name, "restart")
        self._lmp = open_lammps(["-log", "none", "-screen", "none"], models={MODEL: potential})
        self._lmp.set_show_error(False)
        self._begun = False
        commands = self._lmp.commands_list
        commands(["units metal", "atom_style atomic", "atom_modify map array"])
        if start.restart is None:
            self._create(start)
        else:
            self._file.write_bytes(start.restart)
            commands([f"read_restart {self._file}"])
        symbols = " ".join(start.symbols)
        commands(
            ["pair_style gapy", f"pair_coeff * * {MODEL} {symbols}", "neighbor 1.0 bin",
             f"timestep {start.timestep:.17g}", f"variable {TARGET} internal 0.0",
             *start.commands]
        )  # fmt: skip

    def _create(self, start: Start) -> None:
        lmp, (a, b, c) = self._lmp, start.cell
        sides = " ".join(f"0 {length:.17g}" for length in (a[0], b[1], c[2]))
        tilts = " ".join(f"{tilt:.17g}" for tilt in (b[0], c[0], c[1]))
        lmp.commands_list(
            ["box tilt large",
             f"region box prism {sides} {tilts}",
             f"create_box {len(start.masses)} box",
             *(f"mass {k} {m:.17g}" for k, m in enumerate(start.masses, 1)),
             f"reset_timestep {start.step}"]
        )  # fmt: skip
        n = len(start.types)
        made = lmp.create_atoms(
            n, list(range(1, n + 1)), start.types.tolist(), start.positions.ravel().tolist(),
            start.velocities.ravel().tolist(),
        )  # fmt: skip
        if made != n:
            raise RuntimeError(f"LAMMPS took {made} of {n} atoms")

    def run(self, steps: int, temperature: float, last: int) -> Reached:
        """So many steps on, with the thermostat at a temperature (K).

        last: number of the step that ramps of the fixes, which begin at step 0, reach their end at.
        """
        lmp = self._lmp
        lmp.set_internal_variable(TARGET, temperature)
        begun = "no" if self._begun else "yes"
        lmp.command(f"run {steps} pre {begun} post no start 0 stop {last}")
        self._begun = True
        low, high, xy, yz, xz, *_ = lmp.extract_box()
        a, b, c = np.subtract(high, low)
        positions = np.array(lmp.gather_atoms("x", 1, 3)).reshape(-1, 3) - np.array(low)
        velocities = np.array(lmp.gather_atoms("v", 1, 3)).reshape(-1, 3)
        return Reached(positions, velocities, np.array([[a, 0, 0], [xy, b, 0], [xz, yz, c]]))

    def restart(self) -> bytes:
        """A restart file of where the run is."""
        self._lmp.command(f"write_restart {self._file}")
        return self._file.read_bytes()

    def close(self) -> None:
        """End it."""
        self._lmp.close()
        self._folder.cleanup()
