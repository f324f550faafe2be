"""A fit with learnt noise: likelihood, threads, more data."""

import numpy as np
import pytest
from helpers import labelled_frames

import gapy
from gapy._support.threads import blas_threads
from gapy.descriptors import smooth_soap
from gapy.fit.labels import Labels, add_labels
from gapy.gp import posterior
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import Block


@pytest.fixture(autouse=True)
def one_thread():
    """The matrices are small: threads would only wait for one another."""
    with blas_threads(1):
        yield


def soap():
    return smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)


def fit(frames, **options):
    settings = {"n_inducing": 20, "optimize": True, "sigma_energy": 0.05, "sigma_forces": 0.5}
    return gapy.SparseGPRegressor(soap(), **{**settings, **options}).fit(frames)


def assert_equal_forces(one, other, frames, atol):
    for atoms in frames:
        a, b = one.potential_.evaluate(atoms), other.potential_.evaluate(atoms)
        np.testing.assert_allclose(a.forces, b.forces, rtol=0.0, atol=atol)
        assert a.energy == pytest.approx(b.energy, rel=0.0, abs=atol)


@pytest.fixture(scope="module")
def frames():
    return labelled_frames(24, seed=5)


@pytest.fixture(scope="module")
def learnt(frames):
    return fit(frames)


def test_learning_raises_the_likelihood(frames, learnt, monkeypatch):
    before = fit(frames, optimize=False)
    balanced = learnt.log_marginal_likelihood()
    monkeypatch.setattr("gapy.fit.solving.balanced", lambda candidates, *rest: candidates[0])
    free = fit(frames)
    assert free.log_marginal_likelihood() > before.log_marginal_likelihood()
    assert free.log_marginal_likelihood() >= balanced
    # Only the noise differs between the two.
    assert free.potential_.terms[0].delta == learnt.potential_.terms[0].delta
    assert free.potential_.noise != learnt.potential_.noise


def test_the_potential_has_the_learnt_numbers(learnt):
    potential = learnt.potential_
    assert potential.noise != learnt.initial_noise() and min(potential.terms[0].delta) != 1.0
    again = posterior.solve(
        potential.terms, learnt.training_.cholesky, learnt.statistic_, potential.noise.sigma
    )
    np.testing.assert_array_equal(again.alpha, potential.posterior.alpha)
    assert [b.delta for b in potential.posterior.blocks] == list(potential.terms[0].delta)


def test_learning_afterwards_equals_learning_at_once(frames, learnt, test_frames):
    """To rounding: rows of the sample are whitened one structure after the other, not together."""
    later = fit(frames, optimize=False).optimize_hyperparameters()
    noise, at_once = later.potential_.noise, learnt.potential_.noise
    groups = set(learnt.statistic_.factors)
    assert (
        groups == set(later.statistic_.factors)
        and noise.overrides.keys() == at_once.overrides.keys()
    )
    for group in groups:
        assert noise.sigma(*group) == pytest.approx(at_once.sigma(*group), rel=1e-6)
    assert later.potential_.terms[0].delta == learnt.potential_.terms[0].delta
    assert_equal_forces(later, learnt, test_frames, 1e-7)


def test_threads_do_not_change_what_is_learnt(frames, learnt, tmp_path):
    other = fit(frames, threads=2)
    other.potential_.save(tmp_path / "two.gapy")
    learnt.potential_.save(tmp_path / "one.gapy")
    assert (tmp_path / "two.gapy").read_bytes() == (tmp_path / "one.gapy").read_bytes()


def test_threads_of_the_caller_change_no_fit(frames, learnt):
    """Whatever NumPy's BLAS is set to outside, the fit sums in one order."""
    with blas_threads(2):
        other = fit(frames)
    np.testing.assert_array_equal(
        other.potential_.posterior.alpha, learnt.potential_.posterior.alpha
    )


def test_more_structures_after_learning(frames, test_frames):
    """partial_fit learns again from all labels; the likelihood stays above the start's."""
    gp = fit(frames[:12])
    first = gp.potential_.noise
    gp.partial_fit(frames[12:])
    assert gp.potential_.noise != first
    assert gp.n_structures_ == 24
    start = posterior.solve(
        gp.training_.terms, gp.training_.cholesky, gp.statistic_, gp.initial_noise().sigma
    ).log_marginal_likelihood
    assert gp.log_marginal_likelihood() > start
    fixed = fit(frames[:12], optimize=False).partial_fit(frames[12:])
    assert gapy.evaluate(gp.potential_, test_frames).total.forces_rmse < 1.1 * (
        gapy.evaluate(fixed.potential_, test_frames).total.forces_rmse
    )


def test_learning_before_fitting_is_refused():
    with pytest.raises(ValueError, match="not fitted"):
        gapy.SparseGPRegressor(soap()).optimize_hyperparameters()


def test_vanishing_rows_change_no_fit(frames, monkeypatch):
    """Forces that symmetry makes vanish count as no labels, and the mean stays as it is."""
    perfect = frames[0].copy()
    perfect.positions = 0.5 * (2.0 * perfect.get_scaled_positions()).round() @ perfect.cell.array
    perfect.arrays["REF_forces"] = np.zeros((4, 3))
    frames = [*frames[:8], perfect]
    gp = fit(frames, optimize=False)

    monkeypatch.setattr("gapy.fit.labels.SYMMETRY_ROW", 0.0)
    everything = fit(frames, optimize=False)
    counts = [
        sum(f.n_rows for g, f in one.statistic_.factors.items() if g.kind == "forces")
        for one in (gp, everything)
    ]
    assert counts == [8 * 12, 9 * 12]
    assert_equal_forces(gp, everything, labelled_frames(3, seed=8), 1e-8)


def test_only_vanishing_rows_are_left_out():
    statistic = SufficientStatistic(3)
    rows = np.array([[1e-9, 0.0, 0.0], [0.0, 2e-8, 0.0], [0.0, 0.0, 1.0]])
    labels = [Labels(Group("forces", "a"), rows, np.array([5.0, 6.0, 7.0]), 1.0)]
    add_labels(statistic, labels, [Block(0, 0, 0, 3, np.eye(3), 1, 1.0)], [np.eye(3)])
    matrix = statistic.factors[Group("forces", "a")].matrix()
    np.testing.assert_array_equal(matrix, np.column_stack([rows, [5.0, 6.0, 7.0]])[1:])
