"""Whitened rows, and the factors they refer to as inducing points come and go."""

import numpy as np
import pytest
import scipy.linalg
from helpers import BARE, seeds
from hypothesis import given, settings

from gapy.errors import GapyError
from gapy.gp import pruning
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import JITTER, Term, blocks, cholesky_factors, normalised
from gapy.gp.whitening import extended, reduced, whitened


def problem(rng, sizes=(6, 4)):
    """Terms, factors of K_MM, and rows of labels against all points."""
    terms = (Term(BARE, 3, tuple(normalised(rng.random((m, 5))) for m in sizes), (1.0, 2.0)),)
    return terms, cholesky_factors(terms), rng.normal(size=(30, sum(sizes)))


def first(terms, *counts):
    """Terms of the first points of each species."""
    (term,) = terms
    points = tuple(x[:n] for x, n in zip(term.inducing, counts))
    return (Term(BARE, term.zeta, points, term.delta),)


def kernel(x_sd):
    return (x_sd @ x_sd.T) ** 3 + JITTER * np.eye(len(x_sd))


@given(seeds)
@settings(max_examples=15)
def test_whitened_rows_have_the_kernel_for_a_metric(seed):
    terms, factors, rows = problem(np.random.default_rng(seed))
    got = whitened(blocks(terms), factors, rows)
    k_mm = scipy.linalg.block_diag(*[kernel(x) for x in terms[0].inducing])
    np.testing.assert_allclose(got @ got.T, rows @ np.linalg.solve(k_mm, rows.T), rtol=1e-6)


@given(seeds)
@settings(max_examples=15)
def test_more_points_border_the_factors_and_keep_whitened_columns(seed):
    terms, _, rows = problem(np.random.default_rng(seed))
    # The second species has none before.
    for few in (first(terms, 3, 2), first(terms, 3, 0)):
        old = cholesky_factors(few)
        factors = extended(few, old, terms)
        for lower, x_sd in zip(factors, terms[0].inducing):
            np.testing.assert_allclose(lower @ lower.T, kernel(x_sd), atol=1e-14)
        np.testing.assert_array_equal(factors[0][:3, :3], old[0])
        before = whitened(blocks(few)[:1], old[:1], rows[:, :3])
        after = whitened(blocks(terms), factors, rows)
        np.testing.assert_allclose(after[:, :3], before, rtol=1e-12, atol=1e-12)


@given(seeds)
@settings(max_examples=15)
def test_without_points_rows_turn_to_those_of_the_rest(seed):
    rng = np.random.default_rng(seed)
    terms, factors, rows = problem(rng)
    drop = rng.choice(10, size=4, replace=False)
    keep = np.setdiff1d(np.arange(10), drop)
    fewer, turn = reduced(blocks(terms), factors, drop)
    kept = [np.delete(x, drop[(drop >= b.start) & (drop < b.stop)] - b.start, axis=0)
            for b, x in zip(blocks(terms), terms[0].inducing)]  # fmt: skip
    left = blocks((Term(BARE, 3, tuple(kept), (1.0, 2.0)),))
    for lower, b in zip(fewer, left, strict=True):
        assert (np.diag(lower) > 0.0).all()
        np.testing.assert_allclose(lower @ lower.T, kernel(b.x_sd), atol=1e-14)
    got = whitened(blocks(terms), factors, rows) @ turn
    np.testing.assert_allclose(got, whitened(left, fewer, rows[:, keep]), rtol=1e-6, atol=1e-6)


def test_pruning_takes_along_all_labels():
    terms, factors, rows = problem(np.random.default_rng(1))
    statistic = SufficientStatistic(10)
    statistic.add(Group("forces", "a"), whitened(blocks(terms), factors, rows), np.arange(30.0))
    fewer, cholesky = pruning.without(statistic, blocks(terms), factors, [0, 7])
    (factor,) = fewer.factors.values()
    assert fewer.n_columns == 8 and factor.n_rows == 30
    got = factor.matrix()[:, :-1] @ scipy.linalg.block_diag(*cholesky).T
    kept = np.delete(rows, [0, 7], axis=1)
    np.testing.assert_allclose(got.T @ got, kept.T @ kept, rtol=1e-8, atol=1e-10)


def test_new_points_that_repeat_old_ones_are_refused_by_name():
    terms, factors, _ = problem(np.random.default_rng(2))
    (term,) = terms
    twice = (Term(BARE, 3, (np.concatenate([term.inducing[0]] * 3), term.inducing[1]), (1.0, 1.0)),)
    bad = [lower * (1.0 - 1e-6) for lower in factors]
    with pytest.raises(GapyError, match="inducing points: 12 new ones are too close"):
        extended(terms, bad, twice)
