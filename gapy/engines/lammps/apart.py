"""LAMMPS in a process of its own: what ends it (an abort, a signal) ends nothing else.

`python -m gapy.engines.lammps.apart IN OUT` is the other side: it answers requests from the file
descriptor IN on OUT, and ends with its input.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from gapy.engines.lammps.pieces import Pieces, Reached, Start
from gapy.errors import GapyError
from gapy.model.potential import Potential

READY = "ready"


class LammpsGone(RuntimeError):
    """LAMMPS refused to go on, or its process died: the run at hand is lost, another may begin."""


class Apart:
    """A process that holds one `Pieces` at a time; it is started when first asked for something."""

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self._sent: Potential | None = None  # what the process has

    def open(self, potential: Potential, start: Start) -> None:
        """Begin a run, the one before is dropped; GapyError where LAMMPS cannot be had at all."""
        new = potential is not self._sent
        self._ask("open", potential if new else None, start)
        self._sent = potential

    def run(self, steps: int, temperature: float, last: int) -> Reached:
        """`Pieces.run`; LammpsGone if it breaks off."""
        return self._ask("run", steps, temperature, last)

    def restart(self) -> bytes:
        """`Pieces.restart`."""
        return self._ask("restart")

    def drop(self) -> None:
        """End the run at hand; the process stays."""
        self._ask("drop")

    def kill(self) -> None:
        """End the process, whatever it does."""
        process, self._process, self._sent = self._process, None, None
        if process is None:
            return
        atexit.unregister(self.kill)
        process.kill()
        process.wait()
        self._requests.close()
        self._answers.close()

    def _ask(self, *request):
        if self._process is None:
            self._start()
        try:
            self._requests.send(request)
            kind, answer = self._answers.recv()
        except (EOFError, OSError):
            raise LammpsGone(f"LAMMPS: its process {self._ended()}") from None
        if kind == "error":
            raise answer
        if kind == "gone":
            raise LammpsGone(answer)
        return answer

    def _start(self) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        paths = os.pathsep.join(str(Path(p or ".").resolve()) for p in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs_in), str(theirs_out)],
                pass_fds=(theirs_in, theirs_out),
                stdin=subprocess.DEVNULL,
                # What MPI says when it dies is not for the terminal of the caller.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
                start_new_session=True,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._requests = Connection(ours_out, readable=False)
        self._answers = Connection(ours_in, writable=False)
        atexit.register(self.kill)

    def _ended(self) -> str:
        """Collect a process that is dying and say how it ended."""
        process, code = self._process, None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(5.0)
        self.kill()
        if code is None:
            return "closed its answers"
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def serve(requests: Connection, answers: Connection) -> None:
    """Answer requests until the other side is gone."""
    holder = _Holder()
    while True:
        try:
            what, *arguments = requests.recv()
        except (EOFError, OSError):
            return
        try:
            answers.send((READY, getattr(holder, what)(*arguments)))
        except BrokenPipeError:
            return
        except GapyError as error:
            # While it runs, an error of the model is about the structure at hand.
            answers.send(("error", error) if what == "open" else ("gone", f"LAMMPS: {error}"))
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            answers.send(("gone", f"LAMMPS: {text}"))


class _Holder:
    """The potential and the run of the process."""

    _potential: Potential
    _pieces: Pieces | None = None

    def open(self, potential: Potential | None, start: Start) -> None:
        self.drop()
        if potential is not None:
            self._potential = potential
        self._pieces = Pieces(self._potential, start)

    def run(self, *arguments) -> Reached:
        assert self._pieces is not None
        return self._pieces.run(*arguments)

    def restart(self) -> bytes:
        assert self._pieces is not None
        return self._pieces.restart()

    def drop(self) -> None:
        if self._pieces is not None:
            self._pieces.close()
        self._pieces = None


if __name__ == "__main__":
    serve(
        Connection(int(sys.argv[1]), writable=False), Connection(int(sys.argv[2]), readable=False)
    )
