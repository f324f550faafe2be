"""Programs in processes of their own, which need not import the libraries again.

A process that has imported them (`warm_libraries`) waits; each program runs in a fork of it. That
takes a third of a start from nothing, and gapy is still imported by the program itself.
"""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path

_context = multiprocessing.get_context("forkserver")


class Program:
    """A running program, with what its users need of `subprocess.Popen`.

    arguments: its `sys.argv[1:]`. output: the file that takes what it prints to either stream.
    """

    def __init__(self, code: str, arguments, *, folder, output):
        _wait_for_programs()
        self._output = Path(output)
        arguments = [str(a) for a in arguments]
        self._process = _context.Process(
            target=_program, args=(code, arguments, str(folder), str(output))
        )
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs, -N if signal N killed it."""
        return self._process.exitcode

    def wait(self, timeout=None) -> int:
        """Its end, or subprocess.TimeoutExpired after so many seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("program", timeout)
        return self.returncode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def communicate(self) -> tuple[str, str]:
        """All that it printed, when it has ended; the second part is empty."""
        self.wait()
        return self._output.read_text(encoding="utf-8"), ""


def _wait_for_programs() -> None:
    """Start the waiting process, unless it is there."""
    import pytest  # programs import this file, and have not imported pytest

    _context.set_forkserver_preload(["warm_libraries"])
    with pytest.MonkeyPatch.context() as patch:  # it reads these when it starts
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        forkserver.ensure_running()


def _program(code: str, arguments: list[str], folder: str, output: str) -> None:
    """Be a fresh `python -c`."""
    os.chdir(folder)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.pop("PYTHONPATH", None)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<program>", "exec"), {"__name__": "__main__"})
