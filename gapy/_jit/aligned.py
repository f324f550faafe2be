"""Arrays that begin at a cache line, so that a vector of eight numbers never lies across two.

A load or store across two lines costs two.
"""

import math

import numpy as np

from gapy._jit.settings import njit

_LINE = 64
"""Bytes."""
_DOUBLES = np.empty(0)


@njit(cache=True, nogil=True)
def aligned(n, like):
    """n numbers of undefined content, of the type of `like`, for use within compiled code."""
    size = like.itemsize
    room = np.empty(n + _LINE // size, like.dtype)
    skip = -(room.ctypes.data // size) % (_LINE // size)
    return room[skip : skip + n]


def aligned_empty(shape: tuple[int, ...], like: np.ndarray = _DOUBLES) -> np.ndarray:
    """As numpy.empty, of the type of `like`."""
    # Asking numpy for the address takes longer.
    return aligned(math.prod(shape), like).reshape(shape)


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """The same numbers in an aligned array."""
    out = aligned_empty(array.shape, array.ravel())
    out[...] = array
    return out
