"""Options that several commands share."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from gapy.errors import GapyError

EnergyKey = Annotated[
    str | None, typer.Option("--energy-key", help="Info key of energies, eV [REF_energy].")
]
ForcesKey = Annotated[
    str | None, typer.Option("--forces-key", help="Array key of forces, eV/A [REF_forces].")
]
StressKey = Annotated[
    str | None, typer.Option("--stress-key", help="Info key of stresses, eV/A^3 [REF_stress].")
]
VirialKey = Annotated[
    str | None, typer.Option("--virial-key", help="Info key of virials, eV [REF_virial].")
]
Threads = Annotated[int, typer.Option(help="Threads; results do not depend on them.")]

Precision = Annotated[
    str,
    typer.Option(
        metavar="double|single",
        help="single: descriptors in single precision, forces to a few 1e-5 eV/A.",
    ),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Import the calculator that a baseline of the model file names."),
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Work in parts on the Dask cluster there.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print warnings and errors only; the log has all.")
]
Workers = Annotated[
    int | None, typer.Option(help="Work in parts in so many processes (gapy[dask]).")
]


def label_keys(energy, forces, stress, virial):
    """LabelKeys from what was given; None keeps a default."""
    from gapy.structures import LabelKeys

    keys = {"energy": energy, "forces": forces, "stress": stress, "virial": virial}
    given = {name: key for name, key in keys.items() if key is not None}
    return LabelKeys(**given, given=frozenset(given))


def require_matplotlib() -> None:
    """GapyError without matplotlib, before work whose picture it would draw."""
    if importlib.util.find_spec("matplotlib") is None:
        raise GapyError('plots: expected matplotlib, it is not installed; pip install "gapy[plot]"')


def require_threads(threads: int) -> int:
    """`threads`, or GapyError below 1."""
    if threads < 1:
        raise GapyError(f"threads: expected a number of at least 1, got {threads}")
    return threads


def on_workers(threads: int | None, workers: int | None, scheduler: str | None) -> bool:
    """Whether work goes to Dask's workers; GapyError for options that would do nothing there."""
    if workers is not None and workers < 1:
        raise GapyError(f"workers: expected a number of at least 1, got {workers}")
    if workers is not None and scheduler is not None:
        raise GapyError("scheduler: has no effect with workers; leave one of the two out")
    chosen = workers is not None or scheduler is not None
    if chosen and threads is not None and threads > 1:
        raise GapyError(
            f"threads: has no effect on workers, which have one each, got {threads}; ask for more "
            "workers"
        )
    return chosen
