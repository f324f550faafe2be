"""`gapy fit`: from labelled structures to a model file."""

from __future__ import annotations

from typing import Annotated

import typer

from gapy._support.tables import errors_table, facts
from gapy.cli.automatic import (
    choose_compression,
    choose_lengths,
    choose_scale,
    choose_terms,
    choose_zeta,
    completed,
    regressor_of,
)
from gapy.cli.described import plain
from gapy.cli.idle import refuse_idle_keys, refuse_idle_noise
from gapy.cli.log import Log, log_of, log_output, logged, require_one
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
from gapy.cli.remarks import remark_on_noise
from gapy.cli.settings import FitSettings, parse_n_inducing, read_settings
from gapy.errors import GapyError
from gapy.fit.setting_kinds import components_of, elements_of
from gapy.fit.settings import help_of

Number = float | None
Whole = int | None
Text = str | None


def _option(name: str, *declared: str):
    """The flag of a setting of the model."""
    return typer.Option(*declared, help=help_of(name))


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
    r_cut: Annotated[Number, _option("r_cut")] = None,
    n_max: Annotated[Whole, _option("n_max")] = None,
    l_max: Annotated[Whole, _option("l_max")] = None,
    sigma: Annotated[Number, _option("sigma")] = None,
    compression: Annotated[Text, _option("compression")] = None,
    magnetic: Annotated[Text, _option("magnetic")] = None,
    zeta: Annotated[Whole, _option("zeta")] = None,
    n_inducing: Annotated[Text, _option("n_inducing")] = None,
    selection: Annotated[Text, _option("selection")] = None,
    n_components: Annotated[Text, _option("n_components")] = None,
    delta: Annotated[Number, _option("delta")] = None,
    sigma_energy: Annotated[Number, _option("sigma_energy")] = None,
    sigma_forces: Annotated[Number, _option("sigma_forces")] = None,
    sigma_stress: Annotated[Number, _option("sigma_stress")] = None,
    optimize: Annotated[bool | None, _option("optimize", "--optimize/--no-optimize")] = None,
    stress: Annotated[bool | None, _option("stress", "--stress/--no-stress")] = None,
    force_tolerance: Annotated[Number, _option("force_tolerance")] = None,
    terms: Annotated[Text, _option("terms")] = None,
    pair: Annotated[
        bool, typer.Option("--pair", help="Add a pair term: soap+pair, or soap+soap+pair.")
    ] = False,
    zbl: Annotated[bool | None, _option("zbl", "--zbl/--no-zbl")] = None,
    e0: Annotated[Text, _option("e0")] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    seed: Annotated[Whole, _option("seed")] = None,
    threads: Annotated[Whole, typer.Option(help="Threads [1].")] = None,
    from_gap_fit: Annotated[
        Text,
        typer.Option(
            metavar="COMMAND", help="A command line of gap_fit, in quotes; says what it maps."
        ),
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Only say how long it will take, and how much memory."),
    ] = False,
    atoms: Annotated[
        Whole,
        typer.Option(help="With --estimate: of a larger set of so many atoms like these."),
    ] = None,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the noise of every group of labels too.")
    ] = False,
) -> None:
    """Fit a potential to labelled structures.

    What is printed goes into MODEL.gapy.log as well.
    """
    flags = dict(locals())
    require_one(quiet, verbose)
    if estimate and (quiet or verbose):
        raise GapyError("quiet, verbose: have no effect with estimate; leave them out")
    elsewhere = (
        "config", "n_inducing", "workers", "scheduler", "estimate", "atoms", "pair", "from_gap_fit",
        "quiet", "verbose",
    )  # fmt: skip
    given = {name: value for name, value in flags.items() if name not in elsewhere}
    given["train"] = tuple(train) if train else None
    given["n_inducing"] = parse_n_inducing(n_inducing)
    given["n_components"] = components_of(n_components)
    given["magnetic"] = elements_of(magnetic)
    settings = read_settings(config) if config else FitSettings()
    path = None if estimate else _log_path(output or settings.output)
    with logged(Log(path), quiet=quiet) as log:
        if from_gap_fit is not None:
            settings = _from_gap_fit(settings, from_gap_fit)
        settings = settings.updated(given)
        if pair and not (settings.terms or "soap").endswith("pair"):
            settings = settings.updated({"terms": f"{settings.terms or 'soap'}+pair"})
        keys = _checked(settings, config, path)
        _require_place(settings, workers, scheduler, estimate)
        if atoms is not None and not estimate:
            raise GapyError("atoms: has no effect without estimate; add --estimate or leave it out")
        if estimate:
            _estimate(settings, keys, workers, atoms)
        elif workers is not None or scheduler is not None:
            from gapy.cli.fit_on_workers import fit_on_workers

            log.begin()
            found = fit_on_workers(settings, keys, workers, scheduler)
            _report(settings, found, None, verbose)
        else:
            _fit(settings, keys, log, verbose)


def _log_path(output: str | None):
    return None if output is None else log_of(output)


def _from_gap_fit(settings: FitSettings, command: str) -> FitSettings:
    """Settings with those of a gap_fit command line; sigmas of virials become those of stresses."""
    from gapy.cli.gap_fit import stress_sigma, translated
    from gapy.structures import read_structures

    found = translated(command)
    print("\n".join(found.lines()), flush=True)
    settings = settings.updated(found.settings)
    if settings.virial_key is not None and settings.stress and settings.train:
        keys = label_keys(settings.energy_key, settings.forces_key, None, settings.virial_key)
        settings = stress_sigma(settings, read_structures(settings.train, keys))
    return settings


def _require_place(settings: FitSettings, workers, scheduler, estimate: bool) -> None:
    """Raise GapyError for workers that are none, or options that would do nothing beside others."""
    if scheduler is not None and estimate:
        raise GapyError("scheduler: has no effect with estimate; leave one of the two out")
    on_workers(None if estimate else settings.threads, workers, scheduler)


def _estimate(settings: FitSettings, keys, workers: int | None, atoms: int | None) -> None:
    from gapy.fit.estimate import estimate

    regressor, structures = _begun(settings, keys, fits=False)
    found = estimate(regressor, structures, atoms=atoms)
    lines = [("atoms", f"{found.n_atoms}")]
    lines += [(name, f"{s:.1f} s") for name, s in found.seconds.items()]
    lines.append(("in all, one process", f"{found.total:.0f} s"))
    if workers is not None:
        lines.append((f"on {workers} workers", f"{found.on_workers(workers):.0f} s"))
    lines.append(("memory", f"{found.memory_bytes / 1e9:.2f} GB"))
    lines.append(("the estimate took", f"{found.took:.1f} s"))
    print(facts(lines))


def _checked(settings: FitSettings, config: str | None, log):
    """The label keys; GapyError before any work for what cannot be done."""
    from gapy._support.outputs import MODEL, output_file, require_outputs
    from gapy.structures import input_files

    if not settings.train:
        raise GapyError("train: expected at least one file of labelled structures, got none")
    if settings.output is None:
        raise GapyError("output: expected a model file to write, got none; give -o MODEL.gapy")
    refuse_idle_keys(settings)
    configs = [] if config is None else [config]
    require_outputs(
        [*output_file("output", settings.output, MODEL), *log_output(log)],
        [*input_files(settings.train), *configs],
    )
    return label_keys(
        settings.energy_key, settings.forces_key, settings.stress_key, settings.virial_key
    )


def _begun(settings: FitSettings, keys, *, fits: bool):
    """The regressor, and the structures to fit it to; fits: whether whole fits may be tried."""
    from ase.data import chemical_symbols

    from gapy.structures import read_structures

    structures = read_structures(settings.train, keys)
    refuse_idle_noise(settings, structures)
    asked = settings
    settings, choice = completed(settings, structures)
    if choice:
        print(choice, flush=True)
    numbers = sorted({int(z) for s in structures for z in s.atoms.numbers})
    symbols = [chemical_symbols[z] for z in numbers]
    settings, choice = choose_scale(settings, symbols, structures)
    if choice:
        print(choice, flush=True)
    if fits:
        settings, choice = choose_lengths(settings, symbols, structures)
        if choice:
            print(choice, flush=True)
    settings, choice = choose_compression(asked, settings, symbols, structures)
    if choice:
        print(choice, flush=True)
    regressor = regressor_of(settings, symbols, structures)
    for choice in (
        choose_zeta(asked, regressor, structures),
        choose_terms(asked, settings, regressor, symbols, structures),
    ):
        if choice:
            print(choice, flush=True)
    return regressor, structures


def _fit(settings: FitSettings, keys, log: Log, verbose: bool) -> None:
    from gapy.validation.evaluation import evaluate

    regressor, structures = _begun(settings, keys, fits=True)
    log.begin()
    regressor.fit(structures)
    # Saved before anything else can go wrong.
    regressor.potential_.save(settings.output)
    report = evaluate(regressor.potential_, structures, threads=settings.threads)
    _report(settings, regressor, report, verbose)


def _report(settings: FitSettings, regressor, report, verbose: bool) -> None:
    """Print what was fitted; report: of the training structures, None where they are elsewhere."""
    from gapy.gp.noise import outliers

    potential = regressor.potential_
    if report is None:
        potential.save(settings.output)
    n_atoms = "" if report is None else f" ({report.total.n_atoms} atoms)"
    points = ", ".join(str(n) for n in _inducing_counts(potential))
    print(
        facts(
            [
                ("structures", f"{regressor.n_structures_}{n_atoms}"),
                *_components(potential),
                ("inducing points", points),
                *_baselines(potential),
                ("fit", f"{regressor.fit_seconds_:.1f} s"),
                ("log marginal likelihood", f"{regressor.log_marginal_likelihood():.1f}"),
                *(_learnt(potential) if settings.learns_noise() else ()),
                *(_of_groups(potential.noise) if verbose else ()),
            ]
        )
    )
    remark_on_noise(outliers(potential.noise, potential.metadata))
    if report is not None:
        print("errors on the training structures")
        print(errors_table(report.total))
    print(f"wrote {settings.output}; next: gapy evaluate {settings.output} TEST.xyz")


def _learnt(potential):
    """Lines on what was learnt: delta by species, the noise of each label kind."""
    noise = potential.noise
    deltas = [
        f"{name} {delta:.3g}"
        for term in potential.terms
        for name, delta, x_sd in zip(term.slot_names, term.delta, term.inducing)
        if len(x_sd)
    ]
    yield "learnt delta, eV", ", ".join(deltas)
    yield (
        "learnt noise",
        f"{noise.energy:.3g} eV/atom, {noise.forces:.3g} eV/A, {noise.stress:.3g} eV/A^3",
    )


def _of_groups(noise):
    """Lines on the noise of every config_type that has one of its own."""
    units = {"energy": "eV/atom", "forces": "eV/A", "stress": "eV/A^3"}
    for name, kinds in sorted(noise.overrides.items()):
        yield f"noise of {name}", ", ".join(f"{v:.3g} {units[k]}" for k, v in kinds.items())


def _components(potential):
    """A line on the components of descriptors that the kernels use, where not all of them."""
    from gapy.descriptors import unprojected

    for term in potential.terms:
        whole, used = unprojected(term.descriptor).n_features, term.descriptor.n_features
        if used < whole:
            yield "components", f"{used} of {whole}"


def _baselines(potential):
    """A line on each baseline."""
    for baseline in potential.baselines:
        yield f"baseline {baseline.kind}", plain(baseline.settings()) or "defaults"


def _inducing_counts(potential):
    for term in potential.terms:
        for name, x_sd in zip(term.slot_names, term.inducing):
            yield f"{name} {len(x_sd)}"
