"""The kernel of a term at delta = 1: k(i, j) = (xh_i . xh_j)^zeta of normalised descriptors."""

from __future__ import annotations

import numpy as np


def dot_product(x_id: np.ndarray, y_jd: np.ndarray, zeta: int) -> np.ndarray:
    """k (i, j) of two sets of normalised descriptors; y_jd may be a single one (D,)."""
    return (x_id @ y_jd.T) ** zeta


def prior(x_id: np.ndarray, zeta: int) -> np.ndarray:
    """k(i, i) of normalised descriptors (n, D): 1, or 0 for a descriptor of zeros."""
    return np.einsum("id,id->i", x_id, x_id) ** zeta
