"""Labels that gained a baseline, fitted with it: the model of labels without, error bars too."""

import numpy as np
import pytest
from baseline_helpers import compressed, plus
from helpers import labelled_frames

import gapy
from gapy.baselines import ZBL
from gapy.descriptors import smooth_soap
from gapy.inspection import inspect
from gapy.structures import from_atoms
from gapy.tuning.candidates import Candidate
from gapy.tuning.scores import score
from gapy.tuning.search import tune

BASELINES = [ZBL(1.6, 3.0)]
FRAMES = labelled_frames(12, seed=1) + compressed(3, seed=2)
GAINED = plus(FRAMES, BASELINES)
NEW = [labelled_frames(3, seed=5)[2], compressed(3, seed=6)[2]]
SMALL = {"r_cut": 4.0, "n_max": 3, "l_max": 2}


def fitted(frames, baselines, **options):
    soap = smooth_soap(["Al", "Cu"], **SMALL)
    return gapy.SparseGPRegressor(soap, 20, baselines=baselines, **options).fit(frames)


@pytest.fixture(scope="module")
def without():
    return fitted(FRAMES, [])


@pytest.fixture(scope="module")
def with_it():
    return fitted(GAINED, BASELINES)


def test_weights_and_error_bars_are_the_same(without, with_it):
    one, other = without.potential_, with_it.potential_
    np.testing.assert_allclose(other.posterior.w, one.posterior.w, atol=1e-6)
    assert with_it.log_marginal_likelihood() == pytest.approx(
        without.log_marginal_likelihood(), rel=1e-8
    )
    for atoms in NEW:
        a, b = one.predict(atoms)[1], other.predict(atoms)[1]
        for name in ("energy", "energies", "forces", "stress"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        a, b = (p.evaluate(atoms, local_std=True, force_std=True) for p in (one, other))
        np.testing.assert_array_equal(a.energies_std, b.energies_std)
        np.testing.assert_allclose(b.forces_std, a.forces_std, rtol=1e-4)


def test_far_from_data_a_longer_list_of_pairs_changes_no_indicator(without):
    """The pairs of a baseline that reaches farther do not count as contacts or surroundings."""
    far = fitted(plus(FRAMES, [ZBL(2.0, 5.5)]), [ZBL(2.0, 5.5)]).potential_
    one = without.potential_
    assert far.pairs_cutoff == 5.5 > one.pairs_cutoff
    for atoms in (*NEW, NEW[0].repeat((2, 1, 1))):
        pairs = [p.neighbourhood(atoms).pairs for p in (one, far)]
        found = [
            p.evaluate_arrays(atoms.numbers, own, indicators=True).indicators
            for p, own in zip((one, far), pairs)
        ]
        np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
        forces = one.evaluate(atoms).forces
        sigma = [one.force_std(found[0], atoms.numbers, own, forces) for own in pairs]
        np.testing.assert_allclose(sigma[1], sigma[0], rtol=1e-12)


def test_left_out_errors_of_inspection_are_the_same(without, with_it):
    one = inspect(FRAMES, potential=without.potential_)
    other = inspect(GAINED, potential=with_it.potential_)
    assert "left out" in one.fit and one.fit == other.fit
    for name in ("energy_error", "force_error", "leverage", "energy_leverage"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("criterion", ["loo", "holdout", "likelihood"])
def test_scores_of_tuning_are_the_same(criterion):
    candidate = Candidate(**SMALL, sigma=0.5, zeta=4, n_inducing=20, compression="off")
    one, other = (
        score(candidate, ["Al", "Cu"], from_atoms(frames), criterion, options={"baselines": given})
        for frames, given in ((FRAMES, []), (GAINED, BASELINES))
    )
    for name in ("energy_rmse", "forces_rmse", "log_likelihood"):
        a, b = getattr(one[0], name), getattr(other[0], name)
        assert a is b is None or b == pytest.approx(a, rel=1e-4)


def test_tuning_finds_free_atoms_of_what_is_left():
    lists = {"r_cut": [4.0], "n_max": [3], "l_max": [2], "sigma": [0.5], "zeta": [2],
             "n_inducing": [10], "compression": ["off"]}  # fmt: skip
    one, other = (
        tune(frames, lists=lists, options={"e0": "fit", "baselines": given}).final[0]
        for frames, given in ((FRAMES, []), (GAINED, BASELINES))
    )
    assert other.energy_rmse == pytest.approx(one.energy_rmse, rel=1e-4)


def test_learnt_models_say_the_same():
    """Left-out errors hardly tell nearby sigmas apart: it is the predictions that count."""
    one, other = fitted(FRAMES, [], optimize=True), fitted(GAINED, BASELINES, optimize=True)
    for atoms, gained in zip(FRAMES, GAINED):
        shift = gained.arrays["REF_forces"] - atoms.arrays["REF_forces"]
        a, b = (gp.potential_.evaluate(atoms).forces for gp in (one, other))
        scale = np.abs(atoms.arrays["REF_forces"]).max()
        np.testing.assert_allclose(b - shift, a, atol=0.05 * scale)
