"""BLAS thread limits: blocks of atoms run in parallel, so BLAS stays single-threaded inside."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded BLAS libraries takes milliseconds; setting their threads does not.
    import scipy.linalg  # noqa: F401  (its BLAS must be loaded before it can be found)

    return ThreadpoolController()


def blas_threads(n: int):
    """Context in which numpy's and scipy's BLAS use `n` threads."""
    return _controller().limit(limits=n, user_api="blas")
