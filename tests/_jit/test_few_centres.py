"""Energies and gradients of a few centres against the formula in numpy."""

import numpy as np
import pytest

from gapy._jit.few_centres import few_centres, few_squares


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
    norm_i = np.linalg.norm(x_id, axis=1)
    for n_columns in (0, n_points):
        given, eps_i, inv_norm_i = x_id.copy(), np.full(n_centres, np.nan), np.empty(n_centres)
        g_id, t_is = np.full(x_id.shape, np.nan), np.full((n_centres, n_columns), np.nan)
        few_centres(given, x_sd, alpha_s, zeta, inv_norm_i, eps_i, g_id, t_is)
        np.testing.assert_allclose(inv_norm_i, 1.0 / norm_i)
        np.testing.assert_allclose(given, x_id / norm_i[:, None])
        np.testing.assert_allclose(t_is, given @ x_sd[:n_columns].T, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(eps_i, expected[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(g_id, expected[1], rtol=1e-10, atol=1e-12)


def test_an_empty_environment_has_no_energy_and_no_slope():
    x_id, inv_norm_i, eps_i, g_id = np.zeros((1, 9)), np.ones(1), np.empty(1), np.empty((1, 9))
    points, none = np.ones((3, 9)) / 3.0, np.empty((1, 0))
    few_centres(x_id, points, np.ones(3), 2, inv_norm_i, eps_i, g_id, none)
    assert eps_i[0] == 0.0 and inv_norm_i[0] == 0.0 and not g_id.any()


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize(("n_centres", "n_rows", "n_leading"), [(1, 1, 0), (3, 9, 4), (8, 20, 20)])
def test_squares_equal_the_formula(lower, n_centres, n_rows, n_leading):
    rng = np.random.default_rng(n_rows)
    factor = rng.normal(size=(n_rows, n_rows))
    factor = np.asfortranarray(np.tril(factor) if lower else np.triu(factor))
    t_is = rng.uniform(-1, 1, (n_centres, n_rows + 3))  # of more points than the factor covers
    expected = (factor @ (t_is[:, :n_rows] ** 3).T) ** 2
    square_i, leading_i = np.empty((2, n_centres))
    few_squares(t_is, 3, factor.T, lower, n_leading, square_i, leading_i)
    np.testing.assert_allclose(square_i, expected.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(leading_i, expected[:n_leading].sum(axis=0), rtol=1e-12)
