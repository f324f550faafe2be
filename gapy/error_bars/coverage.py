"""How wide error bars must be for a share of the errors of new structures to lie within them.

Errors of one structure are alike, so that K left-out structures are K observations, however many
atoms they have, and a new structure is one more, of which nothing is known yet. With F(q) the share
of the left-out ratios |e| / sigma that are at most q, all structures pooled,

    factor = q / 1.645,     K / (K + 1) F(q) = 0.90

takes the ratios of the new one for larger than all others, and covers 90 % or a little more. The
quantile itself, F(q) = 0.90, covers less: of structures of one ratio each, 0.90 K / (K + 1) in the
mean. Source: Lee, Barber and Willett, arXiv:2306.06342 (2023); there all structures have the same
weight, here all labels.
"""

from __future__ import annotations

import numpy as np

COVERED, WITHIN = 0.90, 1.64485
"""Share of the errors that shall lie within so many sigmas, as with a normal distribution. Errors
have longer tails, so that one factor cannot be right for all shares; this one is far enough out to
matter and has enough errors beyond it to be measured."""

FEWEST_STRUCTURES = 20
"""As so many count fewer of them: of nine or less the largest ratio of all would be the factor."""


def covering_factor(ratios, n_structures: int) -> float:
    """Factor for sigma from left-out ratios |e| / sigma, of any shape, of so many structures."""
    level = COVERED * (1.0 + 1.0 / max(n_structures, FEWEST_STRUCTURES))
    return float(np.quantile(ratios, level, method="inverted_cdf")) / WITHIN
