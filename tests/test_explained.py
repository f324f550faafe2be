"""Explained variances in mixed precision against the plain formula."""

import numpy as np
import pytest
import scipy.linalg

from gapy.gp.explained import FEWEST, explained
from gapy.gp.selection import select


@pytest.fixture
def model():
    """Points, Cholesky factor at delta = 1 and the triangles of variance and distance."""
    rng = np.random.default_rng(0)
    base = rng.random(24) + 0.5
    pool = base + 0.2 * rng.normal(size=(600, 24))
    pool /= np.linalg.norm(pool, axis=1)[:, None]
    points = pool[select(pool, 150, 4, "cholesky", rng)]
    k = (points @ points.T) ** 4 + 1e-10 * np.eye(150)
    lower = scipy.linalg.cholesky(k, lower=True)
    delta = 3.0
    inverse = delta * scipy.linalg.solve_triangular(lower, np.eye(150), lower=True)
    shrink = np.diag(1.0 - 10.0 ** rng.uniform(-4, -1, 150))
    spread = scipy.linalg.qr(np.sqrt(shrink) @ inverse, mode="r")[0]
    return pool, points, lower, delta, np.asfortranarray(spread), np.asfortranarray(inverse)


def test_mixed_precision_equals_the_plain_formula(model):
    pool, points, lower, delta, spread, inverse = model
    near = np.asfortranarray(inverse[:90, :90])
    k_is = (pool @ points.T) ** 4
    variance, distance, first = explained(spread, near, lower, 30).of(k_is)
    exact_variance = delta**2 - ((spread @ k_is.T) ** 2).sum(axis=0)
    exact_distance = delta**2 - ((near @ k_is[:, :90].T) ** 2).sum(axis=0)
    np.testing.assert_allclose(np.sqrt(delta**2 - variance), np.sqrt(exact_variance), rtol=1e-2)
    exact_first = delta**2 - ((near[:30, :30] @ k_is[:, :30].T) ** 2).sum(axis=0)
    for got, exact in ((distance, exact_distance), (first, exact_first)):
        far = exact > 1e-6 * delta**2
        assert far.sum() > 100
        np.testing.assert_allclose(np.sqrt(delta**2 - got[far]), np.sqrt(exact[far]), rtol=1e-2)


def test_few_points_stay_in_double_precision(model):
    *_, lower, _, spread, inverse = model
    few = np.asfortranarray(inverse[: FEWEST - 1, : FEWEST - 1])
    assert explained(spread, few, lower, 30) is None
