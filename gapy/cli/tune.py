"""`gapy tune`: settings of a fit by error and cost."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path
from typing import Annotated

import typer

from gapy._support.tables import columns, number
from gapy.cli.idle import refuse_idle_keys, refuse_idle_noise
from gapy.cli.log import Log, logged
from gapy.cli.options import (
    EnergyKey,
    ForcesKey,
    Quiet,
    Scheduler,
    StressKey,
    VirialKey,
    Workers,
    label_keys,
    on_workers,
)
from gapy.cli.tune_settings import LISTS, fit_toml, lists_of, read_lists
from gapy.errors import GapyError

Listed = str | None
TOML, PARETO, PRINTED = "FIT.toml", "pareto.png", "tune.log"
CRITERION = "loo, holdout or likelihood: what is minimised."
HEAD = (
    "round", "r_cut", "sigma", "n_max", "l_max", "zeta", "compr.", "comp.", "terms", "points",
    "meV/atom", "eV/A", "log lik.", "us/atom", "ratio",
)  # fmt: skip


def tune(
    train: Annotated[list[str] | None, typer.Argument(help="Labelled structures.")] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="DIR", help="Directory of the results.")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="FIT.toml", help="Settings of the fit; lists are tried."),
    ] = None,
    r_cut: Annotated[Listed, typer.Option(help="Cutoffs to try, A: 5,5.5,6.")] = None,
    sigma: Annotated[Listed, typer.Option(help="Widths of the densities to try, A.")] = None,
    n_max: Annotated[Listed, typer.Option(help="Numbers of radial functions to try.")] = None,
    l_max: Annotated[Listed, typer.Option(help="Largest angular momenta to try.")] = None,
    zeta: Annotated[Listed, typer.Option(help="Exponents to try.")] = None,
    n_inducing: Annotated[Listed, typer.Option(help="Points per species to try.")] = None,
    compression: Annotated[Listed, typer.Option(help="Compressions to try.")] = None,
    n_components: Annotated[
        Listed, typer.Option(help="Components of the descriptor to try: auto,off,1e-3,96.")
    ] = None,
    terms: Annotated[
        Listed, typer.Option(help="Sums of terms to try: soap,soap+pair,soap+soap,soap+soap+pair.")
    ] = None,
    budget_us: Annotated[
        float | None, typer.Option(help="Most expensive force call, us/atom, one thread.")
    ] = None,
    criterion: Annotated[str, typer.Option(help=CRITERION)] = "loo",
    target: Annotated[str, typer.Option(help="forces or energy: whose error.")] = "forces",
    holdout: Annotated[
        float | None, typer.Option(help="Fraction held out, for criterion holdout [0.2].")
    ] = None,
    n_coarse: Annotated[
        int | None, typer.Option(help="Structures of the first rounds [a quarter].")
    ] = None,
    n_final: Annotated[int | None, typer.Option(help="Structures of the last one [all].")] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice [0].")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of the fits [1].")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the results in DIR first.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Choose cutoff, basis, kernel and inducing points by error and cost.

    What is printed goes into DIR/tune.log as well.
    """
    flags = dict(locals())
    settings, lists = read_lists(config)
    lists |= lists_of({name: flags[name] for name in LISTS})
    keys = {k: flags[k] for k in ("energy_key", "forces_key", "stress_key", "virial_key")}
    given = {**keys, "train": tuple(train) if train else None, "seed": seed, "threads": threads}
    settings = settings.updated(given)
    if not settings.train:
        raise GapyError("train: expected at least one file of labelled structures, got none")
    if output is None:
        raise GapyError("output: expected a directory for the results, got none; give -o DIR")
    if settings.magnetic is not None:
        raise GapyError(
            "magnetic: expected none in a search, which varies descriptors without moments; tune "
            "without it, and give magnetic to gapy fit"
        )
    if settings.term:
        raise GapyError(
            "term: tables [[term]] state a sum, expected none in a search; give terms as a list of "
            "sums to try"
        )
    refuse_idle_keys(settings)
    on_workers(settings.threads, workers, scheduler)
    from gapy._support.outputs import output_files, require_outputs, require_own
    from gapy.structures import input_files, read_structures
    from gapy.tuning.results import CSV, JSON
    from gapy.tuning.search import tune as search

    configs = [] if config is None else [config]
    require_outputs(
        output_files("output", output, (JSON, CSV, TOML, PARETO, PRINTED)),
        [*input_files(settings.train), *configs],
    )
    require_own(output, (CSV, TOML, PARETO, PRINTED), (JSON,), "a search by gapy tune")
    structures = read_structures(
        settings.train, label_keys(*(getattr(settings, name) for name in keys))
    )
    refuse_idle_noise(settings, structures)
    options = {
        "lists": lists,
        "criterion": criterion,
        "target": target,
        "budget_us": budget_us,
        "holdout": holdout,
        "n_coarse": n_coarse,
        "n_final": n_final,
        "options": settings.regressor_options(),
        "seed": settings.seed,
        "threads": settings.threads,
        "overwrite": overwrite,
        "workers": workers,
        "scheduler": scheduler,
    }
    log = Log(Path(output) / PRINTED, append=not overwrite)
    with logged(log, quiet=quiet):
        try:
            result = search(structures, output, **options, report=_Lines(log))
        except KeyboardInterrupt:
            print(f"interrupted; the same command goes on from the rows in {output}/")
            raise
        _report(settings, result, output, configured=config is not None)


def _report(settings, result, output: str, configured: bool) -> None:
    """Write the recommended settings and the picture, print the last round."""
    from gapy._support.files import write_whole

    toml = Path(output) / TOML
    write_whole(toml, fit_toml(settings, result.recommended.candidate, settings.seed).encode())
    if importlib.util.find_spec("matplotlib") is not None:
        from gapy.tuning.picture import pareto

        pareto(result, Path(output) / PARETO)
    print("\nlast round, smallest error first (* the recommended one)")
    mark = result.recommended
    rows = [(*_cells(row)[1:], "*" if row == mark else "") for row in result.final]
    print(columns([(*HEAD[1:], ""), *rows]))
    print(f"\nresults: {output}/; the recommended fit is in {toml}, or as a command:")
    print(f"  gapy fit --config {shlex.quote(str(toml))} -o MODEL.gapy")
    print(f"  {_command(settings, mark.candidate, configured)}")


class _Lines:
    """Prints each row as it is known, in columns of fixed width; the first begins the log."""

    def __init__(self, log: Log):
        self.log, self.begun = log, False

    def __call__(self, row) -> None:
        self.log.begin()
        if not self.begun:
            print(_line(HEAD))
            self.begun = True
        failed = f"{_line(_cells(row)[:10])}  {row.note}"
        print(failed if row.note else _line(_cells(row)), flush=True)


def _line(cells) -> str:
    return "  ".join(cell.rjust(8) for cell in cells)


def _cells(row) -> tuple[str, ...]:
    c = row.candidate
    settings = (f"{v:g}" for v in (c.r_cut, c.sigma, c.n_max, c.l_max, c.zeta))
    return (
        row.stage,
        *settings,
        c.compression,
        c.n_components,
        c.terms.replace("soap", "s").replace("pair", "p"),
        f"{c.n_inducing}",
        number(row.energy_rmse, 1e3, 2),
        number(row.forces_rmse, digits=4),
        number(row.log_likelihood),
        number(row.us_per_atom, digits=1),
        number(row.cost_ratio, digits=2),
    )


def _command(settings, candidate, configured: bool) -> str:
    parts = ["gapy", "fit", *settings.train, "-o", "MODEL.gapy"]
    for name, value in candidate.to_dict().items():
        parts += [f"--{name.replace('_', '-')}", f"{value}"]
    for name in ("energy_key", "forces_key", "stress_key", "virial_key"):
        if getattr(settings, name) is not None:
            parts += [f"--{name.replace('_', '-')}", getattr(settings, name)]
    command = " ".join(shlex.quote(part) for part in [*parts, "--seed", str(settings.seed)])
    return command + ("  # and what else the configuration says" if configured else "")
