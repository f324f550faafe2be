"""BLAS thread limits: blocks of atoms run in parallel, so BLAS stays single-threaded inside."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded BLAS libraries takes milliseconds; setting their threads does not.
    import scipy.linalg  # noqa: F401  (its BLAS must be loaded before it can be found)

    return ThreadpoolController()


@cache
def _blas() -> tuple:
    return tuple(lib for lib in _controller().lib_controllers if lib.user_api == "blas")


_AS_IT_IS = nullcontext()


def blas_threads(n: int):
    """Context in which numpy's and scipy's BLAS use `n` threads."""
    for lib in _blas():
        if lib.num_threads != n:
            return _controller().limit(limits=n, user_api="blas")
    return _AS_IT_IS  # an MD step of few atoms would notice the calls


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
