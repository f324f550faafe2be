"""The sufficient statistic: posterior, likelihood, merging and memory."""

import numpy as np
import pytest
import scipy.linalg
from helpers import BARE, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from gapy.errors import GapyError
from gapy.gp import posterior
from gapy.gp.statistic import Factor, Group, SufficientStatistic
from gapy.gp.terms import JITTER, Term, blocks, cholesky_factors, normalised
from gapy.gp.whitening import whitened


def random_problem(rng, sizes=(4, 3), n_rows=30, deltas=(0.8, 1.7)):
    """Two blocks of inducing points, rows of two groups, in plain arrays."""
    inducing = tuple(normalised(rng.normal(size=(m, 7))) for m in sizes)
    terms = (Term(BARE, 2, inducing, deltas),)
    k_mm = scipy.linalg.block_diag(*[(x @ x.T) ** 2 + JITTER * np.eye(len(x)) for x in inducing])
    delta = np.repeat(deltas, sizes)
    rows, y = rng.normal(size=(n_rows, sum(sizes))), rng.normal(size=n_rows)
    group = rng.integers(0, 2, n_rows)
    weight = rng.uniform(0.3, 3.0, n_rows)
    return terms, k_mm, delta, rows, y, group, weight


SIGMAS = {Group("energy", "a"): 0.3, Group("forces", "b"): 0.7}
KEYS = tuple(SIGMAS)


def statistic_of(rows, y, group, weight, order=None, chunk=7):
    out = SufficientStatistic(rows.shape[1])
    order = np.arange(len(y)) if order is None else order
    for start in range(0, len(y), chunk):
        part = order[start : start + chunk]
        for g in (0, 1):
            take = part[group[part] == g]
            if len(take):
                out.add(KEYS[g], rows[take], y[take], weight[take])
    return out


def fitted_to(terms, rows, *rest):
    factors = cholesky_factors(terms)
    statistic = statistic_of(whitened(blocks(terms), factors, rows), *rest)
    return posterior.solve(terms, factors, statistic, sigma_of)


def noise_of(group, weight):
    return np.array([SIGMAS[k] for k in KEYS])[group] / weight


def sigma_of(*group):
    return SIGMAS[group]


@given(seeds, st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_posterior_equals_direct_least_squares(seed, n_rows):
    rng = np.random.default_rng(seed)
    terms, k_mm, delta, rows, y, group, weight = random_problem(rng, n_rows=n_rows)
    fitted = fitted_to(terms, rows, y, group, weight)
    noise = noise_of(group, weight)
    prior_precision = k_mm / np.outer(delta, delta)
    precision = prior_precision + (rows.T / noise**2) @ rows
    alpha = np.linalg.solve(precision, rows.T @ (y / noise**2))
    np.testing.assert_allclose(fitted.alpha, alpha, atol=1e-8 * max(1, np.abs(alpha).max()))
    tests = rng.normal(size=(5, rows.shape[1]))
    explained, uncertain = fitted.explained_and_posterior(tests)
    inverse = np.linalg.inv(prior_precision)
    np.testing.assert_allclose(
        explained, np.einsum("nm,mk,nk->n", tests, inverse, tests), rtol=1e-8
    )
    np.testing.assert_allclose(
        uncertain, np.einsum("nm,mn->n", tests, np.linalg.solve(precision, tests.T)), rtol=1e-8
    )


@given(seeds, st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_log_marginal_likelihood_is_that_of_the_covariance(seed, n_rows):
    rng = np.random.default_rng(seed)
    terms, k_mm, delta, rows, y, group, weight = random_problem(rng, n_rows=n_rows)
    fitted = fitted_to(terms, rows, y, group, weight)
    scaled = rows * delta
    k = scaled @ np.linalg.solve(k_mm, scaled.T)
    covariance = 0.5 * (k + k.T) + np.diag(noise_of(group, weight) ** 2)
    expected = multivariate_normal(np.zeros(n_rows), covariance, allow_singular=False).logpdf(y)
    np.testing.assert_allclose(fitted.log_marginal_likelihood, expected, rtol=1e-8, atol=1e-7)


@given(seeds, st.integers(1, 9), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_order_and_merging_do_not_matter(seed, chunk, n_rows):
    rng = np.random.default_rng(seed)
    _, _, _, rows, y, group, weight = random_problem(rng, n_rows=n_rows)
    one = statistic_of(rows, y, group, weight)
    shuffled = statistic_of(rows, y, group, weight, rng.permutation(n_rows), chunk)
    half = n_rows // 2
    left = statistic_of(rows[:half], y[:half], group[:half], weight[:half])
    right = statistic_of(rows[half:], y[half:], group[half:], weight[half:])
    untouched = {k: f.matrix().copy() for k, f in right.factors.items()}
    left.merge(right)
    for other in (shuffled, left):
        assert other.factors.keys() == one.factors.keys()
        for key, factor in one.factors.items():
            a, b = factor.matrix(), other.factors[key].matrix()
            np.testing.assert_allclose(a.T @ a, b.T @ b, atol=1e-9)
            assert len(a) <= rows.shape[1] + 1
            assert other.factors[key].n_rows == factor.n_rows
            np.testing.assert_allclose(other.factors[key].log_weight, factor.log_weight)
    for key, matrix in untouched.items():
        np.testing.assert_array_equal(right.factors[key].matrix(), matrix)


@given(seeds, st.integers(0, 2**12 - 1), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_columns_that_are_zero_are_left_out(seed, absent, chunk):
    """Parts of the rows lack some of six columns: what is gathered is that of all of them."""
    rng = np.random.default_rng(seed)
    rows, y = rng.normal(size=(90, 6)), rng.normal(size=90)
    for half in (0, 1):
        lacks = [d for d in range(6) if absent >> (6 * half + d) & 1]
        rows[45 * half : 45 * half + 45, lacks] = 0.0
    factor, other = Factor(6), Factor(6)
    for begin in range(0, 90, chunk):
        factor.add(rows[begin : begin + chunk], y[begin : begin + chunk])
    whole = np.column_stack([rows, y])
    matrix = factor.matrix()
    assert matrix.shape == (7, 7) and factor.is_triangle
    np.testing.assert_allclose(matrix.T @ matrix, whole.T @ whole, atol=1e-11)
    np.testing.assert_array_equal(matrix, np.triu(matrix))
    assert factor.seen.tolist() == whole.any(axis=0).tolist()
    assert not matrix[:, ~factor.seen].any() and not matrix[~factor.seen].any()
    other.add(rows[:45], y[:45])
    other.merge(Factor.of(factor.matrix(), 90, 0.0, triangle=True))
    twice = np.vstack([whole[:45], whole])
    both = other.matrix()
    np.testing.assert_allclose(both.T @ both, twice.T @ twice, atol=1e-11)


def test_memory_of_the_statistic_is_bounded():
    rng = np.random.default_rng(0)
    statistic = SufficientStatistic(5)
    for _ in range(50):
        statistic.add(Group("forces", "x"), rng.normal(size=(20, 5)), rng.normal(size=20))
    factor = statistic.factors[Group("forces", "x")]
    assert factor.n_rows == 1000
    assert factor.matrix().shape == (6, 6)


def test_statistics_of_other_inducing_points_do_not_merge():
    with pytest.raises(GapyError, match=r"cannot merge 4 columns into 3.*same inducing points"):
        SufficientStatistic(3).merge(SufficientStatistic(4))
