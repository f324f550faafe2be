"""Symmetric matrices of moments, of which the part on and right of the diagonal is read once."""

from gapy._jit.settings import FAST, njit


@njit(cache=True, nogil=True, fastmath=FAST)
def add_scaled(s_ij, weight, d_i, total_ij):
    """Add weight d_i s_ij d_j to the part i <= j of `total_ij`."""
    for i in range(s_ij.shape[0]):
        w = weight * d_i[i]
        for j in range(i, s_ij.shape[0]):
            total_ij[i, j] += w * s_ij[i, j] * d_i[j]


@njit(cache=True, nogil=True, fastmath=FAST)
def trace_and_square(s_ij, p_ij, d_i, v_i):
    """sum_ij d_i p_ij d_j s_ij and v . s v, where of p and s only i <= j is looked at."""
    trace, square = 0.0, 0.0
    for i in range(s_ij.shape[0]):
        row, along = 0.0, 0.0
        for j in range(i + 1, s_ij.shape[0]):
            row += p_ij[i, j] * d_i[j] * s_ij[i, j]
            along += v_i[j] * s_ij[i, j]
        trace += d_i[i] * (2.0 * row + p_ij[i, i] * d_i[i] * s_ij[i, i])
        square += v_i[i] * (2.0 * along + v_i[i] * s_ij[i, i])
    return trace, square
