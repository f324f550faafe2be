"""`gapy demo`: the whole road in one command."""

from __future__ import annotations

from typing import Annotated

import typer

from gapy.cli.options import Threads, require_threads


def demo(
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="Directory.")
    ] = "gapy-demo",
    threads: Threads = 2,
) -> None:
    """Fit the shipped silicon, test it, run MD until it flags."""
    from gapy.cli.demo_steps import run_demo

    run_demo(output, threads=require_threads(threads))
