"""Where the time of `gapy fit` without options goes: shares of its stages, in one Markdown table.

    python benchmarks/fit_shares.py --data DIR [--only NAME...] [--runs N] [--fit="OPTIONS"]

Data are those of accuracy.py, as automatic.py prepares them. The command runs in this process, with
clocks of processor time around the functions that the stages are; each second counts for the
innermost stage. One run on a few structures comes first, so that nothing is compiled or imported
during the others; medians over `--runs` are printed. Learning is the search for noise and prior
scale of the fit itself, calibration its left-out errors; the same work on small samples, by which
the exponent and the descriptor are chosen, counts as choice.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import os
import shlex
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from automatic import SETS, present, training_file
from threadpoolctl import threadpool_limits

STAGES = {
    "reading": ["gapy.structures:read_structures"],
    "choice of settings": [
        f"gapy.cli.fit:{name}"
        for name in ("completed", "choose_compression", "choose_zeta", "choose_terms")
    ],
    "components": ["gapy.fit.regressor:with_components"],
    "points": ["gapy.fit.regressor:choose_inducing", "gapy.fit.regressor:reach_of"],
    "rows": ["gapy.fit.training:rows_of"],
    "whitening, QR": ["gapy.fit.training:add_labels"],
    "learning: likelihood": ["gapy.fit.solving:maximise_likelihood"],
    "learning: balance": ["gapy.fit.solving:balanced"],
    "weights": ["gapy.fit.solving:posterior_of"],
    "calibration": ["gapy.fit.solving:calibrate"],
    "evaluation": ["gapy.validation.evaluation:evaluate"],
}
"""Functions by the name under which the next layer calls them."""
CHOICE = "choice of settings"
LEARNT = ("learning: likelihood", "learning: balance", "calibration")
AROUND = ("reading", CHOICE, "evaluation", "other")
"""What is not the fit itself."""
FEW = 20
"""Structures of the run that compiles."""


class Clock:
    """Seconds of processor time by stage; those of a stage within another count for the inner one,
    but for the choice, which is whole."""

    def __init__(self):
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = ["other"]
        self._since = time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def timed(self, stage: str, function):
        """The function, its time counted."""

        @functools.wraps(function)
        def run(*args, **options):
            self._turn()
            self._open.append(CHOICE if CHOICE in self._open else stage)
            try:
                return function(*args, **options)
            finally:
                self._turn()
                self._open.pop()

        return run


@contextlib.contextmanager
def clocked():
    """A Clock around the stages of every fit within."""
    clock, before = Clock(), []
    for stage, places in STAGES.items():
        for place in places:
            module = importlib.import_module(place.split(":")[0])
            name = place.split(":")[1]
            before.append((module, name, getattr(module, name)))
            setattr(module, name, clock.timed(stage, getattr(module, name)))
    try:
        yield clock
        clock._turn()
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def shares(train: Path, further: str, folder: Path) -> dict[str, float]:
    """Seconds of each stage of one fit."""
    from gapy.cli import run

    command = ["fit", str(train), "-o", str(folder / "model.gapy"), *shlex.split(further)]
    out = io.StringIO()
    with clocked() as clock, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        if code := run(command):
            raise SystemExit(f"gapy fit ended with {code}: {out.getvalue()}")
    return dict(clock.seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA"))
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--fit", default="", metavar="OPTIONS", help="further options of gapy fit")
    options = parser.parse_args()
    stages = [*STAGES, "other"]
    print(f"| set | CPU s | {' | '.join(stages)} | learning and calibration | of the fit alone |")
    print("|---" * (len(stages) + 4) + "|")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        folder = Path(temporary)
        for name, data in present(options):
            train = training_file(name, data, 1, folder)
            shares(few_of(train, folder), options.fit, folder)
            found = [shares(train, options.fit, folder) for _ in range(options.runs)]
            print(f"| {' | '.join(row(name, found, stages))} |", flush=True)


def few_of(train: Path, folder: Path) -> Path:
    """A file of a few structures, spread over those of another."""
    from ase.io import read, write

    frames, path = read(train, ":"), folder / "few.xyz"
    write(path, frames[:: max(len(frames) // FEW, 1)], format="extxyz")
    return path


def row(name: str, found: list[dict[str, float]], stages) -> list[str]:
    """The cells of a set."""
    total = np.median([sum(seconds.values()) for seconds in found])
    parts = [np.median([s.get(stage, 0.0) / sum(s.values()) for s in found]) for stage in stages]
    learnt = [sum(s.get(x, 0.0) for x in LEARNT) for s in found]
    whole = [sum(s.values()) for s in found]
    alone = [sum(x for stage, x in s.items() if stage not in AROUND) for s in found]
    parts += [np.median(np.divide(learnt, of)) for of in (whole, alone)]
    return [name, f"{total:.1f}", *(f"{100 * x:.0f} %" for x in parts)]


if __name__ == "__main__":
    main()
