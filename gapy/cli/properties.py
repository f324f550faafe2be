"""`gapy relax | eos | elastic | phonons`: properties of a structure, with error bars."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from gapy.cli.options import Threads, Trust, require_threads
from gapy.errors import GapyError

Model = Annotated[str, typer.Argument(help="Model file.")]
Start = Annotated[
    str, typer.Argument(help="Start structure, any file ASE reads; FILE@INDEX for a frame.")
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="OUT.xyz", help="Write what was computed as extxyz."),
]
Json = Annotated[
    str | None, typer.Option("--json", metavar="OUT.json", help="Write the numbers as JSON.")
]
Samples = Annotated[int, typer.Option(help="Posterior samples behind the error bars; 0 for none.")]
Seed = Annotated[int, typer.Option(help="Seed of the samples.")]
Force = Annotated[float, typer.Option(help="Largest force that remains, eV/A.")]


@dataclass(frozen=True)
class Asked:
    """What every command of properties is asked: files, samples, threads."""

    model: str
    start: str
    output: str | None
    json_path: str | None
    samples: int
    seed: int
    trust: bool
    threads: int


def relax(
    model: Model,
    start: Start,
    output: Output = None,
    cell: Annotated[
        str | None,
        typer.Option(help="free, isotropic, shape or fixed [free for crystals, else fixed]."),
    ] = None,
    force: Force = 1e-3,
    steps: Annotated[int, typer.Option(help="Steps at most.")] = 500,
    same_phase: Annotated[
        bool, typer.Option(help="Refuse an end of another volume, symmetry or neighbour count.")
    ] = True,
    json_path: Json = None,
    samples: Samples = 16,
    seed: Seed = 0,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Relax a structure, and its cell, to vanishing forces.

    For example: gapy relax si.gapy start.xyz -o relaxed.xyz
    """
    from gapy.properties.relaxing import relax as function

    settings = {"cell": cell, "force": force, "steps": steps, "same_phase": same_phase}
    asked = Asked(model, start, output, json_path, samples, seed, trust, threads)
    _run(function, settings, asked)


def eos(
    model: Model,
    start: Start,
    output: Output = None,
    span: Annotated[float, typer.Option(help="Relative volumes on either side.")] = 0.06,
    points: Annotated[int, typer.Option(help="Volumes, at least 5.")] = 9,
    shape: Annotated[bool, typer.Option("--shape", help="Relax the shape at each volume.")] = False,
    force: Force = 1e-3,
    json_path: Json = None,
    samples: Samples = 16,
    seed: Seed = 0,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Equation of state: lattice constant, energy, bulk modulus.

    For example: gapy eos si.gapy start.xyz --json eos.json
    """
    from gapy.properties.equation_of_state import eos as function

    settings = {"span": span, "points": points, "shape": shape, "force": force}
    asked = Asked(model, start, output, json_path, samples, seed, trust, threads)
    _run(function, settings, asked)


def elastic(
    model: Model,
    start: Start,
    output: Output = None,
    strain: Annotated[float, typer.Option(help="Of each pattern, both signs.")] = 0.01,
    symmetry: Annotated[str, typer.Option(help="triclinic (none assumed) or cubic.")] = "triclinic",
    method: Annotated[
        str, typer.Option(help="relax under each strain, or hessian: follow it to first order.")
    ] = "relax",
    force: Force = 1e-3,
    json_path: Json = None,
    samples: Samples = 16,
    seed: Seed = 0,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Elastic constants at zero stress, by matscipy (gapy[properties]).

    For example: gapy elastic si.gapy start.xyz --samples 8
    """
    from gapy.properties.elasticity import elastic as function

    settings = {"strain": strain, "symmetry": symmetry, "method": method, "force": force}
    asked = Asked(model, start, output, json_path, samples, seed, trust, threads)
    _run(function, settings, asked)


def phonons(
    model: Model,
    start: Start,
    output: Output = None,
    repeats: Annotated[
        int, typer.Option(help="Of the cell along each axis, where atoms are displaced.")
    ] = 2,
    distance: Annotated[float, typer.Option(help="Of a displacement, A.")] = 0.03,
    temperature: Annotated[float, typer.Option(help="Of the thermal properties, K.")] = 300.0,
    force: Force = 1e-3,
    json_path: Json = None,
    samples: Samples = 16,
    seed: Seed = 0,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Phonons at high-symmetry points and thermal properties, by phonopy (gapy[properties]).

    For example: gapy phonons si.gapy primitive.xyz --repeats 3
    """
    from gapy.properties.lattice_dynamics import phonons as function

    if repeats < 1:
        raise GapyError(f"repeats: expected at least 1, got {repeats}")
    settings = {
        "supercell": (repeats,) * 3, "distance": distance, "temperature": temperature,
        "force": force,
    }  # fmt: skip
    asked = Asked(model, start, output, json_path, samples, seed, trust, threads)
    _run(function, settings, asked)


def _run(function: Callable, settings: dict, asked: Asked) -> None:
    """Compute, print the table, write what was asked for."""
    from gapy._support.files import write_whole
    from gapy._support.outputs import NUMBERS, STRUCTURES, output_file, require_outputs
    from gapy.cli.bare_structures import start_structure
    from gapy.model.loading import load
    from gapy.structures import input_files
    from gapy.structures.writing import as_extxyz
    from gapy.validation.propagation import about
    from gapy.validation.property_bars import calibrated, described

    require_threads(asked.threads)
    if asked.samples < 0 or asked.samples == 1:
        raise GapyError(f"samples: expected 0, or at least 2 for an error bar, got {asked.samples}")
    require_outputs(
        output_file("output", asked.output, STRUCTURES)
        + output_file("json", asked.json_path, NUMBERS),
        [asked.model, *input_files([asked.start])],
    )
    potential = load(asked.model, trust=asked.trust)
    atoms = start_structure(asked.start, potential)
    result = function(potential.calculator(threads=asked.threads), atoms, **settings)
    bars: dict[str, float] = {}
    if asked.samples:
        committee = potential.sample(asked.samples, asked.seed)
        spread = about(result, lambda member: function(member, atoms, **settings), committee)
        bars = calibrated(potential, spread)
    print(f"{atoms.get_chemical_formula()}, {function.__name__}")
    print(_table(result, bars))
    if bars:
        print(f"+- one standard deviation of {asked.samples} samples: {described(potential)}")
    if asked.output is not None:
        write_whole(asked.output, as_extxyz(result.frames()))
        print(f"structures in {asked.output}")
    if asked.json_path is not None:
        rows = {
            name: {"value": value, "std": bars.get(name), "unit": result.unit_of(name)}
            for name, value in result.numbers().items()
        }
        text = {"property": function.__name__, "samples": asked.samples, "numbers": rows}
        write_whole(asked.json_path, (json.dumps(text, indent=2) + "\n").encode())


def _table(result, bars: dict[str, float]) -> str:
    """Every number with its error bar and unit."""
    from gapy._support.tables import columns, with_bar

    rows = [("", "value", "+-", "unit")]
    for name, value in result.numbers().items():
        rows.append((name, *with_bar(value, bars.get(name)), result.unit_of(name)))
    return columns(rows)
