"""How well one number ranks another: by order alone, whatever their scale."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def spearman(sigma: np.ndarray, error: np.ndarray) -> float | None:
    """Rank correlation; None where one of the two does not vary."""
    if len(sigma) < 2 or np.ptp(sigma) == 0.0 or np.ptp(error) == 0.0:
        return None
    return float(np.corrcoef(rankdata(sigma), rankdata(error))[0, 1])


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve, from ranks; None if all or none are positive.

    Source: Hanley and McNeil, Radiology 143, 29 (1982).
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return None
    ranks = rankdata(score)[positive].sum()
    return float((ranks - 0.5 * n_positive * (n_positive + 1)) / (n_positive * n_negative))
