"""What a run is asked to do: checked once, stored in the checkpoint, compared at a restart."""

from __future__ import annotations

import math
import operator
from dataclasses import asdict, dataclass

from gapy.errors import GapyError

ENSEMBLES = {
    "nve": "velocity Verlet, constant energy",
    "nvt": "Langevin dynamics, BAOAB splitting, constant volume",
    "nvt-bussi": "stochastic velocity rescaling of Bussi, Donadio and Parrinello, constant volume",
    "npt": "Langevin dynamics with an isotropic Langevin piston, constant pressure and cell shape",
}


def real(
    name: str,
    value,
    unit: str,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    or_inf: bool = False,
):
    """Return `value` as a finite float, > `above` and >= `least`; GapyError names `name`.

    or_inf: infinity is taken too, for a limit that is switched off.
    """
    if above > -math.inf:
        expected = f"a finite number > {above:g}"
    elif least > -math.inf:
        expected = f"a finite number >= {least:g}"
    else:
        expected = "a finite number"
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if or_inf and number == math.inf and not isinstance(value, str):
        return number
    if isinstance(value, (str, bool)) or not (
        math.isfinite(number) and number > above and number >= least
    ):
        no_limit = ", or inf for no limit" if or_inf else ""
        raise GapyError(f"{name} must be {expected} in {unit}{no_limit}, got {value!r}")
    return number


def whole(name: str, value, *, least: int) -> int:
    """Return `value` as an int >= `least`; GapyError names `name`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise GapyError(f"{name} must be a whole number >= {least}, got {value!r}")
    return number


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that fix a trajectory; all but `ramp_steps` must agree at a restart."""

    ensemble: str
    temperature: float  # K
    temperature_end: float | None  # K, reached after ramp_steps
    ramp_steps: int
    pressure: float | None  # GPa
    timestep: float  # fs
    thermostat_time: float  # fs
    barostat_time: float  # fs
    bulk_modulus: float  # GPa
    seed: int
    log_interval: int
    traj_interval: int
    checkpoint_interval: int

    def __post_init__(self):
        if self.ensemble not in ENSEMBLES:
            raise GapyError(
                f"ensemble must be one of {', '.join(ENSEMBLES)}, got {self.ensemble!r}"
            )
        nve = self.ensemble == "nve"
        limit = {"least": 0.0} if nve else {"above": 0.0}
        checked = {
            "temperature": real("temperature", self.temperature, "K", **limit),
            "timestep": real("timestep", self.timestep, "fs", above=0.0),
            "thermostat_time": real("thermostat_time", self.thermostat_time, "fs", above=0.0),
            "barostat_time": real("barostat_time", self.barostat_time, "fs", above=0.0),
            "bulk_modulus": real("bulk_modulus", self.bulk_modulus, "GPa", above=0.0),
            "seed": whole("seed", self.seed, least=0),
            "ramp_steps": whole("steps", self.ramp_steps, least=0),
        }
        for name in ("log_interval", "traj_interval", "checkpoint_interval"):
            checked[name] = whole(name, getattr(self, name), least=1)
        if self.temperature_end is not None:
            if nve:
                raise GapyError(
                    "temperature_end needs a thermostat, but ensemble is 'nve'; "
                    "choose ensemble 'nvt', 'nvt-bussi' or 'npt'"
                )
            end = real("temperature_end", self.temperature_end, "K", above=0.0)
            checked["temperature_end"] = end
        if self.ensemble == "npt":
            checked["pressure"] = real("pressure", self.pressure or 0.0, "GPa")
        elif self.pressure is not None:
            raise GapyError(
                f"pressure is used by ensemble 'npt' only, but ensemble is {self.ensemble!r}; "
                "leave pressure out or choose ensemble 'npt'"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def target_temperature(self, step: int) -> float:
        """Thermostat temperature in K at `step`: linear over `ramp_steps`, constant after them."""
        if self.temperature_end is None or self.ramp_steps == 0:
            return self.temperature
        done = min(step / self.ramp_steps, 1.0)
        return self.temperature + done * (self.temperature_end - self.temperature)

    def highest_temperature(self) -> float:
        """The largest temperature in K that the thermostat is ever set to."""
        return max(self.temperature, self.temperature_end or 0.0)

    def differences(self, stored: dict) -> list[str]:
        """Settings that differ from the `stored` ones, as `name: stored ..., given ...`."""
        return [
            f"{name}: stored {stored.get(name)!r}, given {value!r}"
            for name, value in asdict(self).items()
            if name != "ramp_steps" and stored.get(name) != value
        ]
