"""Molecular dynamics as an explorer: NVE, NVT, NPT, with ramps of temperature and pressure."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.active.explorers.base import Explorer
from gapy.active.explorers.in_ase import InAse
from gapy.active.frames import Frame
from gapy.error_bars.calibration import POSTERIOR_EVERY
from gapy.errors import GapyError, StructureError
from gapy.md import kinetics, thermostats
from gapy.md.limits import runaway_limit
from gapy.md.settings import Settings, real, whole

TEMPERATURE_STAGES = 5
"""A ramp is watched in so many ranges of temperature: quiet at 300 K says nothing of 1500 K."""


class MD(Explorer):
    """Molecular dynamics with the integrators of `gapy md`, or with LAMMPS.

    Arguments
    ---------
    start : ase.Atoms; momenta are drawn unless it has some
    temperature, temperature_end : K; with an end, linear in time
    ps : simulated time; timestep : fs
    ensemble : "nve", "nvt" (Langevin), "nvt-bussi" or "npt"
    pressure, pressure_end : GPa, npt only; with an end, linear in time
    cycles : the ramps run up, down, up, ... so many times within `ps`
    thermostat_time, barostat_time : fs; bulk_modulus : GPa, sets the pace of the cell
    engine : "ase", or "lammps": in a process of its own, see `gapy.active.explorers.in_lammps`
    every : steps from one look at the force sigma to the next, for "lammps" [10]; "ase" looks at
        every step

    Raises
    ------
    GapyError : settings or structure that MD refuses
    """

    kind = "md"
    has_time = True
    engine = "ase"
    every = 1

    def __init__(
        self,
        start: Atoms,
        *,
        temperature: float = 300.0,
        temperature_end: float | None = None,
        ps: float = 10.0,
        timestep: float = 1.0,
        ensemble: str = "nvt",
        pressure: float | None = None,
        pressure_end: float | None = None,
        cycles: int = 1,
        thermostat_time: float = 100.0,
        barostat_time: float = 500.0,
        bulk_modulus: float = 100.0,
        engine: str = "ase",
        every: int | None = None,
    ):
        super().__init__(start)
        ps = real("ps", ps, "ps", above=0.0)
        self.settings = Settings(
            ensemble=ensemble,
            temperature=temperature,
            temperature_end=temperature_end,
            ramp_steps=0,
            pressure=pressure,
            timestep=timestep,
            thermostat_time=thermostat_time,
            barostat_time=barostat_time,
            bulk_modulus=bulk_modulus,
            seed=0,
            log_interval=1,
            traj_interval=1,
            checkpoint_interval=1,
        )
        self.pressure_end = self.settings.pressure
        if pressure_end is not None:
            if ensemble != "npt":
                # the same words as for pressure without npt
                Settings(**{**self.settings.__dict__, "pressure": pressure_end})
            self.pressure_end = real("pressure_end", pressure_end, "GPa")
        self.cycles = whole("cycles", cycles, least=1)
        self.steps = max(1, round(1000.0 * ps / self.settings.timestep))
        self.stages = 1 if temperature_end is None else TEMPERATURE_STAGES
        thermostats.check_atoms(self.start, ensemble)
        self._limit = runaway_limit(self.settings.highest_temperature())
        self._mover = self._moved_by(engine, every)

    def _moved_by(self, engine: str, every: int | None):
        if engine == "lammps":
            from gapy.active.explorers.in_lammps import InLammps

            self.engine = engine
            self.every = whole("every", POSTERIOR_EVERY if every is None else every, least=1)
            return InLammps(self)
        if engine != "ase":
            raise GapyError(f"engine: expected 'ase' or 'lammps', got {engine!r}")
        if every is not None:
            raise GapyError(
                "every: expected with engine 'lammps' only, engine 'ase' looks at every step; "
                "leave it out"
            )
        return InAse(self)

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        if self.start.get_momenta().any():
            self.atoms.set_momenta(self.start.get_momenta())

    def restart(self) -> None:
        super().restart()
        kinetics.draw_velocities(self.atoms, self.temperature_at(self.step), self.rng)
        self._mover.restart()

    def attach(self, calculator) -> None:
        super().attach(calculator)
        self._mover.attach()

    def close(self) -> None:
        self._mover.close()

    def advance(self) -> Frame | None:
        if self.step >= self.steps:
            self.finished = f"all {self.steps} steps done"
            return None
        n = min(self.every, self.steps - self.step)
        about = {
            "time_ps": (self.step + n) * self.settings.timestep * 1e-3,
            "temperature": self.temperature_at(self.step + n),
            "stage": self.stage_at(self.step + n),
        }
        # Overflow and nan are looked for after the step and reported with a reason.
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                self._mover.advance(n)
                frame = self._frame(**about)
            except StructureError as error:
                return self._broken(str(error), **about)
            if (
                frame.broken is None
                and kinetics.temperature(self.atoms, keeps_momentum=False) > self._limit
            ):
                return self._broken("the temperature ran away", **about)
            return frame

    def temperature_at(self, step: int) -> float:
        """Temperature in K that the thermostat aims at."""
        end = self.settings.temperature_end
        first = self.settings.temperature
        return first if end is None else first + self._ramp(step) * (end - first)

    def pressure_at(self, step: int) -> float:
        """Pressure in GPa that the barostat aims at."""
        first = self.settings.pressure
        return first + self._ramp(step) * (self.pressure_end - first)

    def stage_at(self, step: int) -> int:
        """Which range of temperatures the step is in."""
        return min(int(self._ramp(step) * self.stages), self.stages - 1)

    def _ramp(self, step: int) -> float:
        """0 at the beginning, 1 at the end; a triangle wave for several cycles."""
        passed = self.cycles * step / self.steps
        within = passed % 2.0
        return within if within <= 1.0 else 2.0 - within

    def total_steps(self) -> int:
        return self.steps

    def plan(self) -> str:
        s = self.settings
        temperature = f"{s.temperature:g}"
        if s.temperature_end is not None:
            temperature += f" to {s.temperature_end:g}"
        pressure = ""
        if s.ensemble == "npt":
            end = "" if self.pressure_end == s.pressure else f" to {self.pressure_end:g}"
            pressure = f", {s.pressure:g}{end} GPa"
        cycles = "" if self.cycles == 1 else f" in {self.cycles} cycles"
        return (
            f"md, {self.start.get_chemical_formula()}, {s.ensemble}, {temperature} K{pressure}, "
            f"{self.steps * s.timestep * 1e-3:g} ps{cycles} in steps of {s.timestep:g} fs"
            + (f", LAMMPS, looked at every {self.every} steps" if self.engine == "lammps" else "")
        )

    def _state(self) -> dict:
        return self._mover.get_state()

    def _set_state(self, state: dict) -> None:
        self._mover.set_state(state)
