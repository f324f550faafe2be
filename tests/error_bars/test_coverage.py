"""The factor of error bars that cover errors of new structures."""

import numpy as np
import pytest

from gapy.error_bars.coverage import COVERED, WITHIN, covering_factor


def covered(rng, n_structures: int, n_atoms: int, alike: float) -> float:
    """Mean share of a new structure's ratios within the factor, over many training sets."""
    shares = []
    for _ in range(1500):
        own = np.exp(alike * rng.normal(size=(n_structures + 1, 1)))
        ratios = np.abs(own * rng.normal(size=(n_structures + 1, n_atoms)))
        factor = covering_factor(ratios[1:], n_structures)
        shares.append((ratios[0] <= factor * WITHIN).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("n_structures", [25, 60])
@pytest.mark.parametrize("n_atoms, alike", [(1, 0.0), (40, 0.0), (40, 1.0)])
def test_new_structures_are_covered_from_few_left_out_ones(n_structures, n_atoms, alike):
    share = covered(np.random.default_rng(0), n_structures, n_atoms, alike)
    assert COVERED - 0.01 < share < COVERED + 1.0 / n_structures + 0.01


def test_one_ratio_each_covers_exactly():
    """The share, in the mean, is that of the rank which the factor has among the ratios."""
    ratios = np.arange(1.0, 40.0)  # 39 of them: 0.9 of 40 is the 36th
    assert covering_factor(ratios, 39) == pytest.approx(36.0 / WITHIN)


def test_the_largest_of_few_structures_does_not_decide():
    ratios = np.arange(1.0, 2001.0)
    assert covering_factor(ratios, 4) == covering_factor(ratios, 20) < 1900.0 / WITHIN
