"""One run from its start or checkpoint to its end: steps, and what is due after each of them."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from gapy.errors import GapyError, StructureError
from gapy.md import files as names
from gapy.md import kinetics, log, thermostats, watch
from gapy.md.frames import evaluate, to_extxyz
from gapy.md.restart import Averages, Checkpoint, precision_of
from gapy.md.result import MDResult

logger = logging.getLogger("gapy.md")


class Run:
    """One call of `run_md`: the live atoms, the integrator, and what is due at each step.

    The integrator is rebuilt from atoms, generator and barostat at every checkpoint, which is
    just what a restart does: both go through `_advance` with `dynamics` None.
    """

    def __init__(self, files, settings, steps, limits, callback, stop):
        self.files = files
        self.settings = settings
        self.steps = steps
        self.limits = limits
        self.callback = callback
        self.stop = stop
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
        saved.check_precision(precision_of(calculator))
        self._evaluate_start(calculator)
        saved.check_energy(self.frame.calc.results["energy"])
        self.files.clear([names.RESULT])
        self._open(saved.sizes)

    def go(self) -> MDResult:
        """Step until the end, the flag, an explosion or a request to stop."""
        while True:
            flagged = watch.flagged_atoms(self.frame, self.limits.max_force_std)
            if flagged:
                return self._finish_flagged(flagged)
            if self.step >= self.steps:
                return self._finish_steps()
            asked = None if self.stop is None else self.stop()
            if asked:
                return self._finish_stopped(asked)
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
        limited = math.isfinite(self.limits.max_force_std)
        if limited and "forces_std" not in self.frame.arrays:
            raise GapyError(
                "max_force_std needs a calculator with forces_std in its results, but "
                f"{type(calculator).__name__} gives none; switch its uncertainty on "
                "(potential.calculator(uncertainty=True)) or leave max_force_std out"
            )
        explosion = watch.explosion(self.frame, self.record, self.limits)
        if explosion:
            raise GapyError(
                f"the start cannot be run: {explosion}; mend the structure or change that limit"
            )
        logger.info(self.limits.describe())

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
            good = self.frame, self.record
            try:
                self.dynamics.step()
                self._measure(self.step + 1, start)
                explosion = watch.explosion(self.frame, self.record, self.limits, good[1])
            except StructureError as error:
                explosion = f"{error} at step {self.step + 1}"
            self.seconds += time.perf_counter() - start
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
            precision=precision_of(self.atoms.calc),
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

    def _finish_stopped(self, asked: str) -> MDResult:
        self._close_books()
        return self._result("stopped", f"{asked} at step {self.step}; the state is saved")

    def _finish_flagged(self, flagged: tuple[watch.FlaggedAtom, ...]) -> MDResult:
        self._close_books()
        reason = watch.flag_reason(self.step, flagged, self.limits)
        info = {
            "reason": reason,
            "max_force_std": self.limits.max_force_std,
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
            limits=self.limits.to_dict(),
            atoms=self.frame,
        )
        self.files.replace(names.RESULT, result.to_json())
        return result
