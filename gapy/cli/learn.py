"""`gapy learn`: build a potential by active learning, from one file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gapy._support.files import checked_path
from gapy.cli.log import Log, Stream, logged, require_one
from gapy.cli.options import Quiet
from gapy.cli.signals import Terminated
from gapy.errors import GapyError

PRINTED = "learn.log"


def learn(
    config: Annotated[str, typer.Argument(help="TOML file; see docs/active.md.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the loop in its directory.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, print the plan, do nothing.")
    ] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print a line for each label, not for each model."),
    ] = False,
) -> None:
    """Explore, label what the model does not know, update it, and go on.

    The state is on disk after each step: --resume continues a loop that was killed. What is
    printed goes into learn.log in the directory as well.
    """
    require_one(quiet, verbose)
    if resume and dry_run:
        raise GapyError("resume: --dry-run resumes nothing; give one of them")
    from gapy.active.config import read_config

    # Own calculators and explorers may lie beside the file that names them.
    sys.path.append(str(checked_path(config).resolve().parent))
    stated = read_config(config)
    if dry_run:
        from gapy.active.plan import plan

        print("\n".join(plan(stated)))
        return
    path = checked_path(stated.directory) / PRINTED
    with logged(Log(path, append=resume), quiet=quiet) as log:
        _run(config, stated.arguments(), resume, log, quiet, verbose)


def _run(config: str, arguments: dict, resume: bool, log: Log, quiet: bool, verbose: bool) -> None:
    from gapy.active.display import Live
    from gapy.active.run import learn as run

    class Display(Live):
        """Begins the log when the loop, and so its directory, is there."""

        def update(self, progress) -> None:
            log.begin()
            super().update(progress)

    display = Display(
        Stream(log) if quiet else None, every_label=verbose, note=None if quiet else log.line
    )
    try:
        result = run(**arguments, resume=resume, display=display)
    except (KeyboardInterrupt, Terminated):
        print(f"stopped; continue with: gapy learn {config} --resume")
        raise
    print(
        f"{result.status}: {result.reason}\n"
        f"{result.n_labels} labels, {result.n_failures} failed requests, {result.n_versions} fits, "
        f"{result.n_steps} steps ({result.ps:.3f} ps), "
        f"{100 * result.share_without_label:.2f} % of them without a label\n"
        f"model: {result.model_path}"
    )
    if result.report_path is not None:
        print(f"report: {result.report_path}")
