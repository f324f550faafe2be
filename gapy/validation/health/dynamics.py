"""Molecular dynamics: energy that is conserved, and heat that raises the flag before it destroys.

Both run `gapy.run_md` in a directory that is gone afterwards.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from gapy._support.voigt import is_crystal
from gapy.md.run import run_md
from gapy.validation.health.check import Check, Settings, has_flag, judged, skipped
from gapy.validation.health.probe import repeats

TIMESTEP = 1.0
"""fs; half of it where hydrogen moves."""
DRIFT_STEPS, DRIFT_KELVIN = 1000, 600.0
"""Velocities are drawn at twice the temperature at which the atoms settle."""
DRIFT = 0.1
"""meV/atom/ps: a hundredth of k_B 300 K in 3 ps."""
HEAT_STEPS = 1500
COLD, HOT = 300.0, 3000.0
EVERY = 10
"""Steps between frames."""
LEAST_ATOMS = 32


def nve(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Slope of the total energy at constant energy."""
    start = _repeated(atoms)
    with _run(
        start, calculator, settings, ensemble="nve", temperature=DRIFT_KELVIN, steps=DRIFT_STEPS
    ) as (result, log, _):
        time, energy = log["time_fs"] / 1000.0, log["total_energy_eV"] / len(start)
    name = "NVE drift"
    if result.status != "finished":
        return judged(name, np.inf, DRIFT, "meV/atom/ps", f"the run ended early: {result.reason}")
    drift = 1000.0 * abs(np.polyfit(time, energy, 1)[0])
    noise = 1000.0 * float(np.std(energy))
    return judged(
        name,
        drift,
        DRIFT,
        "meV/atom/ps",
        f"{len(start)} atoms, {time[-1]:g} ps in steps of {_timestep(start):g} fs at about "
        f"{log['temperature_K'][len(time) // 2 :].mean():.0f} K; the energy fluctuates by "
        f"{noise:.2g} meV/atom",
        arrays={"time (ps)": time, "total energy (meV/atom)": 1000.0 * (energy - energy[0])},
    )


def heating(calculator, atoms: Atoms, settings: Settings) -> Check:
    """Explosions (0 or 1) before the flag goes up, from COLD to HOT."""
    name = f"heating {COLD:.0f} to {HOT:.0f} K"
    if not has_flag(calculator, settings):
        return skipped(name, "the calculator has no calibrated sigma, so there is no flag")
    start = _repeated(atoms)
    with _run(
        start,
        calculator,
        settings,
        ensemble="nvt",
        temperature=COLD,
        temperature_end=HOT,
        steps=HEAT_STEPS,
        max_force_std=np.inf,
    ) as (result, log, frames):
        time, sigma = log["time_fs"] / 1000.0, log["max_force_std_eV_per_A"]
        up = np.flatnonzero(sigma > settings.flag)
        flagged = {}
        if len(up):
            at = min(-(-int(up[0]) // EVERY), len(frames) - 1)
            flagged = {f"heated, flag up at {log['target_temperature_K'][up[0]]:.0f} K": frames[at]}
    exploded = result.status == "exploded"
    if len(up):
        said = f"flag up at {log['target_temperature_K'][up[0]]:.0f} K ({time[up[0]]:.2f} ps)"
    else:
        said = f"the flag stays down, sigma at most {np.nanmax(sigma):.3g} eV/A"
    said += f"; {result.reason}" if exploded else "; no explosion"
    return judged(
        name,
        float(exploded and not len(up)),
        0.0,
        "explosions before the flag",
        said,
        arrays={
            "time (ps)": time,
            "temperature (K)": log["temperature_K"],
            "force sigma (eV/A)": sigma,
        },
        flagged=flagged,
    )


def _timestep(atoms: Atoms) -> float:
    return TIMESTEP * (0.5 if 1 in atoms.numbers else 1.0)


def _repeated(atoms: Atoms) -> Atoms:
    return atoms.repeat(repeats(atoms, LEAST_ATOMS)) if is_crystal(atoms) else atoms.copy()


@contextmanager
def _run(atoms: Atoms, calculator, settings: Settings, **options):
    """Result, log (column -> (k,)) and frames of a run."""
    logger = logging.getLogger("gapy.md")
    level = logger.level
    with tempfile.TemporaryDirectory() as folder:
        try:
            logger.setLevel(logging.CRITICAL)  # how it ends is told by the check
            result = run_md(
                atoms, calculator, Path(folder) / "run", timestep=_timestep(atoms),
                seed=settings.seed, traj_interval=EVERY, **options,
            )  # fmt: skip
        finally:
            logger.setLevel(level)
        log = np.atleast_1d(np.genfromtxt(result.log_path, delimiter=",", names=True))
        yield result, log, ase.io.read(result.trajectory_path, ":")
