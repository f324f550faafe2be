"""The runner: MD that logs its uncertainty, stops by itself and can be continued exactly."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from gapy.errors import GapyError
from gapy.md import files as names
from gapy.md import kinetics, log, thermostats, watch
from gapy.md.files import RunDirectory
from gapy.md.frames import evaluate, to_extxyz
from gapy.md.log import StepRecord
from gapy.md.restart import Averages, Checkpoint
from gapy.md.result import MDResult
from gapy.md.settings import Settings, real, whole

logger = logging.getLogger("gapy.md")


def run_md(
    atoms: Atoms,
    calculator,
    directory,
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
    log_interval: int = 1,
    traj_interval: int = 10,
    checkpoint_interval: int = 100,
    overwrite: bool = False,
    restart: bool = False,
    callback: Callable[[StepRecord, Atoms], None] | None = None,
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
        temperature: K. In "nve" it only serves to draw velocities.
        temperature_end: K; the thermostat goes linearly from `temperature` to this over the
            `steps` of the first call, and stays there if a restart asks for more.
        pressure: GPa, "npt" only, positive compresses; None means 0.
        steps: total number of steps, those before a restart included.
        timestep: fs.
        thermostat_time: fs, 1/friction of "nvt" and "npt", relaxation time of "nvt-bussi".
        barostat_time: fs, period and damping time of the volume in "npt".
        bulk_modulus: GPa, a rough value for the material; scales the barostat's mass only.
        seed: of every random number.
        max_force_std: eV/A; stop when the force sigma of any atom exceeds it.
        max_temperature: K; above it the run counts as exploded. Default: 10000 K or ten times the
            highest temperature asked for, whichever is larger.
        log_interval, traj_interval: steps between rows of the log and frames of the trajectory.
        checkpoint_interval: steps between states saved for a restart. At each of them the
            calculator is reset and called anew, so that a continued run, which begins with an
            empty neighbour list, repeats an uninterrupted one bit by bit.
        overwrite: remove the run that is in `directory` first.
        restart: continue the run in `directory` up to `steps`, with the same settings (`steps`,
            `max_force_std`, `max_temperature` may change).
        callback: called as callback(record, frame) after every step and for the start.

    Returns:
        MDResult; a stop by uncertainty or explosion is a status, not an exception, and is also
        logged as a warning by the logger "gapy.md".

    Raises:
        GapyError: bad arguments; `max_force_std` with a calculator that gives no `forces_std`;
            a start that is not finite; a directory in use, unwritable, full, or with a run in it;
            a restart from nothing, with other settings, atoms or calculator.
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
    if max_force_std is not None:
        max_force_std = real("max_force_std", max_force_std, "eV/A", above=0.0)
    if max_temperature is None:
        max_temperature = watch.runaway_limit(settings.highest_temperature())
    max_temperature = real("max_temperature", max_temperature, "K", above=0.0)
    if restart and overwrite:
        raise GapyError("restart and overwrite exclude each other; give one of them")
    thermostats.check_atoms(atoms, settings.ensemble)

    with RunDirectory(directory) as files:
        run = _Run(files, settings, steps, max_force_std, max_temperature, callback)
        if restart:
            run.resume(atoms, calculator)
        else:
            run.begin(atoms, calculator, overwrite=overwrite)
        return run.go()


class _Run:
    """One call of `run_md`: the live atoms, the integrator, and what is due at each step.

    The integrator is rebuilt from atoms, generator and barostat at every checkpoint, which is
    just what a restart does: both go through `_advance` with `dynamics` None.
    """

    def __init__(self, files, settings, steps, max_force_std, max_temperature, callback):
        self.files = files
        self.settings = settings
        self.steps = steps
        self.max_force_std = max_force_std
        self.max_temperature = max_temperature
        self.callback = callback
        self.keeps_momentum = thermostats.keeps_momentum(settings.ensemble)
        self.rng = np.random.default_rng(settings.seed)
        self.dynamics = None
        self.barostat = None
        self.averages = Averages()
        self.step = 0
        self.saved_step = -1
        self.seconds = 0.0
        self.first_step = 0

    def begin(self, atoms: Atoms, calculator, *, overwrite: bool) -> None:
        """Start at step 0: nothing on disk is touched before the start is known to be sound."""
        old = self.files.present()
        if old and not overwrite:
            raise GapyError(
                f"directory {self.files.path} already holds a run ({', '.join(old)}); continue it "
                "with restart, replace it with overwrite, or choose another directory"
            )
        self.atoms = atoms.copy()
        if not self.atoms.get_momenta().any():
            kinetics.draw_velocities(self.atoms, self.settings.temperature, self.rng)
        elif self.settings.ensemble == "nvt-bussi" and not self.atoms.constraints:
            # rescaling would heat a drift that no other term of the dynamics can damp
            kinetics.remove_drift(self.atoms)
        if self.settings.ensemble == "npt":
            self.barostat = {"mass": thermostats.barostat_mass(self.atoms, self.settings)}
        self._evaluate_start(calculator)
        self.files.clear()
        # Written before any row, so that a run killed from here on can be continued.
        sizes = {names.LOG: 0, names.TRAJECTORY: 0}
        self._checkpoint(sizes)
        self._open(sizes)

    def resume(self, atoms: Atoms, calculator) -> None:
        """Start from the checkpoint: log and trajectory are cut back to what they were then."""
        path = self.files.path / names.CHECKPOINT
        if names.CHECKPOINT not in self.files.present():
            raise GapyError(f"restart found no run: {path} is missing; start without restart")
        saved = Checkpoint.from_bytes(self.files.read(names.CHECKPOINT), path)
        self.settings = saved.agreed_settings(self.settings)
        if self.steps < saved.step:
            raise GapyError(
                f"steps must be at least {saved.step}, where the run in {self.files.path} stands, "
                f"got {self.steps}"
            )
        self.atoms = saved.restore(atoms)
        self.rng.bit_generator.state = saved.random
        self.barostat = saved.barostat
        self.averages = saved.averages
        self.step = self.first_step = self.saved_step = saved.step
        self._evaluate_start(calculator)
        saved.check_energy(self.frame.calc.results["energy"])
        self.files.clear([names.RESULT])
        self._open(saved.sizes)

    def go(self) -> MDResult:
        """Step until the end, the flag or an explosion."""
        while True:
            flagged = watch.flagged_atoms(self.frame, self.max_force_std)
            if flagged:
                return self._finish_flagged(flagged)
            if self.step >= self.steps:
                return self._finish_steps()
            explosion = self._advance()
            if explosion:
                return self._finish_exploded(explosion)

    def _evaluate_start(self, calculator) -> None:
        """Call the calculator for the state at hand and refuse what cannot be run."""
        self.atoms.calc = calculator
        self._reset_calculator()
        try:
            self._measure(self.step, time.perf_counter())
        except PropertyNotImplementedError as error:
            raise GapyError(
                f"calculator {type(calculator).__name__} cannot give what ensemble "
                f"{self.settings.ensemble!r} needs: {error}"
            ) from error
        if self.max_force_std is not None and "forces_std" not in self.frame.arrays:
            raise GapyError(
                "max_force_std needs a calculator with forces_std in its results, but "
                f"{type(calculator).__name__} gives none; switch its uncertainty on "
                "(potential.calculator(uncertainty=True)) or leave max_force_std out"
            )
        explosion = watch.explosion(self.frame, self.record, self.max_temperature)
        if explosion:
            raise GapyError(f"the start cannot be run: {explosion}; mend the structure")

    def _open(self, sizes: dict[str, int]) -> None:
        self.files.open_at(sizes)
        if sizes[names.LOG] == 0:
            self.files.append(names.LOG, log.header(self.settings.ensemble))
            self._report()

    def _reset_calculator(self) -> None:
        if hasattr(self.atoms.calc, "reset"):
            self.atoms.calc.reset()

    def _advance(self) -> str | None:
        """One step; the reason if it exploded, in which case the last good frame stays."""
        start = time.perf_counter()
        # Overflow and nan are looked for after the step and reported with a reason.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.dynamics is None:
                self._reset_calculator()
                self.dynamics = thermostats.make_dynamics(
                    self.atoms, self.settings, self.rng, self.barostat
                )
            target = self.settings.target_temperature(self.step + 1)
            thermostats.set_temperature(self.dynamics, target)
            self.dynamics.step()
            good = self.frame, self.record
            self._measure(self.step + 1, start)
            self.seconds += self.record.wall_time_s
            explosion = watch.explosion(self.frame, self.record, self.max_temperature)
        if explosion:
            self.frame, self.record = good
            return explosion
        self.step += 1
        self.barostat = thermostats.barostat_state(self.dynamics)
        self._report()
        return None

    def _measure(self, step: int, start: float) -> None:
        self.frame = evaluate(self.atoms, stress=self.settings.ensemble == "npt")
        self.record = log.measure(
            self.frame,
            step=step,
            settings=self.settings,
            keeps_momentum=self.keeps_momentum,
            wall_time=time.perf_counter() - start,
        )

    def _report(self) -> None:
        """Log row, trajectory frame, callback and checkpoint, each where it is due."""
        self.averages = self.averages.add(self.record)
        self._append(
            row=self.step % self.settings.log_interval == 0,
            frame=self.step % self.settings.traj_interval == 0,
        )
        if self.callback is not None:
            self.callback(self.record, self.frame)
        if self.step % self.settings.checkpoint_interval == 0:
            self._checkpoint(self.files.sizes())
            self.dynamics = None

    def _append(self, *, row: bool, frame: bool) -> None:
        if row:
            self.files.append(names.LOG, log.row(self.record, self.settings.ensemble))
        if frame:
            self.files.append(names.TRAJECTORY, to_extxyz(self.frame, **self._info()))

    def _info(self) -> dict:
        return {
            "step": self.record.step,
            "time_fs": self.record.time_fs,
            "temperature_K": self.record.temperature_K,
        }

    def _checkpoint(self, sizes: dict[str, int]) -> None:
        state = Checkpoint(
            step=self.step,
            atoms=self.atoms,
            energy=self.frame.calc.results["energy"],
            random=self.rng.bit_generator.state,
            barostat=self.barostat,
            averages=self.averages,
            sizes=sizes,
            settings=asdict(self.settings),
        )
        self.files.replace(names.CHECKPOINT, state.to_bytes())
        self.saved_step = self.step

    def _close_books(self) -> None:
        """Save the state, then add the last step where no interval put it.

        The checkpoint is made first: a restart cuts these extra lines off and goes on as if the
        run had never paused.
        """
        if self.saved_step != self.step:
            self._checkpoint(self.files.sizes())
        self._append(
            row=self.step % self.settings.log_interval != 0,
            frame=self.step % self.settings.traj_interval != 0,
        )

    def _finish_steps(self) -> MDResult:
        self._close_books()
        return self._result("finished", f"all {self.step} steps done")

    def _finish_flagged(self, flagged: tuple[watch.FlaggedAtom, ...]) -> MDResult:
        self._close_books()
        reason = watch.flag_reason(self.step, flagged, self.max_force_std)
        info = {
            "reason": reason,
            "max_force_std": self.max_force_std,
            "flagged_atoms": [atom.index for atom in flagged],
            "flagged_symbols": " ".join(atom.symbol for atom in flagged),
            "flagged_force_std": [atom.force_std for atom in flagged],
        }
        return self._result("flagged", reason, names.FLAGGED, info, flagged)

    def _finish_exploded(self, explosion: str) -> MDResult:
        reason = f"{explosion}; the last good frame is step {self.step}"
        return self._result("exploded", reason, names.LAST_GOOD, {"reason": reason})

    def _result(self, status, reason, frame_name=None, info=None, flagged=()) -> MDResult:
        path = None
        if frame_name is not None:
            data = to_extxyz(self.frame, **self._info(), **info)
            path = self.files.replace(frame_name, data)
            logger.warning("MD stopped: %s; frame saved to %s", reason, path)
        done = self.step - self.first_step
        averages = self.averages
        result = MDResult(
            status=status,
            reason=reason,
            n_steps=self.step,
            time_fs=self.record.time_fs,
            flagged_atoms=flagged,
            mean_temperature=averages.temperature / averages.count,
            mean_force_std=averages.force_std / averages.count,
            max_force_std=averages.max_force_std,
            wall_time_per_step=self.seconds / done if done else float("nan"),
            log_path=self.files.path / names.LOG,
            trajectory_path=self.files.path / names.TRAJECTORY,
            checkpoint_path=self.files.path / names.CHECKPOINT,
            frame_path=path,
            atoms=self.frame,
        )
        self.files.replace(names.RESULT, result.to_json())
        return result
