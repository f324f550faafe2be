"""SIGTERM and SIGINT: a word to the user, and time for a run to save its state."""

from __future__ import annotations

import os
import signal
import threading


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception: nothing on the way out may take it for a failure."""


def raise_at_sigterm() -> None:
    """From now on SIGTERM unwinds the program as Ctrl-C does, instead of killing it unheard."""

    def raise_terminated(number, frame):
        raise Terminated

    signal.signal(signal.SIGTERM, raise_terminated)


class StopRequest:
    """Within it, the first SIGINT or SIGTERM is only remembered; a second one acts as before.

    Called, it returns what arrived, in words, or None. `number` is that of the signal, 0 without.
    """

    def __init__(self):
        self.number = 0
        self._before = {}

    def __enter__(self):
        # Python handles signals in the main thread only, and lets no other set handlers.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *exception):
        self._restore()

    def __call__(self) -> str | None:
        return f"{signal.Signals(self.number).name} received" if self.number else None

    def _remember(self, number, frame) -> None:
        self.number = number
        self._restore()
        # print could be called within a print here
        os.write(2, f"gapy: {signal.Signals(number).name}: ending after this step\n".encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
