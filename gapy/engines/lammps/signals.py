"""Signals while LAMMPS runs: kept until the engine can raise what they mean.

Python handles a signal at the first instruction of the next function that C calls, before any `try`
of it: ctypes prints the exception and goes on, as if nothing had happened.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Kept:
    """Number of the signal that came last, None for none; what handled each of them before."""

    number: int | None = None
    before: dict  # of the innermost `deferred`


@contextmanager
def deferred():
    """Context in which SIGINT and SIGTERM wait for `raise_deferred`, or for its end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled elsewhere
        return
    _Kept.before = {number: signal.signal(number, _keep) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in _Kept.before.items():
            signal.signal(number, handler)
        raise_deferred()


def _keep(number, frame) -> None:
    _Kept.number = number


def raise_deferred() -> None:
    """Handle the signal that came, if any, as it was handled before: mostly by an exception."""
    number, _Kept.number = _Kept.number, None
    if number is None:
        return
    handler = _Kept.before[number]
    if callable(handler):
        handler(number, None)
    elif handler == signal.SIG_DFL:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
