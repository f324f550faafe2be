"""The kernel of zeta = 2 as one matrix, formed without the rounding of its large terms.

    sum_s alpha_s (x . x_s)^2 = x^T Q x,     Q = sum_s alpha_s x_s x_s^T

The coefficients alpha reach a million times the energy and cancel in Q. Summed plainly, Q would
carry the rounding of the terms; so its factors are cut into slices of few bits, whose products
are exact in double precision, and what cancels does so without error. Source: Ozaki, Ogita, Oishi
and Rump, Numer. Algorithms 59, 95 (2012).
"""

from __future__ import annotations

import numpy as np

SLICES = 3
"""Enough for all 53 bits of a number at 21 bits (up to 2048 points) each."""


def quadratic_form(x_sd: np.ndarray, alpha_s: np.ndarray) -> np.ndarray:
    """Q (D, D) from inducing points x_sd (M, D) and coefficients alpha_s (M,)."""
    # A product of two slices has twice their bits, and log2(M) more when M of them are added.
    bits = int(53 - np.ceil(np.log2(max(len(x_sd), 2)))) // 2
    weighted = _slices(x_sd.T * alpha_s, bits, axis=1)
    points = _slices(x_sd, bits, axis=0)
    out = np.zeros((x_sd.shape[1], x_sd.shape[1]))
    # Small products first.
    for order in range(2 * SLICES - 2, -1, -1):
        for k in range(max(0, order - SLICES + 1), min(order, SLICES - 1) + 1):
            out += weighted[k] @ points[order - k]
    return 0.5 * (out + out.T)


def _slices(matrix: np.ndarray, bits: int, axis: int) -> list[np.ndarray]:
    """Matrices that add up to `matrix`, each with `bits` bits below its largest entry on `axis`."""
    rest, out = matrix, []
    for _ in range(SLICES):
        largest = np.abs(rest).max(axis=axis, keepdims=True)
        exponent = np.frexp(largest)[1]
        # Adding and taking off a large number leaves the leading bits.
        big = np.ldexp(0.75, exponent + 54 - bits)
        out.append((rest + big) - big)
        rest = rest - out[-1]
    return out
