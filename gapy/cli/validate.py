"""`gapy validate`: what of a model can be believed, in one report."""

from __future__ import annotations

from typing import Annotated

import typer

from gapy.cli.options import (
    EnergyKey,
    ForcesKey,
    StressKey,
    Threads,
    Trust,
    VirialKey,
    label_keys,
    require_matplotlib,
    require_threads,
)
from gapy.errors import GapyError

FAILED = 1


def validate(
    model: Annotated[str, typer.Argument(help="Model file.")],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Write report.html, validate.json, pictures."
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="FILE@INDEX",
            help="Crystal or molecule to look at [the lowest that the model knows].",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|CALCULATOR",
            help="Labelled structures, a JSON table, or an ASE calculator: package.Name.",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(metavar="TEST.xyz", help="Labelled structures to judge errors on."),
    ] = None,
    suite: Annotated[str, typer.Option(help="bulk, molecule or auto.")] = "auto",
    properties: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Of the suite, as eos,elastic, or none [all]."),
    ] = None,
    checks: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Of health, as forces,dimers, or none [all]."),
    ] = None,
    members: Annotated[
        int, typer.Option(help="Posterior samples behind the error bars; 0 for none.")
    ] = 8,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a check or a property fails.")
    ] = False,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    seed: Annotated[int, typer.Option(help="Seed of samples and of every random choice.")] = 0,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Check a model, compute properties with error bars, and write an HTML report.

    For example: gapy validate si.gapy --test test.xyz -o validation
    """
    from gapy._support.outputs import PAGE, PICTURE, VALIDATION, output_files, require_outputs
    from gapy.cli.bare_structures import start_structure
    from gapy.model.loading import load
    from gapy.structures import input_files, read_structures
    from gapy.validation import validation_report
    from gapy.validation.references import is_file, reference_of
    from gapy.validation.summary import text
    from gapy.validation.validating import validate as look

    require_threads(threads)
    if members < 0 or members == 1:
        raise GapyError(f"members: expected 0, or at least 2 for an error bar, got {members}")
    files = [path for path in (start, test) if path is not None]
    if is_file(reference):
        files.append(reference)
    require_outputs(
        [
            *output_files("-o", output, [validation_report.REPORT], PAGE),
            *output_files("-o", output, [validation_report.NUMBERS], VALIDATION),
            *output_files("-o", output, validation_report.PNGS, PICTURE),
        ],
        [model, *input_files(files)],
    )
    require_matplotlib()
    known = reference_of(reference)
    labelled = [*known.labelled, *([] if test is None else [test])]
    keys = label_keys(energy_key, forces_key, stress_key, virial_key)
    if keys.given and not labelled:
        raise GapyError(
            f"{', '.join(sorted(keys.given))}-key: of no labelled structures; give --test TEST.xyz"
        )
    potential = load(model, trust=trust)
    found = look(
        potential,
        None if start is None else start_structure(start, potential),
        reference=known.of_properties,
        test=read_structures(labelled, keys) if labelled else None,
        suite=suite,
        only=_names(properties),
        checks=_names(checks),
        members=members,
        seed=seed,
        threads=threads,
    )
    page = validation_report.write(found, output)
    print(text(found))
    print(f"report in {page}")
    if strict and found.failures:
        raise typer.Exit(FAILED)


def _names(text: str | None) -> list[str] | None:
    """Names between commas; None for all of them, an empty list for "none"."""
    if text is None:
        return None
    return [] if text == "none" else [name.strip() for name in text.split(",")]
