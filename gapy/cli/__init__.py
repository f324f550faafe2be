"""The command line: `gapy fit | tune | evaluate | md | lammps | ipi | learn | inspect | ...`.

Exit codes: 0 success (an MD run stopped by its own uncertainty is one), 1 an MD run that exploded,
a check that failed under `validate --strict`, or a reader of the output that left, 2 bad usage or
bad input (a closed standard output is one), with one line on standard error, 130 interrupted, 143
terminated. Whatever takes long to import is imported inside the commands, so that `gapy --help` is
immediate.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import Annotated

import typer

import gapy
from gapy.cli.demo import demo
from gapy.cli.evaluate import evaluate
from gapy.cli.example import epilog
from gapy.cli.fit import fit
from gapy.cli.info import info
from gapy.cli.inspect import inspect
from gapy.cli.ipi import ipi
from gapy.cli.lammps import lammps
from gapy.cli.learn import learn
from gapy.cli.md import md
from gapy.cli.predict import predict
from gapy.cli.properties import elastic, eos, phonons, relax
from gapy.cli.signals import Terminated, raise_at_sigterm
from gapy.cli.suggest import suggest
from gapy.cli.tune import tune
from gapy.cli.validate import validate
from gapy.errors import GapyError

READER_LEFT, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Commands say themselves how a run ended; without a handler logging would say it again.
logging.getLogger("gapy.md").addHandler(logging.NullHandler())
COMMANDS = (
    fit, tune, evaluate, validate, predict, relax, eos, elastic, phonons, suggest, md, lammps, ipi,
    learn, inspect, info, demo,
)  # fmt: skip
for command in COMMANDS:
    app.command(epilog=epilog(command.__name__))(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gapy {gapy.__version__}")
        raise typer.Exit


@app.callback()
def _gapy(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Gaussian-process interatomic potentials with error bars."""


def main() -> None:
    """Console entry point."""
    closed = sys.stdout is None
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            # The number would go to the next file that is opened, and others' code writes to it.
            _open_null(number)
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
    if closed:
        # Said before any work: its results would be lost.
        sys.exit(_fail("standard output is closed; open it, or send it to /dev/null", BAD_INPUT))
    # A file's name may hold bytes that are no text.
    sys.stdout.reconfigure(errors="backslashreplace")
    raise_at_sigterm()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _show_warning
        try:
            code = app(arguments or ["--help"], standalone_mode=False, prog_name="gapy") or 0
            sys.stdout.flush()
            # Some versions of typer turn an interrupt into this code, others let it through.
            if code in (INTERRUPTED, TERMINATED):
                return _fail("interrupted" if code == INTERRUPTED else "terminated", code)
            return code
        except (KeyboardInterrupt, typer.Abort):
            return _fail("interrupted", INTERRUPTED)
        except Terminated:
            return _fail("terminated", TERMINATED)
        except BrokenPipeError:
            # The reader (head, less) has left.
            return READER_LEFT
        except (GapyError, OSError) as error:
            return _fail(str(error), BAD_INPUT)
        except MemoryError as error:
            return _fail(f"not enough memory: {error}; use fewer inducing points", BAD_INPUT)
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise  # a defect: its traceback is needed
            return _fail(f"{error.format_message()} (try --help)", BAD_INPUT)
        finally:
            for stream in (sys.stdout, sys.stderr):
                _let_go(stream)


def _fail(message: str, code: int) -> int:
    # What was printed before comes first, and a reader that left is no second error.
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(BrokenPipeError):
        print("gapy: error:", " ".join(message.split()), file=sys.stderr, flush=True)
    return code


def _let_go(stream) -> None:
    """What cannot be written now would be an error at exit, where nobody can mend it."""
    try:
        stream.flush()
    except OSError:
        _open_null(stream.fileno())


def _open_null(number: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print("gapy: warning:", " ".join(str(message).split()), file=sys.stderr)
