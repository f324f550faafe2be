"""The loop's side of a labelling process: start it, ask it, kill it when time is up."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from ase import Atoms

from gapy.active.labels import Failure, Label, checked
from gapy.errors import GapyError
from gapy.structures.charge import with_charge, with_initial_charges
from gapy.structures.spins import with_moments

START_SECONDS = 120.0
"""For the imports of a labelling process; a busy file system may take its time."""


class OracleError(GapyError):
    """The oracle cannot be made or is gone; nothing can be labelled."""


@dataclass(frozen=True)
class Job:
    """One structure for one labelling process; plain data, so that it can travel."""

    spec: bytes
    numbers: tuple
    positions: bytes
    cell: bytes
    pbc: tuple
    directory: str
    timeout: float | None
    max_force: float
    charge: float = 0.0
    moments: tuple[float, ...] | None = None

    @property
    def atoms(self) -> Atoms:
        import numpy as np

        positions = np.frombuffer(self.positions).reshape(-1, 3)
        cell = np.frombuffer(self.cell).reshape(3, 3)
        atoms = Atoms(list(self.numbers), positions.copy(), cell=cell.copy(), pbc=self.pbc)
        with_moments(atoms, None if self.moments is None else np.array(self.moments))
        return with_initial_charges(with_charge(atoms, self.charge))


def job_of(request, spec: bytes, directory: Path, timeout, max_force) -> Job:
    """The job that labels a Request."""
    return Job(
        spec=spec,
        numbers=tuple(int(z) for z in request.numbers),
        positions=request.positions.tobytes(),
        cell=request.cell.tobytes(),
        pbc=tuple(bool(p) for p in request.pbc),
        directory=str(directory),
        timeout=timeout,
        max_force=max_force,
        charge=request.charge,
        moments=None if request.moments is None else tuple(request.moments.tolist()),
    )


_mine = threading.local()
_running: dict[int, WorkerProcess] = {}


def run_job(job: Job) -> Label | Failure:
    """Label one structure in the process of this thread, which is started if need be."""
    workers = _mine.__dict__.setdefault("workers", {})
    worker = workers.get(job.spec)
    if worker is None or not worker.alive:
        worker = workers[job.spec] = WorkerProcess(job.spec, Path(job.directory).parent)
    return worker.label(job)


def stop_workers(spec: bytes) -> None:
    """Kill the processes of this specification that this process started."""
    for worker in list(_running.values()):
        if worker.spec == spec:
            worker.kill()


class WorkerProcess:
    """A process that labels; see `gapy.active.worker` for the other side."""

    def __init__(self, spec: bytes, directory: Path):
        self.spec = spec
        directory.mkdir(parents=True, exist_ok=True)
        job_read, job_write = os.pipe()
        answer_read, answer_write = os.pipe()
        settings = pickle.loads(spec)
        paths = settings.get("paths", []) + [str(Path(p or ".").resolve()) for p in sys.path]
        environment = {
            **os.environ,
            **settings.get("environment", {}),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gapy.active.worker", str(job_read), str(answer_write)],
                pass_fds=(job_read, answer_write),
                stdin=subprocess.DEVNULL,
                # What a calculator prints is not for the terminal of the loop.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(job_read)
            os.close(answer_write)
        self._jobs = Connection(job_write, readable=False)
        self._answers = Connection(answer_read, writable=False)
        self.alive = True
        _running[id(self)] = self
        self._start({**settings, "paths": paths})

    def _start(self, settings: dict) -> None:
        try:
            self._jobs.send(settings)
            answer = self._answers.recv() if self._answers.poll(START_SECONDS) else None
        except (EOFError, OSError):
            answer = {"ready": False, "reason": f"its process {self._end()} while it was imported"}
        if answer is None:
            answer = {"ready": False, "reason": f"its process did not start in {START_SECONDS} s"}
        if not answer["ready"]:
            self.kill()
            raise OracleError(str(answer["reason"]))

    def label(self, job: Job) -> Label | Failure:
        """Compute, or say why not; a process that hangs or dies is not used again."""
        began = time.perf_counter()
        try:
            self._jobs.send((job.atoms, job.directory))
            if not self._answers.poll(job.timeout):
                self.kill()
                seconds = time.perf_counter() - began
                return Failure("timeout", f"no result within {job.timeout:g} s", seconds)
            answer = self._answers.recv()
        except (EOFError, OSError):
            ended = self._end()
            return Failure("crashed", f"the process {ended}", time.perf_counter() - began)
        if "results" not in answer:
            return Failure(answer["kind"], answer["reason"], answer["seconds"])
        return checked(
            answer["results"],
            len(job.numbers),
            max_force=job.max_force,
            seconds=answer["seconds"],
        )

    def _end(self) -> str:
        """Collect a process that is dying and say how it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        code = self._process.poll()
        self.kill()
        if code is None:
            return "closed its answers"
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        """End the process and all that it started."""
        self.alive = False
        _running.pop(id(self), None)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._jobs.close()
        self._answers.close()
