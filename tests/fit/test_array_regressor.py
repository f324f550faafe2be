"""SparseGPR on rows of numbers, against scikit-learn and against the atomistic regressor."""

import numpy as np
import pytest
from helpers import labelled_frames
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from gapy import SparseGPR, SparseGPRegressor
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError


def rows_and_targets(n: int = 60, seed: int = 0):
    """Targets that the kernel with zeta 2 and coef0 1 describes, and noise of 0.1."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    f = (5.0 * x[:, 0] * x[:, 1] - 3.0 * x[:, 2]) / (1.0 + (x**2).sum(axis=1))
    return x, 3.0 + f + 0.1 * rng.normal(size=n)


@parametrize_with_checks([SparseGPR()])
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("zeta", [1, 2, 3])
def test_equals_the_dense_process_where_the_points_span_the_kernel(zeta):
    x, y = rows_and_targets()
    x /= np.linalg.norm(x, axis=1)[:, None]
    y -= y.mean()  # the prior mean of SparseGPR
    kernel = ConstantKernel(2.0, "fixed") * DotProduct(0.0, "fixed") ** zeta
    dense = GaussianProcessRegressor(kernel, alpha=0.3**2, optimizer=None).fit(x[:40], y[:40])
    y[:40] -= y[:40].mean()
    dense.fit(x[:40], y[:40])
    sparse = SparseGPR(40, zeta=zeta, coef0=0.0, sigma=0.3, delta=2.0**0.5).fit(x[:40], y[:40])
    mean, std = sparse.predict(x[40:], return_std=True)
    expected, expected_std = dense.predict(x[40:], return_std=True)
    np.testing.assert_allclose(mean, expected, atol=1e-6)
    np.testing.assert_allclose(std, expected_std, atol=1e-6)
    lml = dense.log_marginal_likelihood(dense.kernel_.theta)
    assert sparse.log_marginal_likelihood_ == pytest.approx(lml, abs=1e-4)


def test_learnt_scales_are_the_likeliest_and_find_the_noise():
    x, y = rows_and_targets(400)
    best = SparseGPR(50).fit(x, y)
    assert 0.08 < best.sigma_ < 0.13
    for sigma, delta in ((1.1, 1.0), (0.9, 1.0), (1.0, 1.1), (1.0, 0.9)):
        other = clone(best).set_params(sigma=sigma * best.sigma_, delta=delta * best.delta_)
        assert other.fit(x, y).log_marginal_likelihood_ < best.log_marginal_likelihood_
    given = clone(best).set_params(delta=7.0).fit(x, y)
    assert given.delta_ == pytest.approx(7.0)


def test_the_unit_of_the_targets_does_not_matter():
    x, y = rows_and_targets()
    a, b = SparseGPR(30).fit(x, y), SparseGPR(30).fit(x, 1e3 * y)
    for one, other in zip(a.predict(x, return_std=True), b.predict(x, return_std=True)):
        np.testing.assert_allclose(1e3 * one, other, rtol=1e-9)
    assert b.sigma_ == pytest.approx(1e3 * a.sigma_)


def test_huge_numbers_keep_their_directions():
    x, y = rows_and_targets()
    model = SparseGPR(30, coef0=0.0).fit(x, y)
    again = clone(model).fit(1e200 * x, y)
    np.testing.assert_allclose(again.predict(1e200 * x), model.predict(x), rtol=1e-6)


def test_points_are_chosen_among_a_sample_of_very_many_rows(monkeypatch):
    x, y = rows_and_targets(400)
    every = [SparseGPR(30, random_state=seed).fit(x, y).inducing_indices_ for seed in (0, 1)]
    assert set(every[0]) == set(every[1])  # the choice itself is not random
    monkeypatch.setattr("gapy.gp.inducing.CANDIDATE_BYTES", 8 * 30 * 130)
    one, other = (SparseGPR(30, random_state=seed).fit(x, y) for seed in (0, 1))
    assert set(one.inducing_indices_) != set(other.inducing_indices_)
    assert one.score(x, y) > 0.9


def test_grid_search_finds_the_kernel_that_made_the_targets():
    x, y = rows_and_targets(200)
    search = GridSearchCV(SparseGPR(30), {"zeta": [1, 2], "coef0": [0.0, 1.0]}, cv=3).fit(x, y)
    assert search.best_params_ == {"zeta": 2, "coef0": 1.0}


def test_equals_the_atomistic_fit_of_local_energies():
    frames = labelled_frames(12, seed=3)[::3]  # copper
    gp = SparseGPRegressor(
        smooth_soap(["Cu"], r_cut=3.5, n_max=3, l_max=2),
        n_inducing=12,
        zeta=2,
        e0="zero",
        baselines=(),
        n_components="off",
        fit_stress=False,
    ).fit(frames)
    (term,) = gp.potential_.terms
    alpha = gp.potential_.posterior.alpha
    x_id = np.vstack([term.descriptor.create(atoms) for atoms in frames])
    local = np.concatenate([gp.potential_.evaluate(a).energies for a in frames])
    x_id /= np.linalg.norm(x_id, axis=1)[:, None]
    kernel = (x_id @ np.vstack(term.inducing).T) ** 2
    np.testing.assert_allclose(kernel @ alpha, local, atol=1e-9)
    rows = SparseGPR(len(alpha), zeta=2, coef0=0.0).fit(x_id, local)
    np.testing.assert_allclose(rows.predict(x_id), local, atol=1e-3 * np.ptp(local))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_inducing": 0}, "n_inducing: expected a whole number of at least 1"),
        ({"zeta": 1.5}, "zeta: expected a whole number"),
        ({"sigma": -1.0}, "sigma: expected a positive number in the unit of y"),
        ({"delta": np.inf}, "delta: expected a positive number"),
        ({"coef0": -1.0}, "coef0: expected a number of at least 0"),
        ({"selection": "best"}, "selection: expected one of"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(GapyError, match=message):
        SparseGPR(**settings).fit(*rows_and_targets())
