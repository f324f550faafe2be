"""`gapy demo`: fit the shipped silicon, test it, run MD until its error bars say stop.

Every line that is printed is a result of the run that printed it.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import bulk
from scipy.optimize import minimize_scalar

from gapy import data
from gapy._support.files import require_directory, write_whole
from gapy._support.tables import error_bars, errors_table, groups_table
from gapy.errors import GapyError
from gapy.fit.regressor import SparseGPRegressor
from gapy.fit.settings import ModelSettings
from gapy.md import run_md
from gapy.model.loading import load
from gapy.structures.writing import as_extxyz
from gapy.validation.evaluation import evaluate

WRITTEN = {
    "si.gapy", "start.xyz", "test.xyz", "md", "md-heating",
    "parity.png", "sigma-error.png", "md-timeline.png",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Sizes of the demo: SOAP, inducing points, noise, MD steps of 1 fs, temperatures in K.

    margin, percentile: the run stops where the sigma of an atom exceeds `margin` times this
    percentile of sigma over the atoms of the test split. The largest sigma of all would hang on
    one odd structure.
    """

    r_cut: float = 5.5
    n_max: int = 8
    l_max: int = 8
    n_inducing: int = 1000
    sigma_forces: float = 0.02
    steps: int = 1000
    temperature: float = 300.0
    heating_steps: int = 4000
    hottest: float = 4000.0
    margin: float = 1.5
    percentile: float = 99.0


def run_demo(directory, *, threads: int = 2, plan: Plan | None = None) -> None:
    """Run the demo in `directory`; files of an earlier demo are replaced.

    Raises
    ------
    GapyError : the directory cannot be written, or holds something else
    """
    began = time.perf_counter()
    plan = plan or Plan()
    directory = Path(directory)
    _require_own(directory)
    directory.mkdir(parents=True, exist_ok=True)
    splits = {name: data.frames("si", split=name) for name in ("train", "test", "hot")}
    sizes = ", ".join(
        f"{name} {len(f)} frames ({sum(map(len, f))} atoms)" for name, f in splits.items()
    )
    _say(f"silicon from LDA-DFT: {sizes}; hot is liquid-like and takes no part in the fit")

    potential = _fit(splits["train"], directory, threads, plan)
    test = evaluate(potential, splits["test"], threads=threads)
    hot = evaluate(potential, splits["hot"], threads=threads)
    _say("\nerrors on the test split, next to the spread of its labels")
    _say(errors_table(test.total), error_bars(test), groups_table(test.by_config_type), sep="\n")
    _say("\nextrapolation: errors on the hot split")
    _say(errors_table(hot.total))
    _say(
        f"force RMSE {hot.total.forces_rmse:.3f} eV/A with a mean sigma of "
        f"{hot.total.mean_force_std:.3f} eV/A; test {test.total.forces_rmse:.3f} and "
        f"{test.total.mean_force_std:.3f}"
    )

    threshold = plan.margin * float(np.percentile(test.samples.forces_std, plan.percentile))
    start = _crystal(potential, directory)
    _say(
        f"\nMD stops where the force sigma of an atom exceeds {threshold:.2f} eV/A, "
        f"{plan.margin:g} times percentile {plan.percentile:g} of the test split"
    )
    logs = _dynamics(potential, start, threshold, directory, threads, plan)
    _pictures(test, logs, threshold, directory, f"{plan.temperature:g} K")
    _write_frames(splits["test"], directory / "test.xyz")
    _say(f"\nall of this took {time.perf_counter() - began:.0f} s; it is in {directory}/")
    _say(_next_steps(directory, threshold))


def _require_own(directory: Path) -> None:
    require_directory(directory)
    visible = {p.name for p in directory.glob("[!.]*")}
    others = sorted(visible - WRITTEN)
    if others:
        raise GapyError(
            f"directory {directory} holds {others[0]}, which is not of a demo; choose another "
            "directory"
        )


def _fit(train, directory: Path, threads: int, plan: Plan):
    settings = ModelSettings.of(plan)
    regressor = SparseGPRegressor(
        settings.soap(["Si"]),
        **settings.regressor_arguments(),
        threads=threads,
        progress=sys.stderr.isatty(),
    ).fit(train)
    path = directory / "si.gapy"
    regressor.potential_.save(path)
    n_points = len(regressor.potential_.posterior.alpha)
    n_labels = regressor.statistic_.n_labels
    _say(
        f"fitted {n_points} inducing points to {n_labels} energies, forces and stresses in "
        f"{regressor.fit_seconds_:.1f} s; {path} has {path.stat().st_size / 1e6:.1f} MB"
    )
    return load(path)


def _crystal(potential, directory: Path):
    """64 atoms of diamond at the lattice constant where the potential's energy is lowest."""

    def energy(a: float) -> float:
        return potential.evaluate(bulk("Si", "diamond", a=a)).energy

    a = float(minimize_scalar(energy, bounds=(5.1, 5.8), method="bounded").x)
    _say(f"\nthe potential's diamond has its lowest energy at a = {a:.3f} A")
    start = bulk("Si", "diamond", a=a, cubic=True).repeat(2)
    _write_frames([start], directory / "start.xyz")
    return start


def _dynamics(potential, start, threshold: float, directory: Path, threads: int, plan: Plan):
    calculator = potential.calculator(uncertainty=True, threads=threads)
    common = {"max_force_std": threshold, "overwrite": True}
    cold = run_md(
        start,
        calculator,
        directory / "md",
        temperature=plan.temperature,
        steps=plan.steps,
        **common,
    )
    _say(f"{len(start)} atoms at {plan.temperature:g} K:", _summary(cold), sep="\n")
    heated = run_md(
        cold.atoms,
        calculator,
        directory / "md-heating",
        temperature=plan.temperature,
        temperature_end=plan.hottest,
        steps=plan.heating_steps,
        **common,
    )
    _say(
        f"heated at {(plan.hottest - plan.temperature) / plan.heating_steps:.2f} K/fs:",
        _summary(heated),
        sep="\n",
    )
    return cold.log_path, heated.log_path


def _summary(result) -> str:
    lines = [
        f"  {result.status}: {result.reason}",
        f"  {result.n_steps} steps, mean temperature {result.mean_temperature:.0f} K; force sigma "
        f"{result.mean_force_std:.3f} eV/A on average, {result.max_force_std:.3f} at most",
    ]
    if result.n_steps:
        lines[-1] += f"; {1e3 * result.wall_time_per_step:.1f} ms per step"
    if result.frame_path is not None:
        lines.append(f"  the frame to compute next is {result.frame_path}")
    return "\n".join(lines)


def _pictures(report, logs, threshold: float, directory: Path, first: str) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        _say('\nno pictures: matplotlib is not installed; pip install "gapy[plot]"')
        return
    from gapy.validation import plots

    plots.parity(report, directory / "parity.png")
    plots.sigma_against_error(report, directory / "sigma-error.png")
    plots.md_timeline(
        logs, directory / "md-timeline.png", max_force_std=threshold, labels=(first, "heating")
    )
    _say("\npictures: parity.png, sigma-error.png, md-timeline.png")


def _write_frames(frames, path: Path) -> None:
    write_whole(path, as_extxyz(frames))


def _next_steps(directory: Path, threshold: float) -> str:
    return f"""next, for instance:
  gapy info {directory}/si.gapy
  gapy evaluate {directory}/si.gapy {directory}/test.xyz --json errors.json
  gapy md {directory}/si.gapy {directory}/start.xyz --temperature 600 --steps 5000 \\
      --max-force-std {threshold:.2f} -o md-600K
  gapy fit YOUR.xyz -o yours.gapy
or in Python
  import gapy
  atoms.calc = gapy.load("{directory}/si.gapy").calculator(uncertainty=True)
  atoms.get_forces(); atoms.calc.results["forces_std"]"""


def _say(*lines: str, sep: str = " ") -> None:
    print(*lines, sep=sep, flush=True)
