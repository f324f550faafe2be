"""`gapy ipi`: forces for i-PI."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gapy.cli.options import Precision, Threads, Trust, require_threads
from gapy.errors import GapyError


def ipi(
    model: Annotated[str | None, typer.Argument(help="Model file.")] = None,
    start: Annotated[
        str | None,
        typer.Argument(help="Structure with the atoms in i-PI's order, any file that ASE reads."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT|unix:NAME", help="Where i-PI listens.")
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option(help="Send the force sigma of every atom in the extras.")
    ] = True,
    pes_path: Annotated[
        bool, typer.Option("--pes-path", help="Print the file for i-PI's <pes_path> and end.")
    ] = False,
    precision: Precision = "double",
    trust: Trust = False,
    threads: Threads = 1,
) -> int:
    """Evaluate structures for i-PI, which moves the atoms, until it ends."""
    if pes_path:
        from gapy.engines import ipi as room

        print(f"{room.__path__[0]}/pes.py")
        return 0
    for name, value in (("model", model), ("start", start), ("address", address)):
        if value is None:
            raise GapyError(f"{name}: expected one, got none; gapy ipi MODEL START --address ...")
    require_threads(threads)
    from gapy.engines.ipi import Address, Forces, serve
    from gapy.model.loading import load
    from gapy.structures import read_atoms

    where = Address.of(address)
    atoms = read_atoms(start, index=0)[0]
    potential = load(model, trust=trust).in_precision(precision)
    forces = Forces(potential, atoms, uncertainty=uncertainty, threads=threads)
    print(f"{atoms.get_chemical_formula()} for i-PI at {where}", flush=True)
    n = serve(where, forces)
    print(f"i-PI has ended after {n} structures", file=sys.stderr if n == 0 else sys.stdout)
    return 0
