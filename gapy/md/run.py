"""The call that runs MD: arguments checked, directory locked, everything else handed to Run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from gapy.errors import GapyError
from gapy.md import files as names
from gapy.md import thermostats
from gapy.md.files import RunDirectory
from gapy.md.limits import Limits
from gapy.md.log import StepRecord
from gapy.md.result import MDResult
from gapy.md.runner import Run
from gapy.md.settings import Settings, whole


def run_md(
    atoms: Atoms,
    calculator: BaseCalculator,
    directory: str | Path,
    *,
    ensemble: str = "nvt",
    temperature: float = 300.0,
    temperature_end: float | None = None,
    pressure: float | None = None,
    steps: int = 1000,
    timestep: float = 1.0,
    thermostat_time: float = 100.0,
    barostat_time: float = 500.0,
    bulk_modulus: float = 100.0,
    seed: int = 0,
    max_force_std: float | None = None,
    max_temperature: float | None = None,
    max_energy_jump: float | None = None,
    min_distance: float | None = None,
    log_interval: int = 1,
    traj_interval: int = 10,
    checkpoint_interval: int = 100,
    overwrite: bool = False,
    restart: bool = False,
    callback: Callable[[StepRecord, Atoms], None] | None = None,
    stop: Callable[[], str | None] | None = None,
) -> MDResult:
    """Run molecular dynamics with error bars in `directory`; `atoms` is not changed.

    The uncertainty is read from the calculator's results: `forces_std` (n, 3) in eV/A and
    `energies_std` (n,) in eV. The force sigma of an atom is the root mean square over x, y, z.

    Files: md.csv (log, units in the header), md.extxyz (trajectory, `forces_std` and
    `energies_std` per atom), checkpoint.npz, result.json, and flagged.extxyz or last_good.extxyz
    where the run stopped early. The last step is always in the log and the trajectory.

    Args:
        atoms: start structure. Momenta, if any, are used; otherwise they are drawn from the
            Maxwell-Boltzmann distribution at `temperature` with zero total momentum. FixAtoms and
            FixCartesian constraints are kept (not in "npt").
        calculator: any ASE calculator; "npt" needs stress.
        directory: where the run lives; created if missing, one run at a time.
        ensemble: "nve" (velocity Verlet), "nvt" (Langevin, BAOAB), "nvt-bussi" (stochastic
            velocity rescaling) or "npt" (Langevin with an isotropic Langevin piston).
        temperature: K. In "nve" it only serves to draw velocities; atoms that start at rest
            positions then settle near half of it.
        temperature_end: K; the thermostat goes linearly from `temperature` to this over the
            `steps` of the first call, and stays there if a restart asks for more.
        pressure: GPa, "npt" only, positive compresses; None means 0.
        steps: total number of steps, those before a restart included.
        timestep: fs.
        thermostat_time: fs, 1/friction of "nvt" and "npt", relaxation time of "nvt-bussi".
        barostat_time: fs, period and damping time of the volume in "npt".
        bulk_modulus: GPa, a rough value for the material; scales the barostat's mass only.
        seed: of every random number.
        max_force_std: eV/A; stop when the force sigma of any atom exceeds it. Default: ten times
            the largest calibrated sigma of the left-out training structures where the calculator
            states it (a GAPCalculator with uncertainty=True of a model fitted to forces), else
            none; inf for none.
        max_temperature: K; above it the run counts as exploded. Default: 10000 K or ten times the
            highest temperature asked for, whichever is larger; inf for none.
        max_energy_jump: eV/atom; the run counts as exploded when the total energy changes by more
            in one step. Default: k_B times the default of max_temperature; inf for none.
        min_distance: A; the run counts as exploded when two atoms come closer. Default, for each
            pair of species: 0.7 of the shortest distance in the training set where the calculator
            states it, else 0.35 of the sum of the covalent radii; 0 for none.
        log_interval: steps between rows of the log.
        traj_interval: steps between frames of the trajectory.
        checkpoint_interval: steps between states saved for a restart. At each of them the
            calculator is reset and called anew, so that a continued run, which begins with an
            empty neighbour list, repeats an uninterrupted one bit by bit.
        overwrite: remove the run that is in `directory` first.
        restart: continue the run in `directory` up to `steps`, with the same settings (`steps`,
            the limits may change).
        callback: called as callback(record, frame) after every step and for the start.
        stop: called after every step; text that it returns ends the run with the status "stopped"
            and a checkpoint, from which a restart goes on.

    Returns:
        MDResult; a stop by uncertainty or explosion is a status, not an exception, and is also
        logged as a warning by the logger "gapy.md"; the limits are logged there at the start.

    Raises:
        GapyError: bad arguments; `max_force_std` with a calculator that gives no `forces_std`;
            a start that is not finite or beyond a limit; a directory in use, unwritable, full, or
            with a run in it; a restart from nothing, with other settings, atoms or calculator.
    """
    settings = Settings(
        ensemble=ensemble,
        temperature=temperature,
        temperature_end=temperature_end,
        ramp_steps=steps,
        pressure=pressure,
        timestep=timestep,
        thermostat_time=thermostat_time,
        barostat_time=barostat_time,
        bulk_modulus=bulk_modulus,
        seed=seed,
        log_interval=log_interval,
        traj_interval=traj_interval,
        checkpoint_interval=checkpoint_interval,
    )
    steps = whole("steps", steps, least=0)
    if restart and overwrite:
        raise GapyError("restart and overwrite exclude each other; give one of them")
    thermostats.check_atoms(atoms, settings.ensemble)
    limits = Limits.choose(
        calculator,
        atoms.numbers,
        settings,
        max_force_std=max_force_std,
        max_temperature=max_temperature,
        max_energy_jump=max_energy_jump,
        min_distance=min_distance,
    )
    # Looked for before RunDirectory, which would create a mistyped directory.
    saved = os.path.join(directory, names.CHECKPOINT)
    if restart and not os.path.exists(saved):
        raise GapyError(f"restart found no run: {saved} is missing; start without restart")

    with RunDirectory(directory) as files:
        run = Run(files, settings, steps, limits, callback, stop)
        if restart:
            run.resume(atoms, calculator)
        else:
            run.begin(atoms, calculator, overwrite=overwrite)
        return run.go()
