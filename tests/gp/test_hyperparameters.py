"""Learnt noise and prior scale: the likelihood and its maximum."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from helpers import BARE, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from gapy._support.threads import blas_threads
from gapy.gp import posterior
from gapy.gp.hyperparameters import LIMITS, SMALL, SPREAD, maximise_likelihood
from gapy.gp.likelihood import DELTA_LIMITS, Likelihood, group_moments, maximise
from gapy.gp.noise import Noise
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import Term, blocks, cholesky_factors, normalised
from gapy.gp.whitening import whitened

GROUPS = (
    Group("energy", "solid"), Group("energy", "liquid"), Group("forces", "solid"),
    Group("forces", "liquid"),
    Group("stress", "solid"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    """The matrices are small: threads would only wait for one another."""
    with blas_threads(1):
        yield


class Problem:
    """Two terms of two species each, with rows and labels in plain arrays.

    counts: labels of each of GROUPS; silent: blocks on which no row depends, without: {number of a
    group: blocks on which none of its rows does}.
    """

    def __init__(self, rng, counts, delta=((1.0, 1.0), (1.0, 1.0)), silent=(), without=None):
        self.terms = tuple(
            Term(BARE, 2, tuple(normalised(rng.normal(size=(m, 9))) for m in sizes), deltas)
            for sizes, deltas in zip(((6, 4), (5, 3)), delta)
        )
        self.table = blocks(self.terms)
        self.cholesky = cholesky_factors(self.terms)
        self.rows = {k: rng.normal(size=(n, self.table[-1].stop)) for k, n in zip(GROUPS, counts)}
        for g, rows in enumerate(self.rows.values()):
            for b in (*silent, *(without or {}).get(g, ())):
                rows[:, self.table[b].columns] = 0.0
        self.rng = rng

    def labels(self, sigma_of):
        """Labels drawn from the model: alpha from the prior, noise of each group."""
        alpha = np.concatenate(
            [
                b.delta * scipy.linalg.solve_triangular(
                    lower, self.rng.normal(size=len(lower)), lower=True, trans="T"
                )
                for b, lower in zip(self.table, self.cholesky)
            ]
        )  # fmt: skip
        return {
            key: rows @ alpha + sigma_of(*key) * self.rng.normal(size=len(rows))
            for key, rows in self.rows.items()
        }

    def statistic(self, labels, weight=1.0):
        out = SufficientStatistic(self.table[-1].stop)
        for group, rows in self.rows.items():
            out.add(group, whitened(self.table, self.cholesky, rows), labels[group], weight)
        return out

    def likelihood(self, statistic, groups):
        return Likelihood(self.table, group_moments(statistic, groups))


SIZES = (7, 5, 30, 24, 12)
KINDS_OF = [[GROUPS[0], GROUPS[1]], [GROUPS[2]], [GROUPS[3]], [GROUPS[4]]]
ABSENT = st.sampled_from([{}, {0: (0, 1), 2: (3,), 3: (0, 3), 4: (1, 2)}, {0: (2,), 1: (3,)}])
"""Groups of structures without some species."""


@given(seeds, st.sampled_from([0.1, 1.0, 10.0]), ABSENT)
@settings(max_examples=20)
def test_gradient_equals_finite_differences(seed, scale, absent):
    rng = np.random.default_rng(seed)
    problem = Problem(rng, SIZES, without=absent)
    statistic = problem.statistic(problem.labels(lambda *key: 0.3))
    likelihood = problem.likelihood(statistic, KINDS_OF)
    x = np.concatenate([rng.normal(-1.0, 0.7, 4), np.log(scale) + rng.normal(0.0, 0.7, 4)])

    value, sigma, delta = likelihood.value_and_gradient(x[:4], x[4:])
    h = 1e-4
    for k, slope in enumerate([*sigma, *delta]):
        step = np.zeros(8)
        step[k] = h
        up, down = (
            likelihood.value_and_gradient((y := x + s)[:4], y[4:])[0] for s in (step, -step)
        )
        assert (up - down) / (2 * h) == pytest.approx(slope, rel=1e-5, abs=1e-6 * abs(value))


@pytest.mark.parametrize("seed", range(4))
def test_search_ends_where_one_in_plain_lengths_does(seed):
    """Five energies beside thousands of forces, whose curvatures differ by as much."""
    rng = np.random.default_rng(seed)
    problem = Problem(rng, (5, 5, 2000, 1500, 40))
    truth = {"energy": 0.03, "forces": 0.4, "stress": 0.1}
    likelihood = problem.likelihood(
        problem.statistic(problem.labels(lambda kind, *_: truth[kind])), KINDS_OF
    )
    limits = np.array([[np.log(1e-4), np.log(1e2)]] * 4)
    begin = np.zeros(8)
    found = maximise(likelihood, begin[:4], begin[4:], limits)

    def plain(x):
        value, sigma, delta = likelihood.value_and_gradient(x[:4], x[4:])
        off = x[4:] - x[4:].mean()
        return value + off @ off, np.concatenate([sigma, delta + 2.0 * off])

    bounds = [*limits, *[DELTA_LIMITS] * 4]
    other = scipy.optimize.minimize(
        plain, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}
    )
    here = np.concatenate([found.log_sigma, found.log_delta])
    assert plain(here)[0] <= other.fun + 0.01
    assert (here >= np.array(bounds)[:, 0]).all() and (here <= np.array(bounds)[:, 1]).all()
    np.testing.assert_allclose(found.log_sigma[1:3], np.log(truth["forces"]), atol=0.1)


@given(seeds, st.floats(0.2, 5.0), ABSENT)
@settings(max_examples=15)
def test_value_equals_the_marginal_likelihood_of_the_fit(seed, weight, absent):
    """Differences too: so the constant is that of the row weights, whatever noise and delta."""
    rng = np.random.default_rng(seed)
    log_sigma, log_delta = rng.normal(-1.0, 1.0, 4), rng.normal(0.0, 1.0, 4)
    d = np.exp(log_delta)
    delta = ((d[0], d[1]), (d[2], d[3]))
    problem = Problem(rng, SIZES, delta=delta, without=absent)
    statistic = problem.statistic(problem.labels(lambda *key: 0.3), weight)
    sigma = {key: s for keys, s in zip(KINDS_OF, np.exp(log_sigma)) for key in keys}
    fitted = posterior.solve(problem.terms, problem.cholesky, statistic, lambda *key: sigma[key])
    value, *_ = problem.likelihood(statistic, KINDS_OF).value_and_gradient(log_sigma, log_delta)
    constant = 2.0 * sum(f.log_weight for f in statistic.factors.values())
    assert value - constant == pytest.approx(
        -2.0 * fitted.log_marginal_likelihood, rel=1e-9, abs=1e-6
    )


TRUE = dict(zip(GROUPS, (0.02, 0.05, 0.2, 0.4, 0.01)))
MANY = (300, 300, 900, 900, 300)


@pytest.mark.parametrize("start", [Noise(0.001, 0.05, 0.001), Noise(1.0, 2.0, 0.5)])
def test_noise_of_the_model_is_recovered(start):
    """Each sigma within four of its own standard deviations, sigma / sqrt(2 n)."""
    problem = Problem(np.random.default_rng(0), MANY)
    statistic = problem.statistic(problem.labels(lambda *key: TRUE[key]))
    found = maximise_likelihood(problem.terms, statistic, start)
    for key, n in zip(GROUPS, MANY):
        error = found.noise.sigma(*key) / TRUE[key] - 1.0
        assert abs(error) < 4.0 / np.sqrt(2 * n), key
    assert found.gain > 0.0


def test_scale_of_the_prior_is_recovered():
    """Three or more weights tell a delta only within a factor; a hundred-fold shift is seen."""
    true = ((0.3, 30.0), (3.0, 0.3))
    known = Problem(np.random.default_rng(1), MANY, delta=true)
    statistic = known.statistic(known.labels(lambda *key: TRUE[key]))
    from_one = tuple(Term(BARE, t.zeta, t.inducing, (1.0, 1.0)) for t in known.terms)
    found = maximise_likelihood(from_one, statistic, Noise())
    got = np.log([d for t in found.terms for d in t.delta])
    np.testing.assert_allclose(got, np.log(np.ravel(true)), atol=1.2)


def test_gain_is_the_rise_of_the_marginal_likelihood():
    problem = Problem(np.random.default_rng(2), MANY)
    statistic = problem.statistic(problem.labels(lambda *key: TRUE[key]))
    start = Noise(0.1, 0.3, 0.05)
    found = maximise_likelihood(problem.terms, statistic, start)
    before, after = (
        posterior.solve(terms, problem.cholesky, statistic, noise.sigma).log_marginal_likelihood
        for terms, noise in ((problem.terms, start), (found.terms, found.noise))
    )
    assert found.gain == pytest.approx(after - before, rel=1e-6, abs=1e-5)
    rng = np.random.default_rng(3)
    for _ in range(10):  # a maximum: no small step makes it larger, pooling of deltas apart
        near = Noise.from_dict(
            {
                **found.noise.to_dict(),
                "overrides": {
                    name: {k: v * np.exp(0.2 * rng.normal()) for k, v in values.items()}
                    for name, values in found.noise.overrides.items()
                },
            }
        )
        fitted = posterior.solve(found.terms, problem.cholesky, statistic, near.sigma)
        assert fitted.log_marginal_likelihood < after


def test_small_groups_share_one_sigma():
    counts = (SMALL - 1, SMALL - 2, 200, 200, SMALL)
    problem = Problem(np.random.default_rng(4), counts)
    statistic = problem.statistic(problem.labels(lambda *key: TRUE[key]))
    noise = maximise_likelihood(problem.terms, statistic, Noise()).noise
    assert noise.sigma("energy", "solid") == noise.sigma("energy", "liquid")
    assert noise.sigma("forces", "solid") != noise.sigma("forces", "liquid")


def test_groups_stay_near_their_kind():
    """A group with almost exact labels may not take over."""
    problem = Problem(np.random.default_rng(5), MANY)
    exact = {**TRUE, Group("forces", "solid"): 1e-3}
    statistic = problem.statistic(problem.labels(lambda *key: exact[key]))
    noise = maximise_likelihood(problem.terms, statistic, Noise()).noise
    for kind, config_type, _ in GROUPS:
        ratio = noise.sigma(kind, config_type) / getattr(noise, kind)
        assert 1.0 / SPREAD * (1 - 1e-9) <= ratio <= SPREAD * (1 + 1e-9)
    assert noise.sigma("forces", "solid") == pytest.approx(noise.forces / SPREAD)


def test_sigma_has_a_floor():
    problem = Problem(np.random.default_rng(6), MANY)
    statistic = problem.statistic(problem.labels(lambda *key: 0.0))
    noise = maximise_likelihood(problem.terms, statistic, Noise()).noise
    for kind, config_type, _ in GROUPS:
        assert noise.sigma(kind, config_type) == pytest.approx(LIMITS[kind][0], rel=1e-6)


def test_a_block_without_labels_takes_the_mean_delta():
    problem = Problem(np.random.default_rng(7), MANY, delta=((9.0, 9.0), (9.0, 1.0)), silent=(3,))
    statistic = problem.statistic(problem.labels(lambda *key: TRUE[key]))
    found = maximise_likelihood(problem.terms, statistic, Noise())
    log_delta = np.log([d for t in found.terms for d in t.delta])
    # Stationary with respect to the last one: its only slope is that towards the mean.
    assert log_delta[3] == pytest.approx(log_delta[:3].mean(), abs=0.02)
    assert log_delta[3] > np.log(3.0)


def test_noise_of_the_fit_is_never_above_that_of_its_kind():
    """Where the likelihood finds a group more exact, it is so by a share of the logarithm."""
    problem = Problem(np.random.default_rng(8), MANY)
    statistic = problem.statistic(problem.labels(lambda *key: TRUE[key]))
    found = maximise_likelihood(problem.terms, statistic, Noise())
    near = found.near_kinds(0.5)
    assert found.noise.sigma("forces", "liquid") > found.noise.forces
    assert near.sigma("forces", "liquid") == near.forces == found.noise.forces
    exact = found.noise.sigma("energy", "solid")
    assert near.sigma("energy", "solid") == pytest.approx((exact * near.energy) ** 0.5)
    assert found.near_kinds(1.0).sigma("energy", "solid") == pytest.approx(exact)
    assert found.near_kinds(0.0).sigma("energy", "solid") == pytest.approx(near.energy)


def test_scales_too_far_apart_for_rounding_are_tried_and_left():
    """Long rows, small noise and a large delta: 1 + D S D / sigma^2 is indefinite in rounding."""
    rng = np.random.default_rng(0)
    rows = 1e3 * rng.normal(size=(4, 30))
    known = problem_of_rows(rows, rng.normal(size=4))
    value, slope_sigma, slope_delta = known.value_and_gradient(np.log([1e-6]), np.log([1e3]))
    assert np.isfinite(value) and np.isfinite(slope_sigma).all() and np.isfinite(slope_delta).all()
    milder, *_ = known.value_and_gradient(np.log([1.0]), np.log([1e-3]))
    assert milder < value


def problem_of_rows(rows, y):
    """The likelihood of one group of whitened rows and one block."""
    m = rows.shape[1]
    statistic = SufficientStatistic(m)
    group = Group("energy", "default")
    statistic.add(group, rows, y)
    table = blocks((Term(BARE, 2, (np.eye(m),), (1.0,)),))
    return Likelihood(table, group_moments(statistic, [[group]]))
