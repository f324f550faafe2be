"""Molecular dynamics as an explorer: NVE, NVT, NPT, with ramps of temperature and pressure."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from gapy.active.explorers.base import Explorer
from gapy.active.frames import Frame
from gapy.errors import StructureError
from gapy.md import kinetics, thermostats
from gapy.md.limits import runaway_limit
from gapy.md.settings import Settings, real, whole

TEMPERATURE_STAGES = 5
"""A ramp is watched in so many ranges of temperature: quiet at 300 K says nothing of 1500 K."""


class MD(Explorer):
    """Molecular dynamics with the integrators of `gapy md`.

    Arguments
    ---------
    start : ase.Atoms; momenta are drawn unless it has some
    temperature, temperature_end : K; with an end, linear in time
    ps : simulated time; timestep : fs
    ensemble : "nve", "nvt" (Langevin), "nvt-bussi" or "npt"
    pressure, pressure_end : GPa, npt only; with an end, linear in time
    cycles : the ramps run up, down, up, ... so many times within `ps`
    thermostat_time, barostat_time : fs; bulk_modulus : GPa, sets the pace of the cell

    Raises
    ------
    GapyError : settings or structure that MD refuses
    """

    kind = "md"
    has_time = True

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
        self._barostat = None
        self._dynamics = None

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        if self.start.get_momenta().any():
            self.atoms.set_momenta(self.start.get_momenta())

    def restart(self) -> None:
        super().restart()
        kinetics.draw_velocities(self.atoms, self.temperature_at(self.step), self.rng)
        self._barostat = None
        if self.settings.ensemble == "npt":
            self._barostat = {"mass": thermostats.barostat_mass(self.atoms, self.settings)}
        self._dynamics = None

    def attach(self, calculator) -> None:
        super().attach(calculator)
        self._dynamics = None

    def advance(self) -> Frame | None:
        if self.step >= self.steps:
            self.finished = f"all {self.steps} steps done"
            return None
        # Overflow and nan are looked for after the step and reported with a reason.
        with np.errstate(over="ignore", invalid="ignore"):
            if self._dynamics is None:
                self._dynamics = thermostats.make_dynamics(
                    self.atoms, self.settings, self.rng, self._barostat
                )
            step = self.step + 1
            thermostats.set_temperature(self._dynamics, self.temperature_at(step))
            if self.settings.ensemble == "npt":
                self._dynamics.externalstress = -self.pressure_at(step) * units.GPa
            self.step = step
            about = {
                "time_ps": step * self.settings.timestep * 1e-3,
                "temperature": self.temperature_at(step),
                "stage": self.stage_at(step),
            }
            try:
                self._dynamics.step()
                frame = self._frame(**about)
            except StructureError as error:
                return self._broken(str(error), **about)
            self._barostat = thermostats.barostat_state(self._dynamics)
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
        )

    def _state(self) -> dict:
        return {"barostat": self._barostat}

    def _set_state(self, state: dict) -> None:
        self._barostat = state["barostat"]
        self._dynamics = None
