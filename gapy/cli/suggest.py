"""`gapy suggest`: what to label next for one property."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gapy.cli.options import Threads, Trust, require_threads
from gapy.errors import GapyError, ModelFileError


def suggest(
    model: Annotated[str, typer.Argument(help="Model file.")],
    candidates: Annotated[list[str], typer.Argument(help="Structures to choose from.")],
    start: Annotated[
        str, typer.Option(metavar="FILE@INDEX", help="The crystal whose property it is.")
    ],
    of: Annotated[
        str, typer.Option("--property", help="eos, elastic, vacancy or phases.")
    ] = "elastic",
    number: Annotated[int, typer.Option("-n", "--number", help="How many to choose.")] = 10,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="State of the fit: which groups support the property."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="OUT.xyz", help="Write the chosen structures."),
    ] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="OUT.json", help="Write the numbers as JSON.")
    ] = None,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Choose the candidates whose labels would shrink the error bar of a property most.

    No labels are needed. For example: gapy suggest si.gapy pool.xyz --start si.xyz -n 5
    """
    from gapy._support.files import write_whole
    from gapy._support.outputs import NUMBERS, STRUCTURES, output_file, require_outputs
    from gapy._support.tables import columns
    from gapy.active.suggestion import suggest as choose
    from gapy.active.support import support
    from gapy.cli.bare_structures import require_known, start_structure
    from gapy.model.loading import load
    from gapy.properties.linearised import linearised
    from gapy.structures import expanded, input_files, read_atoms
    from gapy.structures.writing import as_extxyz
    from gapy.validation.property_bars import described
    from gapy.validation.suites import phases_of

    require_threads(threads)
    require_outputs(
        output_file("output", output, STRUCTURES) + output_file("json", json_path, NUMBERS),
        [
            model,
            *input_files([start, *candidates]),
            *([state] if state else []),
        ],
    )
    if number < 1:
        raise GapyError(f"number: expected at least 1, got {number}")
    potential = load(model, trust=trust)
    pool, names = [], []
    for path in expanded(candidates):
        frames = read_atoms(path)
        require_known(frames, path, potential)
        pool += frames
        names += [f"{path}@{k}" for k in range(len(frames))]
    atoms = start_structure(start, potential)
    calculator = potential.calculator(threads=threads)
    phases = phases_of(calculator, atoms) if of == "phases" else None
    found = linearised(of, calculator, atoms, phases=phases)
    out = choose(potential, found, pool, number)
    print(f"{atoms.get_chemical_formula()}, {of}: error bars if the first so many are labelled")
    rows = [("label", *(f"{name} ({unit})" for name, unit in zip(out.names, out.units)))]
    rows.append(("none", *(f"{value:.3g}" for value in out.before)))
    rows += [
        (names[k], *(f"{value:.3g}" for value in after)) for k, after in zip(out.chosen, out.after)
    ]
    print(columns(rows))
    print(f"of {out.candidates} candidates; the bars are the posterior's ({described(potential)})")
    if out.considered < out.candidates:
        print(f"only the {out.considered} that help most alone were compared to the end")
    text: dict = {
        "property": of,
        "numbers": dict(zip(out.names, out.values.tolist())),
        "std": dict(zip(out.names, out.before.tolist())),
        "chosen": [
            {"structure": names[k], "std": dict(zip(out.names, after.tolist()))}
            for k, after in zip(out.chosen, out.after)
        ],
    }
    if state is not None:
        resting = support(_training(state, trust), found)
        print("factor on the error bars without a group")
        grown = resting.factors()
        rows = [("group", *resting.names)]
        rows += [(g or "(none)", *(f"{x:.2f}" for x in factors)) for g, factors in grown.items()]
        print(columns(rows))
        text["without"] = {g: dict(zip(resting.names, f.tolist())) for g, f in grown.items()}
    if output is not None:
        write_whole(output, as_extxyz([pool[k] for k in out.chosen]))
        print(f"structures in {output}")
    if json_path is not None:
        write_whole(json_path, (json.dumps(text, indent=2) + "\n").encode())


def _training(path: str, trust: bool):
    """The training state in a file of either kind."""
    from gapy.fit.checkpoint import load_state
    from gapy.fit.training_file import load_training

    try:
        return load_training(path, trust=trust)
    except ModelFileError as first:
        try:
            return load_state(path, trust=trust).training_
        except ModelFileError as second:
            raise ModelFileError(
                f"state: expected a file of save_training or save_state, which hold the labels of "
                f"each group apart, got {path}: {second} ({first})"
            ) from second
