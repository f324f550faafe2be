"""The log of a run, md.csv: one row per logged step, the units in the header."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from ase import Atoms, units

from gapy.md import kinetics

NPT_ONLY = ("volume_A3", "pressure_GPa")


@dataclass(frozen=True)
class StepRecord:
    """What one MD step measured; the field names, which carry the units, head the log.

    The force sigma of an atom is the root mean square over x, y, z of its `forces_std`, so that it
    compares with a force RMSE per component. nan where the calculator gives no uncertainty.
    `pressure_GPa` includes the kinetic (ideal gas) part; it is nan except in ensemble 'npt'.
    """

    step: int
    time_fs: float
    temperature_K: float
    target_temperature_K: float
    potential_energy_eV: float
    total_energy_eV: float
    volume_A3: float
    pressure_GPa: float
    max_force_std_eV_per_A: float
    mean_force_std_eV_per_A: float
    max_energy_std_eV: float
    wall_time_s: float


def force_sigma(frame: Atoms) -> np.ndarray | None:
    """Standard deviation of the force on each atom, eV/A, rms over components; None if unknown."""
    if "forces_std" not in frame.arrays:
        return None
    return np.sqrt(np.mean(frame.arrays["forces_std"] ** 2, axis=1))


def measure(
    frame: Atoms, *, step: int, settings, keeps_momentum: bool, wall_time: float
) -> StepRecord:
    """Reduce a frame to the numbers of the log."""
    energy = frame.calc.results["energy"]
    kinetic = frame.get_kinetic_energy()
    sigma = force_sigma(frame)
    local = frame.arrays.get("energies_std")
    volume = pressure = np.nan
    if settings.ensemble == "npt":
        volume = frame.get_volume()
        static = -np.mean(frame.calc.results["stress"][:3])
        pressure = (static + 2.0 * kinetic / (3.0 * volume)) / units.GPa
    return StepRecord(
        step=step,
        time_fs=step * settings.timestep,
        temperature_K=float(kinetics.temperature(frame, keeps_momentum=keeps_momentum)),
        target_temperature_K=settings.target_temperature(step),
        potential_energy_eV=energy,
        total_energy_eV=float(energy + kinetic),
        volume_A3=float(volume),
        pressure_GPa=float(pressure),
        max_force_std_eV_per_A=np.nan if sigma is None else float(sigma.max()),
        mean_force_std_eV_per_A=np.nan if sigma is None else float(sigma.mean()),
        max_energy_std_eV=np.nan if local is None else float(local.max()),
        wall_time_s=wall_time,
    )


def columns(ensemble: str) -> list[str]:
    """Names of the columns of md.csv: those of StepRecord, volume and pressure in 'npt' only."""
    names = [field.name for field in fields(StepRecord)]
    return names if ensemble == "npt" else [name for name in names if name not in NPT_ONLY]


def header(ensemble: str) -> bytes:
    """First line of md.csv."""
    return (",".join(columns(ensemble)) + "\n").encode()


def row(record: StepRecord, ensemble: str) -> bytes:
    """One line of md.csv."""
    values = (getattr(record, name) for name in columns(ensemble))
    cells = (f"{value:.12g}" if isinstance(value, float) else str(value) for value in values)
    return (",".join(cells) + "\n").encode()
