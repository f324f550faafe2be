"""Progress of an MD run: lines at a rate that a log can bear, one live line on a terminal."""

from __future__ import annotations

import math
import sys
import time

FIRST_GAP, SHARE, LONGEST_GAP = 2.0, 0.05, 600.0
"""Seconds between two lines: a share of the time passed, between these: 20 lines in the first 40 s,
then about 20 more each time the run has grown threefold, and never ten minutes without one."""
LIVE_GAP = 0.25
"""Seconds between two changes of the live line."""
WINDOW = 5
"""The pace is that since so many lines ago: a run may become slower or faster."""

HEADER = "     step    time/ps      T/K       E_pot/eV  max sigma/(eV/A)    ns/day       left"


class Progress:
    """Callback of `run_md` that prints; `close` ends it.

    Arguments: steps in total; the stream; a clock in seconds; whether every step has a line.
    """

    def __init__(self, steps: int, stream=None, clock=time.monotonic, every_step: bool = False):
        self.steps = steps
        self._every_step = every_step
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._clock = clock
        self._marks: list[tuple[float, object]] = []  # (s, record) of the last lines
        self._began = self._shown = 0.0
        self._last = None

    def __call__(self, record, frame) -> None:
        now = self._clock()
        self._last = record
        if not self._marks:
            self._began = now
            print(HEADER, file=self._stream)
            self._print(now, record)
            return
        gap = min(max(FIRST_GAP, SHARE * (now - self._began)), LONGEST_GAP)
        if self._every_step or record.step >= self.steps or now - self._marks[-1][0] >= gap:
            self._print(now, record)
        elif self._live and now - self._shown >= LIVE_GAP:
            self._shown = now
            self._stream.write(f"\r{self._line(now, record)}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Print the last step, if it has no line yet."""
        if self._last is not None and self._last is not self._marks[-1][1]:
            self._print(self._clock(), self._last)

    def _print(self, now: float, record) -> None:
        line = self._line(now, record)
        print(f"\r{line}\x1b[K" if self._live else line, file=self._stream, flush=True)
        self._marks = [*self._marks[1 - WINDOW :], (now, record)]
        self._shown = now

    def _line(self, now: float, record) -> str:
        sigma = record.max_force_std_eV_per_A
        shown = "-" if math.isnan(sigma) else f"{sigma:.4f}"
        return (
            f"{record.step:9d} {record.time_fs * 1e-3:10.3f} {record.temperature_K:8.1f} "
            f"{record.potential_energy_eV:14.4f} {shown:>17} "
            f"{self._pace(now, record)}"
        )

    def _pace(self, now: float, record) -> str:
        """ns/day and the time left."""
        before, then = self._marks[0] if self._marks else (now, record)
        seconds = now - before
        if seconds <= 0.0:
            return f"{'-':>9} {'-':>10}"
        left = round(seconds / (record.step - then.step) * (self.steps - record.step))
        clock = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        return f"{ns_per_day(seconds, record.time_fs - then.time_fs):9.3g} {clock:>10}"


def ns_per_day(seconds: float, fs: float) -> float:
    """Pace of a run that simulated so many fs in so many seconds."""
    return 86400.0 * fs * 1e-6 / seconds
