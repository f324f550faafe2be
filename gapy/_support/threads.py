"""BLAS thread limits: blocks of atoms run in parallel, so BLAS stays single-threaded inside."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import LibController, ThreadpoolController


@cache
def _libraries() -> list[LibController]:
    # Finding the loaded BLAS libraries takes milliseconds; setting their threads does not.
    import scipy.linalg  # noqa: F401  (its BLAS must be loaded before it can be found)

    return ThreadpoolController().select(user_api="blas").lib_controllers


class _Limit:
    """The number of BLAS threads that those inside asked for.

    It belongs to the whole process: the first to enter sets it, the last to leave restores what
    was found, and in between the smallest number holds. So who asked for one thread has its sums in
    one order, whatever other threads do meanwhile.
    """

    def __init__(self):
        self._lock = Lock()
        self._asked: list[int] = []
        self._found: list[int] = []

    def enter(self, n: int) -> None:
        with self._lock:
            if not self._asked:
                self._found = self._now = [lib.num_threads for lib in _libraries()]
            self._asked.append(n)
            self._set([min(self._asked)] * len(self._found))

    def leave(self, n: int) -> None:
        with self._lock:
            self._asked.remove(n)
            self._set([min(self._asked)] * len(self._found) if self._asked else self._found)

    def _set(self, wanted: list[int]) -> None:
        if wanted == self._now:  # an MD step of few atoms would notice the calls
            return
        for lib, n in zip(_libraries(), wanted):
            # Since 3.8, threadpoolctl lets only the thread that first set a number set the next,
            # and ignores the others; here the last to leave may be another.
            release = getattr(lib, "clear_controlling_thread", lambda force: None)
            release(force=True)
            lib.set_num_threads(n)
            release(force=True)
        self._now = wanted


_limit = _Limit()


@contextmanager
def blas_threads(n: int) -> Iterator[None]:
    """Context in which numpy's and scipy's BLAS use `n` threads.

    Threads of a program can be inside at the same time: then the smallest `n` holds.
    """
    _limit.enter(n)
    try:
        yield
    finally:
        _limit.leave(n)


@cache
def workers(threads: int) -> ThreadPoolExecutor:
    """A pool that lives as long as the process: an MD step has no time to start threads."""
    return ThreadPoolExecutor(threads)


def ordered_map(function, items, threads: int):
    """Results of function(item) in order, computed by `threads` workers a little ahead.

    Only a few results are alive at once, so memory does not grow with the number of items, and
    the order of what follows does not depend on the number of threads.
    """
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
