"""The force sigma that follows the posterior of the force itself."""

from dataclasses import replace

import numpy as np
import pytest
from dense_gp import frames, regressor
from helpers import labels_in

import gapy
from gapy.error_bars import calibration
from gapy.error_bars.cross_validation import LeaveOneOut, leave_one_out
from gapy.errors import GapyError
from gapy.fit import out_of_sample as leaving_out
from gapy.fit.labels import add_labels, stacked
from gapy.fit.sample import Sampled
from gapy.gp import posterior
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks, local_prior
from gapy.structures import from_atoms

CURVE = ((1e-8, 0.01), (1e-2, 1.0))


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(frames(8, seed=11))


@pytest.fixture(scope="module")
def sampling(fitted):
    """The potential with a calibration of the posterior, whatever the errors prefer."""
    known = calibration.ForceCalibration(CURVE, 0.5, ("spread",), 1.0)
    found = replace(fitted.potential_.calibration, posterior=known, gain=0.0)
    return replace(fitted.potential_, calibration=found)


def test_variance_of_left_out_labels_equals_a_refit(fitted):
    noise, terms = fitted.initial_noise(), fitted.training_.terms
    structures = from_atoms(frames(8, seed=11))
    everything = [labels_in(fitted, s) for s in structures]
    for k in (0, 5):
        stack = stacked(everything[k][1], noise)
        solved = posterior.solve(terms, fitted.training_.cholesky, fitted.statistic_, noise.sigma)
        out = leave_one_out(
            solved,
            solved.whiten(stack.rows),
            stack.y,
            stack.sigma,
            everything[k][0].local,
            local_prior(terms, structures[k].atoms.numbers),
        )
        without = SufficientStatistic(fitted.statistic_.n_columns)
        for j, other in enumerate(everything):
            if j != k:
                add_labels(without, other[1], blocks(terms), fitted.training_.cholesky)
        refit = posterior.solve(terms, fitted.training_.cholesky, without, noise.sigma)
        _, expected = refit.explained_and_posterior(stack.rows)
        np.testing.assert_allclose(out.label_variance, expected, rtol=1e-4, atol=1e-12)


def test_spread_of_samples_is_the_posterior_variance(sampling):
    atoms = frames(1, seed=5)[0]
    rows = structure_rows(sampling.terms, atoms).forces
    _, variance = sampling.posterior.explained_and_posterior(rows)
    expected = variance.reshape(-1, 3).mean(axis=1)
    found = sampling.sample(4000, seed=1).force_spread(atoms)
    np.testing.assert_allclose(found, expected, rtol=0.1)
    few = sampling.samples.force_spread(atoms)
    assert len(sampling.samples) == calibration.SAMPLES
    assert (np.abs(np.log(few / expected)) < 2.0).all()


def test_sigma_follows_the_spread(sampling):
    atoms = frames(1, seed=5)[0]
    cheap = sampling.evaluate(atoms, force_std=True)
    dear = sampling.evaluate(atoms, force_std="posterior")
    np.testing.assert_array_equal(dear.forces, cheap.forces)
    np.testing.assert_array_equal(dear.energies_std, cheap.energies_std)
    spread = sampling.samples.force_spread(atoms)
    weight = ((dear.forces**2).sum(axis=1) + 1e-4) ** (1.0 / 12.0)
    (low, least), (high, largest) = CURVE
    slope = np.log(largest / least) / np.log(high / low)
    u = (least * (weight * spread / low) ** slope) ** 2  # between the points of the curve
    assert (weight * spread > low).all() and (weight * spread < high).all()
    inside = np.sqrt(0.25 * np.log1p(u / 0.25))
    assert (dear.forces_std >= inside * (1.0 - 1e-9)).all()
    same = np.isclose(dear.forces_std, inside, rtol=1e-9)
    assert same.any()  # the others lie beyond the training set
    for threads in (2, 3):
        again = sampling.evaluate(atoms, force_std="posterior", threads=threads)
        np.testing.assert_array_equal(again.forces_std, dear.forces_std)


def test_calculator_takes_the_better_one(sampling, fitted):
    atoms = frames(1, seed=5)[0]
    calculator = sampling.calculator(uncertainty="posterior")
    calculator.calculate(atoms)
    expected = sampling.evaluate(atoms, force_std="posterior").forces_std
    np.testing.assert_allclose(calculator.results["forces_std"][:, 0], expected, rtol=1e-9)
    assert calculator.largest_force_std == 1.0
    plain = replace(
        fitted.potential_,
        calibration=replace(fitted.potential_.calibration, posterior=None),
    )
    calculators = [plain.calculator(uncertainty=mode) for mode in (True, "posterior")]
    for calculator in calculators:
        calculator.calculate(atoms)
    a, b = (c.results["forces_std"] for c in calculators)
    np.testing.assert_array_equal(a, b)
    assert "samples" not in vars(plain)  # where it is not chosen it costs nothing
    with pytest.raises(GapyError, match=r"force_std: expected one of .*'cheap', 'posterior'"):
        plain.evaluate(atoms, force_std="samples")


@pytest.mark.parametrize("gain, samples", [(0.4, True), (0.02, False)])
def test_samples_are_the_default_where_they_tell_much_more(sampling, gain, samples):
    potential = replace(sampling, calibration=replace(sampling.calibration, gain=gain))
    atoms = frames(2, seed=5)
    of = {
        mode: potential.evaluate(atoms[0], force_std=mode).forces_std
        for mode in (True, "cheap", "posterior")
    }
    assert not np.allclose(of["cheap"], of["posterior"])
    np.testing.assert_array_equal(of[True], of["posterior" if samples else "cheap"])
    many = potential.evaluate_many(atoms, uncertainty=True)
    for a, out in zip(atoms, many):
        expected = potential.evaluate(a, force_std=True).forces_std
        np.testing.assert_allclose(out.forces_std, expected, rtol=1e-4)
    calibration = potential.calibration
    expected = calibration.posterior.largest if samples else calibration.largest
    assert potential.calculator(uncertainty=True).largest_force_std == expected


def test_samples_at_every_other_structure(sampling):
    potential = replace(sampling, calibration=replace(sampling.calibration, gain=0.4))
    structures = frames(5, seed=7)
    calculator = potential.calculator(uncertainty=True, posterior_every=2)

    def found(structures):
        out = []
        for atoms in structures:
            calculator.calculate(atoms)
            std = calculator.results["forces_std"][:, 0]
            modes = ("cheap", "posterior")
            both = [potential.evaluate(atoms, force_std=mode).forces_std for mode in modes]
            out.append(modes[int(np.argmin([np.abs(std - one).max() for one in both]))])
        return out

    taken = ["posterior", "cheap", "posterior", "cheap", "posterior"]
    assert found(structures) == taken
    calculator.reset()
    assert found(structures[:2]) == taken[:2]
    with pytest.raises(GapyError, match="posterior_every: expected a number of at least 1, got 0"):
        calculator.set(posterior_every=0)


def test_member_forces_are_those_of_the_committee(sampling):
    """With a quadratic form and without one."""
    atoms = frames(1, seed=5)[0]
    for n in (8, 11):
        committee = sampling.sample(n, seed=2)
        out = committee.evaluate(atoms, forces_members=True)
        expected = ((out.forces_members - out.forces) ** 2).sum(axis=(0, 2)) / (3 * n)
        np.testing.assert_allclose(committee.force_spread(atoms), expected, rtol=1e-7)


def test_files_keep_the_calibration(sampling, tmp_path):
    sampling.save(tmp_path / "model.gapy")
    loaded = gapy.load(tmp_path / "model.gapy")
    assert loaded.calibration == sampling.calibration
    atoms = frames(1, seed=5)[0]
    a, b = (p.evaluate(atoms, force_std="posterior").forces_std for p in (sampling, loaded))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("tells", [True, False])
def test_the_posterior_is_taken_where_it_ranks_errors_better(fitted, monkeypatch, tells):
    """Errors are drawn from the spread, or from what the cheap indicators say."""
    rng = np.random.default_rng(0)
    state, noise = fitted.training_, fitted.potential_.noise
    structures = [s for s in state.calibration_sample if s.forces is not None]
    results = []
    for k in range(20):
        s = structures[k % len(structures)]
        n = len(s.atoms)
        rows, labels = labels_in(fitted, s)
        stack = stacked(labels, noise)
        spread, local = 10.0 ** rng.uniform(-4, 0, (2, n))
        size = np.repeat(np.sqrt(spread if tells else local), 3)
        residual, variance = np.zeros(len(stack.y)), np.zeros(len(stack.y))
        residual[stack.where["forces"]] = size * rng.normal(size=3 * n)
        variance[stack.where["forces"]] = np.repeat(spread, 3)
        pairs = fitted.potential_.neighbourhood(s.atoms).pairs
        sampled = Sampled(s, rows.local, labels, pairs)
        out = LeaveOneOut(residual, np.sqrt(local), local, local, variance)
        results.append((sampled, stack, out))
    monkeypatch.setattr(leaving_out, "worst_around", lambda pairs, own: own)
    found = leaving_out.calibrate(results, noise, state.terms)
    assert (found.posterior is not None) == tells
    if tells:
        assert found.posterior.follows == ("spread",)
        assert found.posterior.beyond == found.beyond


def test_sigma_is_calibrated_with_the_noise_of_few_samples():
    """Drawn variances have the mean of the true ones and the noise that the engine's have."""
    variance_nc = np.tile([[1.0, 2.0, 3.0]], (20000, 1))
    drawn = leaving_out.as_sampled(variance_nc, np.random.default_rng(0))
    samples = np.random.default_rng(1).normal(size=(20000, calibration.SAMPLES, 3))
    samples *= np.sqrt(variance_nc[:, None])
    expected = (samples**2).mean(axis=(1, 2))
    for share in (0.05, 0.5, 0.95):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(expected, share), rel=0.02)
