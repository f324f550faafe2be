"""The equation of a label: own noise is absolute, in the fit, left out, inspected and tuned."""

import numpy as np
import pytest
from helpers import labelled_frames, labels_in

import gapy
from gapy.descriptors import smooth_soap
from gapy.fit.labels import add_labels, labels_of, rows_of, stacked
from gapy.gp import posterior
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import blocks
from gapy.inspection.influence import influence
from gapy.structures import from_atoms
from gapy.tuning.scores import _without_own_labels

OWN = {"energy_sigma": 0.02, "forces_sigma": 0.3, "stress_sigma": 0.02}


def regressor(**options):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=12, zeta=2, **options)


@pytest.fixture(scope="module")
def frames():
    """Every third structure states its noise."""
    out = labelled_frames(15, seed=5)
    for k in range(0, 15, 3):
        out[k].info.update({name: value * (1 + k) for name, value in OWN.items()})
    return out


@pytest.fixture(scope="module")
def learnt(frames):
    return regressor(optimize=True).fit(frames)


def test_labels_are_those_of_the_structure_less_free_atoms(frames):
    gp = regressor(e0={"Al": -1.0, "Cu": 2.0}).fit(frames)
    s = from_atoms(frames)[2]
    energy, forces, stress = labels_in(gp, s)[1]
    n_al = np.count_nonzero(s.atoms.numbers == 13)
    assert energy.y == pytest.approx([s.energy + n_al - 2.0 * (len(s.atoms) - n_al)])
    np.testing.assert_array_equal(forces.y, s.forces.ravel())
    np.testing.assert_array_equal(stress.y, s.stress)
    noise = gapy.Noise(0.1, 0.2, 0.3)
    assert [one.sigma(noise) for one in (energy, forces, stress)] == pytest.approx([0.2, 0.2, 0.3])


def test_only_the_kinds_asked_for_are_labels(frames):
    gp = regressor().fit(frames)
    s = from_atoms(frames)[0]
    state = gp.training_
    rows = rows_of(state.terms, s, ("energy", "stress"))
    assert [one.group.kind for one in labels_of(s, rows, state.e0)] == ["energy", "stress"]


def test_own_noise_is_a_group_of_its_own_with_a_factor(frames):
    gp = regressor().fit(frames)
    s = from_atoms(frames)[3]
    for one in labels_in(gp, s)[1]:
        assert one.group == Group(one.group.kind, s.config_type, True)
    noise = gapy.Noise(energy=9.0, forces=9.0, stress=9.0, own={s.config_type: {"forces": 2.0}})
    stack = stacked(labels_in(gp, s)[1], noise)
    assert stack.of("energy", stack.sigma) == pytest.approx([0.08 * np.sqrt(len(s.atoms))])
    np.testing.assert_allclose(stack.of("forces", stack.sigma), 2.0 * 1.2)
    np.testing.assert_allclose(stack.of("stress", stack.sigma), 0.08)


def test_configured_noise_says_nothing_to_structures_that_state_theirs():
    frames = labelled_frames(9, seed=6)
    for atoms in frames:
        atoms.info.update(OWN)
    one = regressor().fit(frames).potential_
    other = regressor(sigma_energy=1.0, sigma_forces=5.0, sigma_stress=3.0).fit(frames).potential_
    np.testing.assert_array_equal(one.posterior.alpha, other.posterior.alpha)
    # The same numbers as noise of the kinds give the same model.
    for atoms in frames:
        for name in OWN:
            del atoms.info[name]
    plain = regressor(sigma_energy=0.02, sigma_forces=0.3, sigma_stress=0.02).fit(frames)
    np.testing.assert_allclose(plain.potential_.posterior.alpha, one.posterior.alpha, rtol=1e-6)


def test_learning_multiplies_own_noise_by_one_factor_of_the_group(learnt):
    noise = learnt.potential_.noise
    groups = [g for g in learnt.statistic_.factors if g.own]
    assert {g.kind for g in groups} == {"energy", "forces", "stress"}
    factors = [noise.sigma(*g) for g in groups]
    assert any(abs(np.log(f)) > 0.1 for f in factors)
    assert gapy.Noise.from_dict(noise.to_dict()) == noise


def refit_without(gp, structures, k):
    """Residuals of structure k, in label units, by a real fit of all others at the same noise."""
    statistic, state = SufficientStatistic(gp.statistic_.n_columns), gp.training_
    for j, s in enumerate(structures):
        if j != k:
            add_labels(statistic, labels_in(gp, s)[1], blocks(state.terms), state.cholesky)
    refit = posterior.solve(state.terms, state.cholesky, statistic, state.noise.sigma)
    stack = stacked(labels_in(gp, structures[k])[1], state.noise)
    return stack, stack.y - stack.rows @ refit.alpha


@pytest.mark.parametrize("k", [0, 3, 4])
def test_leave_one_out_of_inspect_and_tune_is_a_refit_after_learning(frames, learnt, k):
    structures = from_atoms(frames)
    stack, residual = refit_without(learnt, structures, k)
    n = len(structures[k].atoms)
    found = influence(learnt.potential_, structures, left_out=True)
    energy = stack.of("energy", residual)[0] / n
    forces = stack.of("forces", residual)
    assert found.energy_error[k] == pytest.approx(energy, rel=1e-4)
    free = np.abs(structures[k].forces).max(axis=1) > 1e-4
    rms = np.sqrt((forces.reshape(-1, 3)[free] ** 2).mean())
    assert found.force_error[k] == pytest.approx(rms, rel=1e-4)
    tuned_energy, tuned_forces = _without_own_labels(learnt.training_, structures[k])
    assert tuned_energy[0] == pytest.approx(energy, rel=1e-4)
    np.testing.assert_allclose(tuned_forces, forces, rtol=1e-4, atol=1e-7)
