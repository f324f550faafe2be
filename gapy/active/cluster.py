"""Labels computed by the workers of a Dask cluster."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gapy.active.labels import Failure, Label
from gapy.active.process import Job, WorkerProcess, run_job, stop_workers
from gapy.distributed.cluster import client_of


class ClusterPool:
    """Each Dask worker has a labelling process of its own, as the loop has on its machine.

    Raises GapyError without Dask, or where no scheduler answers at `address`.
    """

    def __init__(self, address: str, spec: bytes):
        self._spec = spec
        self._client = client_of(address)

    @property
    def size(self) -> int:
        """Workers of the cluster, 1 while it has none."""
        return max(1, len(self._client.nthreads()))

    def submit(self, job: Job):
        """A future of the outcome of a job."""
        return self._client.submit(run_job, job, pure=False)

    @staticmethod
    def result(future) -> Label | Failure:
        """What came of it; a job with which worker after worker is lost has crashed."""
        from distributed.scheduler import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            lost = error.allowed_failures + 1
            return Failure("crashed", f"{lost} Dask workers were lost with it", 0.0)

    def check(self) -> None:
        """Make the calculator on a worker; OracleError if that fails there."""
        self._client.submit(_made, self._spec, pure=False).result()

    def close(self) -> None:
        """End the labelling processes of all workers, and leave the cluster."""
        if self._client.status == "running":
            self._client.run(stop_workers, self._spec)
        self._client.close()


def _made(spec: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        WorkerProcess(spec, Path(directory)).kill()
