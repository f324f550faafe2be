"""`gapy evaluate`: errors of a model on labelled structures."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from gapy._support.tables import (
    bars_table,
    energy_error_bars,
    error_bars,
    errors_table,
    groups_table,
)
from gapy.cli.options import (
    EnergyKey,
    ForcesKey,
    Precision,
    Scheduler,
    StressKey,
    Threads,
    Trust,
    VirialKey,
    Workers,
    label_keys,
    on_workers,
    require_matplotlib,
    require_threads,
)
from gapy.cli.remarks import remark_on_noise

PLOTS = ("parity.png", "sigma-error.png", "reliability.png")


def evaluate(
    model: Annotated[str, typer.Argument(help="Model file.")],
    test: Annotated[list[str], typer.Argument(help="Labelled structures.")],
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="OUT.json", help="Write the figures as JSON.")
    ] = None,
    plots: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Write parity.png, sigma-error.png, reliability.png into DIR."
        ),
    ] = None,
    error_threshold: Annotated[
        float | None,
        typer.Option(
            metavar="EV_PER_A",
            help="What counts as a large force error in AUROC [3 times the force RMSE].",
        ),
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    precision: Precision = "double",
    trust: Trust = False,
    threads: Threads = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Print the errors of a model on labelled structures."""
    from gapy._support.files import write_whole
    from gapy._support.outputs import PICTURE, REPORT, output_file, output_files, require_outputs
    from gapy.model.loading import load
    from gapy.structures import input_files

    require_threads(threads)
    in_parts = on_workers(threads, workers, scheduler)
    require_outputs(
        [
            *output_file("--json", json_path, REPORT),
            *output_files("--plots", plots, PLOTS, PICTURE),
        ],
        [model, *input_files(test)],
    )
    if plots is not None:
        require_matplotlib()
    potential = load(model, trust=trust).in_precision(precision)
    keys = label_keys(energy_key, forces_key, stress_key, virial_key)
    if in_parts:
        report = _in_parts(potential, test, keys, error_threshold, workers, scheduler)
    else:
        report = _here(potential, test, keys, error_threshold, threads)
    # Files first: printing ends early when the reader of a pipe leaves.
    if json_path is not None:
        text = json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"
        write_whole(json_path, text.encode())
    if plots is not None:
        _plot(report, plots)
    remark_on_noise(report.noise_outliers)
    total = report.total
    print(f"{total.n_structures} structures, {total.n_atoms} atoms, {report.seconds:.2f} s")
    print(errors_table(total))
    print(error_bars(report))
    if report.energy_error_bars is not None:
        print(energy_error_bars(report.energy_error_bars))
    for group in report.over_confident:
        print(f"  over-confident: {group}")
    if len(report.by_config_type) > 1:
        print(groups_table(report.by_config_type))
        if report.error_bars.coverage_68 is not None:
            print(bars_table(report.error_bars_by_config_type))


def _here(potential, test, keys, error_threshold, threads):
    from gapy.structures import read_structures
    from gapy.validation.evaluation import evaluate

    structures = read_structures(test, keys)
    return evaluate(potential, structures, threads=threads, error_threshold=error_threshold)


def _in_parts(potential, test, keys, error_threshold, workers, scheduler):
    from gapy.validation.on_workers import evaluate_files

    return evaluate_files(
        potential, test, workers=workers, scheduler=scheduler, keys=keys,
        error_threshold=error_threshold, progress=sys.stderr.isatty(),
    )  # fmt: skip


def _plot(report, directory: str) -> None:
    from pathlib import Path

    from gapy.validation.plots import parity, sigma_against_error
    from gapy.validation.reliability_plot import reliability

    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    draw = [parity]
    if report.error_bars.n_judged:  # else the text says why error bars cannot be judged
        draw += [sigma_against_error, reliability]
    for name, picture in zip(PLOTS, draw):
        picture(report, directory / name)
