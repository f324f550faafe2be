"""The oracle: any ASE calculator, asked in processes that may fail."""

from __future__ import annotations

import hashlib
import json
import pickle
import queue
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gapy.active.cluster import ClusterPool
from gapy.active.frames import Request
from gapy.active.labels import Failure, Label
from gapy.active.process import Job, OracleError, WorkerProcess, job_of, run_job, stop_workers
from gapy.errors import GapyError
from gapy.md.settings import real, whole
from gapy.structures.spins import one_way

UNCONVERGED = (
    "convergence NOT achieved",  # Quantum ESPRESSO
    "SCF run NOT converged",  # CP2K
)
"""Regular expressions; an output file with one of them is from an unconverged calculation."""


class Oracle:
    """A reference method: labels structures in its own processes, several at a time.

    Arguments
    ---------
    calculator : import path of an ASE calculator ("ase.calculators.emt.EMT"), or a calculator
        object, a class, or a function without arguments that makes one. Objects must be picklable
        and importable in another process: not made in the main script's own classes.
    arguments : keyword arguments for an import path; a table with the key "class" is made first
    workers : labels computed at the same time, 1 by default; with a scheduler as many as its
        cluster has workers
    timeout : seconds for one label, None for no limit
    max_force : eV/A; a label with a larger force component is not admitted
    max_failures : so many failures in a row stop the loop: the oracle is gone
    stress : whether stresses are asked for (where the calculator has them)
    unconverged : regular expressions that mark the output files of unconverged calculations
    environment : environment variables of the labelling processes
    keep_files : keep the files of calculations that went well too
    executor : anything with submit(function, argument) that returns futures, a Dask client for
        instance; default is a pool of threads that wait for processes on this machine
    scheduler : address of a Dask scheduler whose workers compute the labels; they must see the
        same files, and modules from the same places

    Raises
    ------
    GapyError : a setting of the wrong kind or range, an object that cannot be pickled
    """

    def __init__(
        self,
        calculator,
        arguments: dict | None = None,
        *,
        workers: int | None = None,
        timeout: float | None = None,
        max_force: float = 100.0,
        max_failures: int = 5,
        stress: bool = True,
        unconverged: Sequence[str] = UNCONVERGED,
        environment: dict[str, str] | None = None,
        keep_files: bool = False,
        executor: Executor | None = None,
        scheduler: str | None = None,
    ):
        self.workers = None if workers is None else whole("workers", workers, least=1)
        self.timeout = None if timeout is None else real("timeout", timeout, "s", above=0.0)
        self.max_force = real("max_force", max_force, "eV/A", above=0.0)
        self.max_failures = whole("max_failures", max_failures, least=1)
        if executor is not None and scheduler is not None:
            raise GapyError("scheduler: has no effect with executor; leave one of the two out")
        if scheduler is not None and not isinstance(scheduler, str):
            raise GapyError(f"scheduler: expected an address, got {scheduler!r}")
        self.executor, self.scheduler = executor, scheduler
        self._pool: _Pool | ClusterPool | None = None
        stated = _stated(calculator, arguments)
        self.settings = _described(calculator, arguments, stress)
        self._spec = pickle.dumps(
            {
                **stated,
                "stress": bool(stress),
                "unconverged": tuple(unconverged),
                "environment": {str(k): str(v) for k, v in (environment or {}).items()},
                "keep_files": bool(keep_files),
                "paths": [str(Path(p or ".").resolve()) for p in sys.path] if scheduler else [],
            }
        )

    @property
    def fingerprint(self) -> str:
        """Hash of what a label depends on beside the structure."""
        return hashlib.sha256(self.settings.encode()).hexdigest()

    def key(self, request: Request) -> str:
        """Hash of the structure and of the reference method: equal for equal labels."""
        digest = hashlib.sha256(self.fingerprint.encode())
        for array, kind in (
            (request.numbers, np.int64),
            (request.positions, np.float64),
            (request.cell, np.float64),
            (request.pbc, np.uint8),
        ):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        if request.charge:
            digest.update(np.array(request.charge).tobytes())
        if request.moments is not None and request.moments.any():
            # All turned around they have the same label: no reference method knows up from down.
            moments = one_way(np.asarray(request.moments, dtype=float)) + 0.0  # no -0.0
            digest.update(np.ascontiguousarray(moments).tobytes())
        return digest.hexdigest()

    def label(
        self,
        requests: Sequence[Request],
        directory: Path,
        *,
        go_on: Callable[[], bool] = lambda: True,
    ) -> Iterator[tuple[int, Label | Failure]]:
        """Outcomes of the requests as they come: (position in `requests`, outcome).

        No more requests are begun once `go_on()` is false. Files of failed calculations stay in
        `directory`.

        Raises
        ------
        OracleError : the calculator cannot be made
        """
        pool = self._own_pool()
        most = self.workers or pool.size
        done: queue.SimpleQueue = queue.SimpleQueue()
        waiting = list(enumerate(requests))[::-1]
        active = 0
        while waiting or active:
            while waiting and active < most and go_on():
                k, request = waiting.pop()
                place = Path(directory).resolve() / self.key(request)[:16]
                future = pool.submit(
                    job_of(request, self._spec, place, self.timeout, self.max_force)
                )
                future.add_done_callback(lambda f, k=k: done.put((k, f)))
                active += 1
            if not active:
                return
            k, future = done.get()
            active -= 1
            yield k, pool.result(future)

    def close(self) -> None:
        """End the labelling processes that this object started, whatever they are doing."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _own_pool(self) -> _Pool | ClusterPool:
        # Kept from batch to batch: a labelling process takes a second to start.
        if self._pool is None:
            if self.scheduler is not None:
                self._pool = ClusterPool(self.scheduler, self._spec)
            else:
                self._pool = _Pool(self._spec, self.executor, self.workers or 1)
        return self._pool

    def check(self) -> None:
        """Make the calculator once, in a process that is ended again.

        Raises
        ------
        OracleError : the calculator cannot be made
        GapyError : no scheduler answers
        """
        if self.executor is None:  # elsewhere there may be other packages than here
            try:
                self._own_pool().check()
            finally:
                self.close()


class _Pool:
    """Threads that wait for labelling processes of this machine, or somebody's executor."""

    def __init__(self, spec: bytes, executor: Executor | None, size: int):
        self.size = size
        self._spec = spec
        self._executor = executor or ThreadPoolExecutor(size)
        self._is_own = executor is None

    def submit(self, job: Job):
        return self._executor.submit(run_job, job)

    @staticmethod
    def result(future) -> Label | Failure:
        return future.result()

    def check(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            WorkerProcess(self._spec, Path(directory)).kill()

    def close(self) -> None:
        # Killed first: the threads of the pool wait for these processes.
        stop_workers(self._spec)
        if self._is_own:
            self._executor.shutdown(cancel_futures=True)
            stop_workers(self._spec)  # what a thread began in between


def _stated(calculator, arguments: dict | None) -> dict:
    """The calculator as plain data for another process."""
    if isinstance(calculator, str):
        return {"path": calculator, "arguments": arguments or {}}
    if arguments:
        raise GapyError(
            "arguments: expected with an import path only; give a function that makes the "
            "calculator instead"
        )
    if not (callable(calculator) or hasattr(calculator, "get_property")):
        raise GapyError(
            f"calculator: expected an import path, an ASE calculator or a function that makes one, "
            f"got {calculator!r:.80}"
        )
    home = getattr(calculator, "__module__", type(calculator).__module__)
    name = getattr(calculator, "__qualname__", type(calculator).__qualname__)
    try:
        pickled = pickle.dumps(calculator)
    except Exception as error:
        raise GapyError(
            f"calculator: {name} cannot be pickled, so no labelling process can have it "
            f"({error}); give an import path, or a function of a module"
        ) from error
    if home == "__main__":
        raise GapyError(
            f"calculator: {name} is defined in the main script, where no labelling process can "
            "import it from; put it into a module of its own"
        )
    return {"pickled": pickled}


def _described(calculator, arguments: dict | None, stress: bool) -> str:
    """Canonical text of the reference method, for hashes and for the store."""
    if isinstance(calculator, str):
        return json.dumps(
            {"calculator": calculator, "arguments": arguments or {}, "stress": bool(stress)},
            sort_keys=True,
            default=str,
        )
    kind = calculator if callable(calculator) else type(calculator)
    name = getattr(kind, "__qualname__", type(kind).__qualname__)
    parameters = getattr(calculator, "parameters", None)
    return json.dumps(
        {
            "calculator": f"{getattr(kind, '__module__', '?')}.{name}",
            "arguments": dict(parameters) if parameters else {},
            "stress": bool(stress),
        },
        sort_keys=True,
        default=str,
    )


__all__ = ["UNCONVERGED", "Oracle", "OracleError"]
