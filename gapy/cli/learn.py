"""`gapy learn`: build a potential by active learning, from one file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gapy._support.files import checked_path
from gapy.cli.signals import Terminated
from gapy.errors import GapyError


def learn(
    config: Annotated[str, typer.Argument(help="TOML file; see docs/active.md.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the loop in its directory.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, print the plan, do nothing.")
    ] = False,
) -> None:
    """Explore, label what the model does not know, update it, and go on.

    The state is on disk after each step: --resume continues a loop that was killed.
    """
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
    from gapy.active.display import Live
    from gapy.active.run import learn as run

    try:
        result = run(**stated.arguments(), resume=resume, display=Live())
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
