"""`gapy md`: molecular dynamics that stops when it leaves the training data."""

from __future__ import annotations

import math
import sys
from typing import Annotated

import typer

from gapy.cli.options import Threads, require_threads
from gapy.errors import GapyError

N_LINES = 20
EXPLODED = 1


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
        typer.Option(help="Stop when the force sigma of an atom exceeds it, eV/A."),
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
    threads: Threads = 1,
) -> int:
    """Run molecular dynamics with error bars.

    Log, trajectory and checkpoint go to DIR.

    A run that stops because the force sigma of an atom exceeds --max-force-std has done what it
    was asked to: exit code 0, the reason on standard output, the frame in DIR/flagged.extxyz.
    """
    from gapy.md import run_md
    from gapy.md.files import CHECKPOINT, LOCK, RUN_FILES
    from gapy.outputs import output_files, require_outputs, require_own
    from gapy.potential import load
    from gapy.structures import input_files

    require_threads(threads)
    require_outputs(output_files("output", output, RUN_FILES), [model, *input_files([start])])
    if overwrite:
        require_own(output, RUN_FILES, (LOCK, CHECKPOINT), "a run of gapy md")
    potential = load(model)
    atoms = _start(start, supercell, potential)
    print(
        f"{atoms.get_chemical_formula()}, {ensemble} at {temperature:g} K, {steps} steps of "
        f"{timestep:g} fs",
        flush=True,
    )
    try:
        result = run_md(
            atoms,
            potential.calculator(uncertainty=uncertainty, threads=threads),
            output,
            ensemble=ensemble,
            temperature=temperature,
            temperature_end=temperature_end,
            pressure=pressure,
            steps=steps,
            timestep=timestep,
            seed=seed,
            max_force_std=max_force_std,
            restart=restart,
            overwrite=overwrite,
            callback=_Lines(steps),
        )
    except KeyboardInterrupt:
        print(f"stopped by hand; continue with the same command and --restart (-o {output})")
        raise
    if result.status == "exploded":
        print(f"gapy: error: {result.reason}; see {result.frame_path}", file=sys.stderr)
        return EXPLODED
    print(f"{result.status}: {result.reason}")
    if result.frame_path is not None:
        print(f"the frame is in {result.frame_path}: compute it and add it to the training set")
    print(
        f"{result.n_steps} steps, mean temperature {result.mean_temperature:.1f} K, largest force "
        f"sigma {result.max_force_std:.4f} eV/A{_pace(result.wall_time_per_step)}"
    )
    print(f"log {result.log_path}, trajectory {result.trajectory_path}")
    return 0


def _pace(seconds: float) -> str:
    return "" if math.isnan(seconds) else f", {1e3 * seconds:.2f} ms per step"


class _Lines:
    """Prints about N_LINES lines over a run."""

    def __init__(self, steps: int):
        self.every = max(steps // N_LINES, 1)
        self.started = False

    def __call__(self, record, frame) -> None:
        if not self.started:
            print("     step   time/fs       T/K   E_pot/eV     max sigma/(eV/A)")
            self.started = True
        if record.step % self.every == 0:
            print(
                f"{record.step:9d} {record.time_fs:9.1f} {record.temperature_K:9.1f} "
                f"{record.potential_energy_eV:12.4f} {record.max_force_std_eV_per_A:14.4f}",
                flush=True,
            )


def _start(start: str, supercell: str | None, potential):
    """The start structure, checked before anything is written."""
    from gapy.sizes import repeated
    from gapy.structures import LabelledStructure, check_structures, read_atoms

    frames = read_atoms(start, index=-1)
    atoms = frames[0]
    if len(frames) > 1:
        raise GapyError(f"start: expected one frame, {start} selects {len(frames)}; name one, @0")
    potential.check_species(atoms.numbers)
    check_structures(
        [
            LabelledStructure(
                atoms=atoms,
                energy=None,
                forces=None,
                stress=None,
                config_type="start",
                energy_sigma=None,
                forces_sigma=None,
                stress_sigma=None,
                source=start,
                index=0,
            )
        ]
    )
    if supercell is None:
        return atoms
    return repeated(atoms, _repeats(supercell), "supercell")


def _repeats(supercell: str) -> tuple[int, int, int]:
    parts = supercell.replace(",", " ").replace("x", " ").split()
    if len(parts) != 3 or not all(p.isdigit() and int(p) > 0 for p in parts):
        raise GapyError(f'supercell: expected three whole numbers as in "2 2 2", got {supercell!r}')
    return tuple(map(int, parts))
