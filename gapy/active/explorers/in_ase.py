"""An MD walker moved by ASE's integrators, in this process."""

from __future__ import annotations

from ase import units

from gapy.md import thermostats


class InAse:
    """Moves the atoms of an MD explorer step by step; made anew in `attach`."""

    def __init__(self, md):
        self._md = md
        self._barostat: dict | None = None
        self._dynamics = None

    def restart(self) -> None:
        """The explorer is at its start again, with new velocities."""
        md = self._md
        self._barostat = None
        if md.settings.ensemble == "npt":
            self._barostat = {"mass": thermostats.barostat_mass(md.atoms, md.settings)}
        self._dynamics = None

    def attach(self) -> None:
        """The explorer has another calculator."""
        self._dynamics = None

    def advance(self, n: int) -> None:
        """n steps, which the explorer's `step` counts; StructureError as the calculator's."""
        md = self._md
        for _ in range(n):
            if self._dynamics is None:
                self._dynamics = thermostats.make_dynamics(
                    md.atoms, md.settings, md.rng, self._barostat
                )
            step = md.step + 1
            thermostats.set_temperature(self._dynamics, md.temperature_at(step))
            if md.settings.ensemble == "npt":
                self._dynamics.externalstress = -md.pressure_at(step) * units.GPa
            md.step = step
            self._dynamics.step()
            self._barostat = thermostats.barostat_state(self._dynamics)

    def close(self) -> None:
        """Nothing was started."""

    def get_state(self) -> dict:
        """Beyond positions, momenta and random numbers: the barostat."""
        return {"barostat": self._barostat}

    def set_state(self, state: dict) -> None:
        """The inverse of `get_state`."""
        self._barostat = state["barostat"]
        self._dynamics = None
