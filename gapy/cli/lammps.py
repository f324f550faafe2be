"""`gapy lammps`: an ordinary LAMMPS input file with `pair_style gapy`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gapy.errors import GapyError


def lammps(
    model: Annotated[str, typer.Argument(help="Model file, in the input file ${MODEL}.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- ...]", help="More of LAMMPS' command line, after --."),
    ] = None,
    input_file: Annotated[
        str, typer.Option("-in", "--input", metavar="IN.LAMMPS", help="LAMMPS' input file.")
    ] = ...,
    ranks: Annotated[
        int, typer.Option("-np", "--ranks", metavar="N", help="MPI ranks, a thread each.")
    ] = 1,
) -> int:
    """Run LAMMPS with a model.

    The input file says `pair_style gapy` and `pair_coeff * * ${MODEL} Si`.

    A run that stops because the force sigma of an atom exceeds max_force_std of the pair style has
    done what it was asked to: exit code 0, the reason on standard output, the frame in a file.
    """
    from gapy.engines.lammps.launch import launch, report
    from gapy.engines.lammps.run import run_input

    if ranks < 1:
        raise GapyError(f"-np: expected a number of ranks of at least 1, got {ranks}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if ranks > 1:
        return launch(model, input_file, arguments or [], ranks)
    report(run_input(model, input_file, arguments or []))
    return 0
