"""Greedy choice of points: pivots of a Cholesky factorisation, largest remaining variance first.

Source: Fine and Scheinberg, J. Mach. Learn. Res. 2, 243 (2001).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Pivots(NamedTuple):
    """Indices in the order of the choice, and the variance that each had when it was chosen."""

    chosen: list[int]
    variances: list[float]


def pivots(
    variance: np.ndarray, covariance_with: Callable[[int], np.ndarray], most: int, least
) -> Pivots:
    """At most `most` pivots of a covariance matrix whose rows are asked for one by one.

    Arguments
    ---------
    variance : (n,) its diagonal
    covariance_with : covariance_with(p) is row p, (n,)
    least : number or (n,); what keeps a smaller remaining variance is not chosen
    """
    left = np.array(variance, dtype=float)
    factor_ki = np.empty((min(most, len(left)), len(left)))
    chosen: list[int] = []
    variances: list[float] = []
    while len(chosen) < len(factor_ki):
        open_to = np.where(left >= least, left, -np.inf)
        p = int(np.argmax(open_to))
        if not np.isfinite(open_to[p]):
            break
        k = len(chosen)
        factor_ki[k] = covariance_with(p) - factor_ki[:k, p] @ factor_ki[:k]
        factor_ki[k] /= np.sqrt(left[p])
        chosen.append(p)
        variances.append(float(left[p]))
        left -= factor_ki[k] ** 2
        left[p] = -np.inf
    return Pivots(chosen, variances)


def pivots_of(covariance: np.ndarray, most: int, least) -> list[int]:
    """Pivots of a covariance matrix at hand."""
    return pivots(np.diag(covariance), covariance.__getitem__, most, least).chosen
