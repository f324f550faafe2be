"""`gapy fit`: from labelled structures to a model file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gapy.cli.automatic import completed
from gapy.cli.idle import refuse_idle_keys, refuse_idle_noise
from gapy.cli.options import EnergyKey, ForcesKey, StressKey, VirialKey, label_keys
from gapy.cli.remarks import remark_on_noise
from gapy.cli.settings import LEARNT, FitSettings, parse_n_inducing, read_settings
from gapy.errors import GapyError
from gapy.tables import errors_table, facts

Number = float | None
Whole = int | None
Text = str | None


def fit(
    train: Annotated[
        list[str] | None,
        typer.Argument(help="Labelled structures: extended XYZ, ASE trajectories or databases."),
    ] = None,
    output: Annotated[
        Text, typer.Option("-o", "--output", metavar="MODEL.gapy", help="Model file to write.")
    ] = None,
    config: Annotated[
        Text, typer.Option(metavar="FIT.toml", help="Settings from a file; flags win.")
    ] = None,
    r_cut: Annotated[Number, typer.Option(help="Cutoff, A [from the data].")] = None,
    n_max: Annotated[Whole, typer.Option(help="Radial functions [8].")] = None,
    l_max: Annotated[
        Whole, typer.Option(help="Largest angular momentum [8; several species 6].")
    ] = None,
    sigma: Annotated[
        Number, typer.Option(help="Width of the atomic densities, A [0.5; with H 0.4].")
    ] = None,
    compression: Annotated[
        Text, typer.Option(help="off, mu2, mu1nu1 or crossover [off; 4 species: mu1nu1].")
    ] = None,
    zeta: Annotated[Whole, typer.Option(help="Exponent of the kernel [4].")] = None,
    n_inducing: Annotated[
        Text,
        typer.Option(help="Inducing points per species, 500 or Al=500,As=300 [from the data]."),
    ] = None,
    selection: Annotated[
        Text, typer.Option(help="cholesky, farthest, cur, kmeans or random [cholesky].")
    ] = None,
    delta: Annotated[
        Number, typer.Option(help="Prior standard deviation of a local energy, eV [1.0].")
    ] = None,
    sigma_energy: Annotated[Number, typer.Option(help="Noise, eV/atom [0.001].")] = None,
    sigma_forces: Annotated[Number, typer.Option(help="Noise, eV/A [0.05].")] = None,
    sigma_stress: Annotated[Number, typer.Option(help="Noise, eV/A^3 [0.001].")] = None,
    optimize: Annotated[
        bool | None,
        typer.Option(
            "--optimize/--no-optimize",
            help="Learn delta and every noise from the data [yes, unless one of them is given].",
        ),
    ] = None,
    stress: Annotated[
        bool | None, typer.Option("--stress/--no-stress", help="Fit stresses too [yes].")
    ] = None,
    force_tolerance: Annotated[
        Number,
        typer.Option(help="Faster model whose forces stay this close to the exact ones, eV/A."),
    ] = None,
    e0: Annotated[
        Text,
        typer.Option(help="Free atoms: auto, isolated, fit, zero or Si=-107.1,O=-400 (eV) [auto]."),
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    seed: Annotated[Whole, typer.Option(help="Seed of every random choice [0].")] = None,
    threads: Annotated[Whole, typer.Option(help="Threads [1].")] = None,
) -> None:
    """Fit a potential to labelled structures."""
    flags = dict(locals())
    given = {name: value for name, value in flags.items() if name not in ("config", "n_inducing")}
    given["train"] = tuple(train) if train else None
    given["n_inducing"] = parse_n_inducing(n_inducing)
    settings = (read_settings(config) if config else FitSettings()).updated(given)
    _fit(settings, config)


def _fit(settings: FitSettings, config: str | None) -> None:
    from gapy.evaluation import evaluate
    from gapy.outputs import MODEL, output_file, require_outputs
    from gapy.structures import input_files, read_structures

    if not settings.train:
        raise GapyError("train: expected at least one file of labelled structures, got none")
    if settings.output is None:
        raise GapyError("output: expected a model file to write, got none; give -o MODEL.gapy")
    refuse_idle_keys(settings)
    configs = [] if config is None else [config]
    require_outputs(
        output_file("output", settings.output, MODEL), [*input_files(settings.train), *configs]
    )
    keys = label_keys(
        settings.energy_key, settings.forces_key, settings.stress_key, settings.virial_key
    )
    structures = read_structures(settings.train, keys)
    refuse_idle_noise(settings, structures)
    settings, choice = completed(settings, structures)
    if choice:
        print(choice, flush=True)
    regressor = _regressor(settings, structures).fit(structures)
    potential = regressor.potential_
    potential.save(settings.output)
    report = evaluate(potential, structures, threads=settings.threads)
    points = ", ".join(str(n) for n in _inducing_counts(potential))
    print(
        facts(
            [
                ("structures", f"{regressor.n_structures_} ({report.total.n_atoms} atoms)"),
                ("inducing points", points),
                ("fit", f"{regressor.fit_seconds_:.1f} s"),
                ("log marginal likelihood", f"{regressor.log_marginal_likelihood():.1f}"),
                *(_learnt(potential) if settings.learns_noise() else ()),
            ]
        )
    )
    remark_on_noise(report.noise_outliers)
    print("errors on the training structures")
    print(errors_table(report.total))
    print(f"wrote {settings.output}; next: gapy evaluate {settings.output} TEST.xyz")


def _regressor(settings: FitSettings, structures):
    from ase.data import chemical_symbols

    from gapy.descriptors import smooth_soap
    from gapy.geometry.neighbours import check_reach
    from gapy.regressor import SparseGPRegressor

    for s in structures:
        check_reach(s.atoms, settings.r_cut)  # before dscribe makes a basis that wide
    numbers = sorted({int(z) for s in structures for z in s.atoms.numbers})
    try:
        soap = smooth_soap(
            [chemical_symbols[z] for z in numbers],
            settings.r_cut,
            settings.n_max,
            settings.l_max,
            settings.sigma,
            compression={"mode": settings.compression},
        )
    except GapyError:
        raise
    except ValueError as error:
        raise GapyError(f"SOAP settings refused by dscribe: {error}") from error
    return SparseGPRegressor(
        soap,
        n_inducing=settings.n_inducing,
        zeta=settings.zeta,
        seed=settings.seed,
        threads=settings.threads,
        progress=sys.stderr.isatty(),
        **regressor_options(settings),
    )


def regressor_options(settings: FitSettings) -> dict:
    """Arguments of SparseGPRegressor that are neither descriptor nor kernel.

    Its own defaults stand for a prior scale and noise that nobody gave.
    """
    given = {name: getattr(settings, name) for name in LEARNT}
    return {
        **{name: value for name, value in given.items() if value is not None},
        "noise_overrides": settings.noise,
        "optimize": settings.learns_noise(),
        "e0": settings.e0,
        "selection": settings.selection,
        "fit_stress": settings.stress,
        "force_tolerance": settings.force_tolerance,
    }


def _learnt(potential):
    """Lines on what was learnt: delta by species, the noise of each label kind."""
    from ase.data import chemical_symbols

    noise = potential.noise
    deltas = [
        f"{chemical_symbols[z]} {delta:.3g}"
        for term in potential.terms
        for z, delta, x_sd in zip(term.descriptor.species, term.delta, term.inducing)
        if len(x_sd)
    ]
    yield "learnt delta, eV", ", ".join(deltas)
    yield (
        "learnt noise",
        f"{noise.energy:.3g} eV/atom, {noise.forces:.3g} eV/A, {noise.stress:.3g} eV/A^3",
    )


def _inducing_counts(potential):
    from ase.data import chemical_symbols

    for term in potential.terms:
        for z, x_sd in zip(term.descriptor.species, term.inducing):
            yield f"{chemical_symbols[z]} {len(x_sd)}"
