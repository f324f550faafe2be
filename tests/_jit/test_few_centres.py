"""Energies and gradients of a few centres against the formula in numpy."""

import numpy as np
import pytest

from gapy._jit.few_centres import few_centres


def plain(x_id, x_sd, alpha_s, zeta):
    """eps_i = sum_s alpha_s (x . x_s / |x|)^zeta and its gradient with respect to x."""
    norm = np.linalg.norm(x_id, axis=1, keepdims=True)
    xh = x_id / norm
    t = xh @ x_sd.T
    slope = (zeta * t ** (zeta - 1) * alpha_s) @ x_sd
    return (t**zeta) @ alpha_s, (slope - (slope * xh).sum(axis=1, keepdims=True) * xh) / norm


@pytest.mark.parametrize("n_centres", [1, 2, 3, 8])
@pytest.mark.parametrize("n_points", [1, 2, 7, 20])
@pytest.mark.parametrize("n_features", [1, 7, 8, 21])
@pytest.mark.parametrize("zeta", [1, 2, 4])
def test_equal_to_the_formula(n_centres, n_points, n_features, zeta):
    rng = np.random.default_rng(n_centres + 10 * n_points + 100 * n_features)
    x_id, x_sd = rng.normal(size=(n_centres, n_features)), rng.normal(size=(n_points, n_features))
    x_sd /= np.linalg.norm(x_sd, axis=1, keepdims=True)
    alpha_s = rng.normal(size=n_points)
    expected = plain(x_id, x_sd, alpha_s, zeta)
    given, eps_i, g_id = x_id.copy(), np.full(n_centres, np.nan), np.full(x_id.shape, np.nan)
    few_centres(given, x_sd, alpha_s, zeta, eps_i, g_id)
    np.testing.assert_allclose(given, x_id / np.linalg.norm(x_id, axis=1, keepdims=True))
    np.testing.assert_allclose(eps_i, expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(g_id, expected[1], rtol=1e-10, atol=1e-12)


def test_an_empty_environment_has_no_energy_and_no_slope():
    x_id, eps_i, g_id = np.zeros((1, 9)), np.empty(1), np.empty((1, 9))
    few_centres(x_id, np.ones((3, 9)) / 3.0, np.ones(3), 2, eps_i, g_id)
    assert eps_i[0] == 0.0 and not g_id.any()
