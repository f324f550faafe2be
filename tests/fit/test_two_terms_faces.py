"""A model of two terms (SOAP of 5.0 and 3.5 A) through every face that test_two_terms lacks."""

import pickle

import numpy as np
import pytest
from helpers import along_atom, along_strain

import gapy
from gapy import SparseGPRegressor
from gapy._support.voigt import stress_of
from gapy.active import MD, Budget, Initial, Oracle, Policy, learn
from gapy.active.model import GPModel
from gapy.data import frames
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.training import merge
from gapy.fit.update import rebuild, update
from gapy.inspection import inspect
from gapy.tuning.search import tune

LONG = smooth_soap(["Si"], r_cut=5.0, n_max=4, l_max=3)
SHORT = smooth_soap(["Si"], r_cut=3.5, n_max=4, l_max=3)
SMALL = [a for a in frames("si", "train") if 2 <= len(a) <= 8]
TRAIN, NEW = SMALL[::4], SMALL[1::12][:3]


def regressor(**options):
    return SparseGPRegressor([LONG, SHORT], n_inducing=30, **options)


@pytest.fixture(scope="module")
def gp():
    return regressor().fit(TRAIN)


@pytest.fixture(scope="module")
def two(gp):
    return gp.potential_


def test_derivatives(two):
    atoms = NEW[0].copy()
    atoms.rattle(0.05, seed=1)
    out = two.evaluate(atoms)
    slope = along_atom(lambda a: two.evaluate(a).energy, atoms, 1, 2)
    assert out.forces[1, 2] == pytest.approx(-slope, abs=1e-6)
    slope = along_strain(lambda a: two.evaluate(a).energy, atoms, 5)
    assert stress_of(out.virial, atoms)[5] == pytest.approx(slope / atoms.get_volume(), abs=1e-7)


def test_error_bars_cover_the_errors(gp):
    """Of the structures left out and of those never seen."""
    errors, sigmas = [], []
    for atoms in SMALL[1::4]:
        out = gp.potential_.evaluate(atoms, force_std=True)
        errors.append(out.forces - atoms.arrays["REF_forces"])
        sigmas.append(np.repeat(out.forces_std[:, None], 3, axis=1))
    z = np.abs(np.concatenate(errors)) / np.concatenate(sigmas)
    assert 0.55 < (z < 1.0).mean() < 0.9
    assert (z < 1.96).mean() > 0.85


def test_samples(two):
    committee = two.sample(3, seed=2)
    for atoms in NEW:
        out = committee.evaluate(atoms, forces_members=True)
        assert out.energy == pytest.approx(two.evaluate(atoms).energy, abs=1e-9)
        for k, member in enumerate(committee.potentials):
            own = member.evaluate(atoms)
            assert out.energy_members[k] == pytest.approx(own.energy, abs=1e-8)
            np.testing.assert_allclose(out.forces_members[k], own.forces, atol=1e-8)
            np.testing.assert_allclose(out.virial_members[k], own.virial, atol=1e-7)


def test_samples_that_cover(two):
    """Points of both terms are added; the mean stays, the spread is that of `predict`."""
    covering = two.sample(4, seed=2, cover=NEW)
    assert len(covering.potential.metadata["cover"]) == len(covering.potential.posterior.blocks)
    for atoms in NEW:
        before, after = two.predict(atoms), covering.potential.predict(atoms)
        assert after[0].energy == pytest.approx(before[0].energy, abs=1e-5)
        np.testing.assert_allclose(after[1].forces, before[1].forces, rtol=0.02, atol=1e-4)


def test_reduction(two):
    fast = two.reduced(1e-3, NEW)
    assert len(fast.bases) == 2
    for atoms in NEW:
        np.testing.assert_allclose(
            fast.evaluate(atoms).forces, two.evaluate(atoms).forces, atol=1e-3
        )


def test_learnt_noise_has_a_delta_for_each_term():
    gp = regressor(optimize=True).fit(TRAIN)
    deltas = [term.delta[0] for term in gp.potential_.terms]
    assert deltas[0] != deltas[1] and all(d > 0 for d in deltas)


def test_states_and_pickles_go_on_as_they_would_have(gp, tmp_path):
    save_state(gp, tmp_path / "s.gapy")
    found = []
    for one in (load_state(tmp_path / "s.gapy"), pickle.loads(pickle.dumps(gp))):
        report = update(one, NEW)
        assert report.n_inducing == one.potential_.posterior.blocks[-1].stop
        found.append(one)
    assert found[0].potential_.sha256 == found[1].potential_.sha256
    assert len(found[0].descriptor) == 2
    again = load_state(tmp_path / "s.gapy")
    again.partial_fit(NEW)
    assert merge(again.training_, gp.training_).n_structures == 2 * len(TRAIN) + len(NEW)


def test_update_with_exact_columns_is_the_fit_with_these_points(gp):
    one = regressor().fit(TRAIN)
    update(one, NEW)
    rebuild(one, [*TRAIN, *NEW])
    atoms = NEW[0]
    error = one.potential_.evaluate(atoms).forces - atoms.arrays["REF_forces"]
    assert np.sqrt((error**2).mean()) < 0.2


def test_inspection(gp):
    report = inspect(TRAIN, potential=gp.potential_, candidates=NEW, n_candidates=1)
    assert "left out" in report.fit
    assert np.isfinite(report.force_error[report.force_error == report.force_error]).any()
    assert len(report.maps) == 1 and len(report.maps[0].xy) == sum(map(len, TRAIN))


def test_tuning_searches_one_term_and_says_so():
    with pytest.raises(GapyError, match="options: expected none called descriptor"):
        tune(TRAIN, options={"descriptor": [LONG, SHORT]})


class TwoTerms(GPModel):
    """The model of a loop with a second, shorter SOAP."""

    def _regressor(self):
        gp = super()._regressor()
        gp.descriptor = [gp.descriptor, SHORT]
        return gp


def test_active_learning(tmp_path):
    from ase.build import bulk

    start = bulk("Si", cubic=True)
    model = TwoTerms(["Si"], r_cut=5.0, n_max=3, l_max=2, n_inducing=30)
    result = learn(
        tmp_path / "loop",
        [MD(start, temperature=600, temperature_end=1800, ps=0.2)],
        Oracle("ase.calculators.lj.LennardJones", {"sigma": 2.1, "epsilon": 1.0, "rc": 5.0}),
        Policy(max_force_std=0.05, batch=2),
        model=model,
        initial=Initial(rattles=2),
        budget=Budget(labels=6),
    )
    assert result.n_labels > 3
    assert len(gapy.load(result.model_path).terms) == 2
