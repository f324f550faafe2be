"""What the user sees while the loop runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gapy.active.parts import Progress

INTERVAL = 0.25
"""Seconds between two changes of the live line."""
SHOWN = 4
"""Labels whose errors are in the line, the last ones."""


class Silent:
    """Shows nothing. A display has `update` (something happened) and `tick` (one more step), both
    with the loop's `gapy.active.parts.Progress`, and is a context."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def update(self, progress: Progress) -> None:
        """After each part of the loop."""

    def tick(self, progress: Progress) -> None:
        """After each step of a walker."""


def summary(progress: Progress) -> str:
    """The loop in one line."""
    t, sigma = progress.tally, progress.sigma
    share = progress.share_without_label
    parts = [f"{t.ps:.2f} ps" if t.ps else f"{t.steps} steps"]
    parts.append(f"{progress.n_labels} labels")
    if progress.n_failures:
        parts.append(f"{progress.n_failures} failed")
    if share == share:
        parts.append(f"{100 * share:.2f} % of steps without a label")
    if sigma == sigma:
        parts.append(f"force sigma {sigma:.3f} eV/A")
    if progress.found:
        last = " ".join(f"{e:.3f}" for e in progress.found[-SHOWN:])
        parts.append(f"force errors at the last labels {last} eV/A")
    return ", ".join(parts)


class Live(Silent):
    """A live line on a terminal; one line per model version elsewhere.

    stream : where to, standard error by default
    every_label : elsewhere a line at each label
    note : takes the text of each of these lines, on a terminal too
    """

    def __init__(self, stream=None, *, every_label: bool = False, note=None):
        self._stream = stream or sys.stderr
        self._every_label, self._note = every_label, note
        self._told: tuple[int, int] = (0, 0)  # version and labels of the last line
        self._live = None
        self._last = 0.0

    def __enter__(self):
        if self._stream.isatty():
            from rich.console import Console
            from rich.live import Live as RichLive

            self._live = RichLive("", console=Console(file=self._stream), auto_refresh=False)
            self._live.__enter__()
        return self

    def __exit__(self, *exception):
        if self._live is not None:
            self._live.__exit__(*exception)

    def update(self, progress: Progress) -> None:
        if self._live is not None:
            self._live.update(summary(progress), refresh=True)
        told = (progress.version, progress.n_labels if self._every_label else 0)
        if told == self._told:  # nothing to tell before the first fit or label
            return
        self._told = told
        if self._live is None:
            print(summary(progress), file=self._stream, flush=True)
        if self._note is not None:
            self._note(summary(progress))

    def tick(self, progress: Progress) -> None:
        if self._live is None:
            return
        now = time.monotonic()
        if now - self._last > INTERVAL:
            self._last = now
            self._live.update(summary(progress), refresh=True)
