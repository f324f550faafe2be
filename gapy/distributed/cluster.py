"""Which Dask cluster does the work, and what is said when its workers are lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gapy.errors import GapyError

RETRIES = 3
"""Times that a part is tried again after its worker was lost."""
TRIMMING = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
"""Dask makes malloc give memory back at every chance, so that rows, which come and go in large
arrays, take a quarter more time."""


@contextmanager
def cluster_client(client=None, workers: int | None = None, scheduler: str | None = None):
    """The client that was given, or one as `connected` makes it; lost workers are an error.

    Raises GapyError for more than one of the three, for fewer workers than one, and where workers
    are lost again and again with the same task.
    """
    if sum(given is not None for given in (client, workers, scheduler)) > 1:
        raise GapyError(
            "workers: expected one of client, workers and scheduler, got several; leave the others "
            "out"
        )
    if workers is not None and workers < 1:
        raise GapyError(f"workers: expected a number of at least 1, got {workers}")
    with ExitStack() as stack:
        if client is None:
            client = stack.enter_context(connected(workers, scheduler))
        with _lost_workers_named():
            yield client


@contextmanager
def connected(workers: int | None = None, scheduler: str | None = None) -> Iterator:
    """A Dask client: of a scheduler at this address, or of workers on this machine.

    Raises GapyError without Dask, or where no scheduler answers.
    """
    if scheduler is not None:
        with client_of(scheduler) as client:
            yield client
        return
    _require_dask()
    import dask
    from distributed import Client, LocalCluster

    # One thread each: kernels are compiled functions and BLAS, and sums keep their order.
    options = {"n_workers": workers or 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        dask.config.set({TRIMMING: None}),
        LocalCluster(**options) as cluster,
        Client(cluster) as client,
    ):
        yield client


def client_of(scheduler: str):
    """A client of the scheduler at an address; GapyError without Dask or where none answers."""
    _require_dask()
    from distributed import Client
    from distributed.comm import resolve_address

    try:
        # Before the client: one that fails on its address is left half made, and whichever thread
        # collects it waits for its lock.
        resolve_address(scheduler)
        return Client(scheduler, timeout=30)
    except (OSError, TimeoutError, ValueError) as error:
        raise GapyError(
            f"scheduler: expected one that answers at {scheduler!r}, got {error}; start it "
            "with dask scheduler, or correct the address"
        ) from error


def _require_dask() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise GapyError(
            'dask: work on workers needs it, and it is not installed; pip install "gapy[dask]"'
        ) from error


def held(client, value):
    """A future of `value` as a task of its own, which is done again where its worker is lost."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_itself, value, pure=False, retries=RETRIES)


def _itself(value):
    return value


@contextmanager
def _lost_workers_named() -> Iterator[None]:
    try:
        from distributed.scheduler import KilledWorker
    except ImportError:
        yield
        return
    try:
        yield
    except KilledWorker as error:
        raise GapyError(
            f"workers: {error.allowed_failures + 1} were lost with the same part of the work, most "
            "often for lack of memory; give each more of it, or make atoms_per_part smaller"
        ) from error
