"""Inducing points: how they are chosen, and how many."""

import numpy as np
import pytest
from dense_gp import METHODS, frames, regressor

from gapy.errors import GapyError
from gapy.gp import selection
from gapy.gp.terms import normalised


@pytest.mark.parametrize("method", METHODS)
def test_selection_is_distinct_bounded_and_reproducible(method):
    x = normalised(np.random.default_rng(0).normal(size=(60, 5)) + 2.0)
    for n in (1, 7, 60, 500):
        chosen, again = (
            selection.select(x, n, 2, method, np.random.default_rng(5)) for _ in range(2)
        )
        np.testing.assert_array_equal(chosen, again)
        assert len(set(chosen.tolist())) == len(chosen) <= min(n, 60)
        assert chosen.min() >= 0 and chosen.max() < 60
        if n <= 7 and method != "kmeans":
            assert len(chosen) == n
    assert len(selection.select(x, 7, 2, method, np.random.default_rng(5))) >= 1


@pytest.mark.parametrize("method", METHODS)
def test_selection_drops_repeated_and_zero_rows(method):
    base = normalised(np.random.default_rng(1).normal(size=(4, 5)))
    x = np.vstack([np.zeros((2, 5)), np.repeat(base, 6, axis=0)])
    chosen = selection.select(x, 20, 2, method, np.random.default_rng(0))
    assert x[chosen].any(axis=1).all()
    assert len(np.unique(np.round(x[chosen], 6), axis=0)) == len(chosen) <= 4
    if method != "kmeans":
        assert len(chosen) == 4
    assert len(selection.select(np.zeros((3, 5)), 2, 2, method, np.random.default_rng(0))) == 1


def test_choice_in_blocks_is_that_of_one_point_after_the_other():
    rng = np.random.default_rng(4)
    x = rng.random((900, 7)) + 0.3
    x /= np.linalg.norm(x, axis=1)[:, None]
    k = (x @ x.T) ** 3
    first = int(np.argmin(((x - x.mean(axis=0)) ** 2).sum(axis=1)))
    expected, residual = [first], k - np.outer(k[first], k[first]) / k[first, first]
    while len(expected) < 70:  # 84 cubic forms of 7 variables span all of it
        pivot = int(np.argmax(np.diag(residual)))
        residual = residual - np.outer(residual[pivot], residual[pivot]) / residual[pivot, pivot]
        expected.append(pivot)
    chosen = selection.pivoted_cholesky(x, 70, 3, rng)
    assert chosen.tolist() == expected


def test_pivoted_cholesky_is_greedy_in_the_unexplained_variance():
    x = normalised(np.random.default_rng(2).normal(size=(40, 4)))
    chosen = selection.select(x, 6, 3, "cholesky", np.random.default_rng(0))
    k = (x @ x.T) ** 3
    for step in range(1, 6):
        s = chosen[:step]
        explained = k[:, s] @ np.linalg.solve(k[np.ix_(s, s)], k[s])
        residual = np.diag(k - explained)
        assert residual[chosen[step]] == pytest.approx(residual.max(), abs=1e-9)


def test_farthest_point_is_greedy_in_the_distance():
    x = normalised(np.abs(np.random.default_rng(2).normal(size=(40, 4))))
    chosen = selection.select(x, 6, 2, "farthest", np.random.default_rng(0))
    k = (x @ x.T) ** 2
    for step in range(1, 6):
        nearest = k[:, chosen[:step]].max(axis=1)
        assert nearest[chosen[step]] == pytest.approx(nearest.min())


def test_selection_errors():
    x = np.eye(3)
    with pytest.raises(GapyError, match=r"selection: expected one of \['cholesky'.*got 'best'"):
        selection.select(x, 2, 2, "best", np.random.default_rng(0))
    with pytest.raises(GapyError, match="n_inducing: expected at least 1, got 0"):
        selection.select(x, 0, 2, "random", np.random.default_rng(0))


@pytest.mark.parametrize("method", METHODS)
def test_every_selection_fits(method):
    training = frames(6, seed=20)
    gp = regressor(selection=method, n_inducing=8).fit(training)
    again = regressor(selection=method, n_inducing=8).fit(training)
    np.testing.assert_array_equal(gp.potential_.posterior.alpha, again.potential_.posterior.alpha)
    assert all(len(x) <= 8 for x in gp.potential_.terms[0].inducing)
    assert gp.score(training) > 0.5


def test_inducing_points_per_species():
    training = frames(6, seed=21)
    gp = regressor(n_inducing={"Si": 3, "C": 5}).fit(training)
    by_species = dict(
        zip(gp.potential_.terms[0].descriptor.species, gp.potential_.terms[0].inducing)
    )
    assert {z: len(x) for z, x in by_species.items()} == {14: 3, 6: 5}
    by_number = regressor(n_inducing={14: 3, 6: 5}).fit(training)
    np.testing.assert_array_equal(
        gp.potential_.posterior.alpha, by_number.potential_.posterior.alpha
    )
    with pytest.raises(GapyError, match=r"expected a number for C, got keys \['Si'\]; add it"):
        regressor(n_inducing={"Si": 3}).fit(training)


def test_the_seed_decides():
    training = frames(8, seed=22)
    first, same, other = (
        regressor(selection="random", n_inducing=5, seed=s).fit(training) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.potential_.posterior.alpha, same.potential_.posterior.alpha)
    assert first.potential_.calibration == same.potential_.calibration
    assert not np.array_equal(
        first.potential_.terms[0].inducing[0], other.potential_.terms[0].inducing[0]
    )


def test_threads_do_not_change_the_fit():
    training = frames(8, seed=23)
    one, two = (regressor(threads=t).fit(training) for t in (1, 2))
    np.testing.assert_allclose(
        one.potential_.posterior.alpha, two.potential_.posterior.alpha, rtol=1e-6, atol=1e-8
    )


def test_reservoir_is_uniform_and_bounded():
    counts = np.zeros(20)
    for seed in range(400):
        pool = selection.Reservoir(5, 1, np.random.default_rng(seed))
        stream = np.arange(20.0)[:, None]
        for part in np.split(stream, [3, 4, 11]):
            pool.add(part)
        rows = pool.rows()
        assert rows.shape == (5, 1)
        assert len(np.unique(rows)) == 5
        counts[rows.ravel().astype(int)] += 1
    # 400 draws with probability 1/4 each: 100 expected, standard deviation 8.7.
    assert np.abs(counts - 100).max() < 4 * 8.7


def test_reservoir_keeps_short_streams_and_repeats_for_a_seed():
    stream = np.random.default_rng(0).normal(size=(30, 2))
    pool = selection.Reservoir(50, 2, np.random.default_rng(1))
    pool.add(stream[:10])
    pool.add(stream[10:])
    np.testing.assert_array_equal(pool.rows(), stream)
    pools = [selection.Reservoir(7, 2, np.random.default_rng(3)) for _ in range(2)]
    for pool in pools:
        pool.add(stream)
        assert pool.rows().shape == (7, 2)
    np.testing.assert_array_equal(pools[0].rows(), pools[1].rows())
    assert selection.Reservoir(7, 2, np.random.default_rng(3)).rows().shape == (0, 2)
