"""Arrays that begin at a cache line, so that a vector of eight doubles never lies across two.

A load or store across two lines costs two.
"""

import math

import numpy as np

from gapy._jit.settings import njit
from gapy._jit.vector import LANES

_DOUBLE = 8


@njit(cache=True, nogil=True)
def aligned(n):
    """n doubles of undefined content, for use within compiled code."""
    room = np.empty(n + LANES)
    skip = -(room.ctypes.data // _DOUBLE) % LANES
    return room[skip : skip + n]


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """As numpy.empty of doubles."""
    return aligned(math.prod(shape)).reshape(shape)  # asking numpy for the address takes longer


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """The same doubles in an aligned array."""
    out = aligned_empty(array.shape)
    out[...] = array
    return out
