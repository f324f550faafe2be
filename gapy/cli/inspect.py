"""`gapy inspect`: what a training set holds, repeats and lacks."""

from __future__ import annotations

import json
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


def inspect(
    train: Annotated[list[str], typer.Argument(help="Structures, with labels or without.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL.gapy", help="Model that judges; default a quick fit."),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(metavar="POOL.xyz", help="Unlabelled structures to choose from."),
    ] = None,
    n_candidates: Annotated[
        int | None, typer.Option(help="How many of them to choose [10].")
    ] = None,
    neighbour_cutoff: Annotated[
        float | None, typer.Option(help="For coordination, A [first minimum of the pairs].")
    ] = None,
    twin_distance: Annotated[
        float, typer.Option(help="Kernel distance of nearly equal structures.")
    ] = 0.01,
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="OUT.json", help="Write all findings as JSON.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="OUT.png", help="Write a map of the environments.")
    ] = None,
    html_path: Annotated[
        str | None,
        typer.Option("--html", metavar="OUT.html", help="Write all of it as one page."),
    ] = None,
    chemiscope_path: Annotated[
        str | None,
        typer.Option(
            "--chemiscope", metavar="OUT.json.gz", help="Write the map for the viewer chemiscope."
        ),
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Show what a training set holds, repeats and lacks, and what to label, check or drop."""
    from gapy._support.files import write_whole
    from gapy._support.outputs import (
        CHEMISCOPE,
        PAGE,
        PICTURE,
        REPORT,
        output_file,
        require_outputs,
    )
    from gapy.inspection import inspect as look
    from gapy.inspection.run import read_labelled_or_bare
    from gapy.inspection.text import report_text
    from gapy.model.loading import load
    from gapy.structures import input_files, read_atoms

    require_threads(threads)
    if n_candidates is not None and candidates is None:
        raise GapyError(
            f"n-candidates: {n_candidates} of no candidates; give --candidates POOL.xyz, or leave "
            "it out"
        )
    if trust and model is None:
        raise GapyError("trust: of no model; give --model MODEL.gapy, or leave it out")
    models = [] if model is None else [model]
    pools = [] if candidates is None else input_files([candidates])
    require_outputs(
        [
            *output_file("--json", json_path, REPORT),
            *output_file("--plot", plot, PICTURE),
            *output_file("--html", html_path, PAGE),
            *output_file("--chemiscope", chemiscope_path, CHEMISCOPE),
        ],
        [*input_files(train), *models, *pools],
    )
    if plot is not None or html_path is not None:
        require_matplotlib()
    if chemiscope_path is not None:
        from gapy.inspection.chemiscope_file import require_chemiscope

        require_chemiscope()
    keys = label_keys(energy_key, forces_key, stress_key, virial_key)
    structures = read_labelled_or_bare(train, keys)
    report = look(
        structures,
        potential=None if model is None else load(model, trust=trust),
        candidates=None if candidates is None else read_atoms(candidates),
        n_candidates=10 if n_candidates is None else n_candidates,
        neighbour_cutoff=neighbour_cutoff,
        twin_distance=twin_distance,
        seed=seed,
        threads=threads,
    )
    # Files first: printing ends early when the reader of a pipe leaves.
    if json_path is not None:
        text = json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"
        write_whole(json_path, text.encode())
    if plot is not None:
        from gapy.inspection.picture import picture

        picture(report, plot)
    if html_path is not None:
        from gapy.inspection.report_sections import report_page

        write_whole(html_path, report_page(report, ", ".join(train)).encode())
    if chemiscope_path is not None:
        from gapy.inspection.chemiscope_file import write_chemiscope

        write_chemiscope(report, [s.atoms for s in structures], chemiscope_path)
    print(report_text(report))
