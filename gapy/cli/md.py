"""`gapy md`: molecular dynamics that stops when it leaves the training data."""

from __future__ import annotations

import logging
import math
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gapy.cli.bare_structures import start_structure
from gapy.cli.log import Log, logged, require_one
from gapy.cli.options import Precision, Quiet, Threads, Trust, require_threads
from gapy.errors import GapyError

EXPLODED = 1
SIGNALLED = 128  # plus the number of the signal, as shells have it


def md(
    model: Annotated[str, typer.Argument(help="Model file.")],
    start: Annotated[
        str, typer.Argument(help="Start structure, any file ASE reads; FILE@INDEX for a frame.")
    ],
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="Directory.")],
    temperature: Annotated[float, typer.Option(help="K.")] = 300.0,
    steps: Annotated[int, typer.Option(help="Steps in total.")] = 1000,
    timestep: Annotated[float, typer.Option(help="fs.")] = 1.0,
    max_force_std: Annotated[
        float | None,
        typer.Option(
            help="Stop when the force sigma of an atom exceeds it, eV/A; inf for no limit "
            "[ten times the largest of the training set]."
        ),
    ] = None,
    max_temperature: Annotated[
        float | None,
        typer.Option(help="K, above it the run has exploded [10000 or 10 times the highest]."),
    ] = None,
    max_energy_jump: Annotated[
        float | None,
        typer.Option(help="eV/atom, of the total energy in a step [k_B times 10000 K or more]."),
    ] = None,
    min_distance: Annotated[
        float | None,
        typer.Option(
            help="A, of any two atoms; 0 for no limit [0.7 of the shortest in the training set]."
        ),
    ] = None,
    ensemble: Annotated[str, typer.Option(help="nve, nvt, nvt-bussi or npt.")] = "nvt",
    temperature_end: Annotated[
        float | None, typer.Option(help="K, reached linearly over the steps.")
    ] = None,
    pressure: Annotated[float | None, typer.Option(help="GPa, npt only.")] = None,
    supercell: Annotated[
        str | None, typer.Option(help='Repeat the start structure, as in "2 2 2".')
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Continue the run in DIR up to --steps.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the run that is in DIR first.")
    ] = False,
    uncertainty: Annotated[bool, typer.Option(help="Compute error bars.")] = True,
    posterior_every: Annotated[
        int | None,
        typer.Option(
            help="Steps between force sigmas from posterior samples, of models where these tell "
            "far more than the cheap ones, which are taken between them [10]."
        ),
    ] = None,
    precision: Precision = "double",
    trust: Trust = False,
    threads: Threads = 1,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print a line for every step.")
    ] = False,
) -> int:
    """Run molecular dynamics with error bars.

    Log, trajectory and checkpoint go to DIR, what is printed to DIR/md.log as well.

    A run that stops because the force sigma of an atom exceeds --max-force-std has done what it
    was asked to: exit code 0, the reason on standard output, the frame in DIR/flagged.extxyz.
    SIGTERM and Ctrl-C end the run after the step at hand and save its state for --restart.
    """
    from gapy._support.outputs import output_files, require_outputs, require_own
    from gapy.md.files import CHECKPOINT, LOCK, PRINTED, RUN_FILES
    from gapy.model.loading import load
    from gapy.structures import input_files

    require_one(quiet, verbose)
    require_threads(threads)
    require_outputs(output_files("output", output, RUN_FILES), [model, *input_files([start])])
    if overwrite:
        require_own(output, RUN_FILES, (LOCK, CHECKPOINT), "a run of gapy md")
    potential = load(model, trust=trust).in_precision(precision)
    atoms = _start(start, supercell, potential)
    settings = {
        "ensemble": ensemble,
        "temperature": temperature,
        "temperature_end": temperature_end,
        "pressure": pressure,
        "steps": steps,
        "timestep": timestep,
        "seed": seed,
        "max_force_std": max_force_std,
        "max_temperature": max_temperature,
        "max_energy_jump": max_energy_jump,
        "min_distance": min_distance,
        "restart": restart,
        "overwrite": overwrite,
    }
    with logged(Log(Path(output) / PRINTED, append=restart), quiet=quiet) as log:
        return _run(
            log, potential, atoms, output, settings, uncertainty, posterior_every, threads, verbose
        )


def _run(
    log, potential, atoms, output, settings, uncertainty, posterior_every, threads, verbose
) -> int:
    """Run, print how it goes and ends; the exit code."""
    from gapy.cli.md_progress import Progress
    from gapy.cli.signals import StopRequest
    from gapy.error_bars.calibration import POSTERIOR_EVERY
    from gapy.md import run_md

    steps, timestep = settings["steps"], settings["timestep"]
    print(
        f"{atoms.get_chemical_formula()}, {settings['ensemble']} at {settings['temperature']:g} K, "
        f"{steps} steps of {timestep:g} fs",
        flush=True,
    )
    every = POSTERIOR_EVERY if posterior_every is None else posterior_every
    calculator = potential.calculator(
        uncertainty=uncertainty, posterior_every=every, threads=threads
    )
    if calculator.draws_samples and every > 1:
        print(
            f"force sigma from posterior samples every {every} steps, which rank left-out "
            f"errors better (rank correlation +{potential.calibration.gain:.2f}), the cheap one "
            "between; --posterior-every changes that",
            flush=True,
        )
    progress = Progress(steps, every_step=verbose)

    def shown(record, frame) -> None:
        log.begin()  # the directory is there, and nothing of an older run in it
        progress(record, frame)

    try:
        with _limits_printed(), StopRequest() as stop, closing(progress):
            result = run_md(atoms, calculator, output, **settings, callback=shown, stop=stop)
    except KeyboardInterrupt:
        print(f"stopped by hand; continue with the same command and --restart (-o {output})")
        raise
    if result.status == "exploded":
        message = f"error: {result.reason}; see {result.frame_path}"
        print(f"gapy: {message}", file=sys.stderr)
        log.line(message)
        return EXPLODED
    print(f"{result.status}: {result.reason}")
    if result.status == "stopped":
        print(f"continue with the same command and --restart (-o {output})")
        return SIGNALLED + stop.number
    if result.frame_path is not None:
        print(f"the frame is in {result.frame_path}: compute it and add it to the training set")
    print(
        f"{result.n_steps} steps, mean temperature {result.mean_temperature:.1f} K"
        f"{_sigma(result.max_force_std)}{_pace(result.wall_time_per_step, timestep)}"
    )
    print(f"log {result.log_path}, trajectory {result.trajectory_path}")
    return 0


def _sigma(largest: float) -> str:
    return "" if math.isnan(largest) else f", largest force sigma {largest:.4f} eV/A"


def _pace(seconds: float, timestep: float) -> str:
    from gapy.cli.md_progress import ns_per_day

    if math.isnan(seconds):
        return ""
    return f", {1e3 * seconds:.2f} ms per step, {ns_per_day(seconds, timestep):.3g} ns/day"


@contextmanager
def _limits_printed():
    """Show what the run says at its start; how it ended is told by its result."""

    def say(record) -> bool:
        if record.levelno == logging.INFO:
            print(record.getMessage(), flush=True)
        return True

    logger = logging.getLogger("gapy.md")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addFilter(say)
    try:
        yield
    finally:
        logger.removeFilter(say)
        logger.setLevel(level)


def _start(start: str, supercell: str | None, potential):
    """The start structure, checked before anything is written."""
    from gapy._support.sizes import repeated

    atoms = start_structure(start, potential)
    if supercell is None:
        return atoms
    return repeated(atoms, _repeats(supercell), "supercell")


def _repeats(supercell: str) -> tuple[int, int, int]:
    parts = supercell.replace(",", " ").replace("x", " ").split()
    if len(parts) != 3 or not all(p.isdigit() and int(p) > 0 for p in parts):
        raise GapyError(f'supercell: expected three whole numbers as in "2 2 2", got {supercell!r}')
    return tuple(map(int, parts))
