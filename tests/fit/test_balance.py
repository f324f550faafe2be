"""Label kinds weighed against one another by the errors of left-out structures."""

import numpy as np
import pytest
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.calculators.emt import EMT
from helpers import labelled_frames

import gapy
from gapy._support.threads import blas_threads
from gapy.descriptors import smooth_soap
from gapy.fit import balance
from gapy.fit.labels import labels_of, rows_of
from gapy.fit.sample import SampleRows
from gapy.fit.training import absorb
from gapy.gp import posterior
from gapy.gp.hyperparameters import maximise_likelihood
from gapy.gp.noise import KINDS, Noise
from gapy.gp.statistic import Group
from gapy.gp.terms import blocks
from gapy.structures import from_atoms

SOAP = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
NOISE = Noise(0.004, 0.1, 0.002, {"pure": {"forces": 0.03}})


@pytest.fixture(autouse=True)
def one_thread():
    with blas_threads(1):
        yield


@pytest.fixture(scope="module")
def absorbed():
    """A state, its rows, and the moments of all of its labels."""
    structures = from_atoms(labelled_frames(24, seed=2))
    rows = SampleRows()
    start = gapy.SparseGPRegressor(SOAP, n_inducing=12, delta=3.0).begin(structures)
    state = absorb(start, structures, rows=rows)
    moments = maximise_likelihood(state.terms, state.statistic, NOISE).moments
    sampled = list(rows.all_of(state.calibration_sample, lambda s: None))
    return start, state, sampled, moments


@pytest.fixture
def left_out(absorbed):
    _, state, sampled, moments = absorbed
    table = blocks(state.terms)
    parts = [balance._OfPart(part, NOISE) for part in balance._parts(sampled, table[-1].stop)]
    everything = balance._weighed(moments, NOISE)
    families = [(kind, False) for kind in KINDS]
    return balance._LeftOut(families, table, everything, parts, {})


def test_left_out_errors_are_those_of_fits_without_the_part(absorbed, left_out):
    start, state, sampled, _ = absorbed
    factors = np.array([0.5, 2.0, 3.0])
    noise = NOISE.scaled(
        {(kind, False): x for kind, x in zip(KINDS, factors)}, state.statistic.factors
    )
    scale = {(kind, False): x**-2.0 for kind, x in zip(KINDS, factors)}
    dealt = sorted(sampled, key=lambda one: one.structure.config_type)
    n = len(left_out._parts)
    for k, one in enumerate(left_out._parts):
        rest = [one.structure for j, one in enumerate(dealt) if j % n != k]
        fewer = absorb(start, rest)
        fitted = posterior.solve(fewer.terms, fewer.cholesky, fewer.statistic, noise.sigma)
        _, a = left_out._without(one, scale)
        found, _ = one.part.mean_squares(a)
        expected = []
        for s in [of.structure for j, of in enumerate(dealt) if j % n == k]:
            for labels in labels_in_state(state, s):
                r = labels.y - labels.rows @ fitted.alpha
                r /= len(s.atoms) if labels.group.kind == "energy" else 1
                name = s.config_type
                line = (labels.group.kind, name)
                expected.append(
                    (*(line if line in one.part.lines else (line[0], "")), (r**2).mean())
                )
        of_part = [(*line, q) for line, q in zip(one.part.lines, found)]
        for x, y in zip(sorted(of_part), sorted(expected), strict=True):
            assert x[:2] == y[:2] and x[2] == pytest.approx(y[2], rel=1e-5, abs=1e-14)


def labels_in_state(state, s):
    """The labels of a structure, their rows not whitened."""
    return labels_of(s, rows_of(state.terms, s, state.kinds), state.e0, state.baselines)


def test_slope_equals_finite_differences(left_out):
    for x in np.random.default_rng(0).normal(0.0, 0.7, (3, 3)):
        _, slope = left_out(x)
        step = 1e-4 * np.eye(3)
        differences = [(left_out(x + h)[0] - left_out(x - h)[0]) / 2e-4 for h in step]
        np.testing.assert_allclose(slope, differences, rtol=1e-4, atol=1e-6)


def balanced(absorbed, learnt, approximate=False):
    _, state, sampled, moments = absorbed
    table = blocks(state.terms)
    found = balance.balanced([NOISE], learnt, table, moments, sampled, approximate)
    return found


@pytest.mark.parametrize("approximate", [False, True])
def test_only_learnt_groups_are_scaled(absorbed, approximate):
    learnt = {Group("energy", "pure"), Group("forces", "alloy"), Group("forces", "pure")}
    found = balanced(absorbed, learnt, approximate)
    assert found.energy != NOISE.energy and found.forces != NOISE.forces
    assert found.stress == NOISE.stress
    ratio = found.forces / NOISE.forces
    assert found.sigma("forces", "pure") == pytest.approx(0.03 * ratio)
    assert balance.FACTORS[0] <= ratio <= balance.FACTORS[1]


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_has_nothing_to_be_weighed_against(absorbed, kind):
    assert balanced(absorbed, {Group(kind, "pure"), Group(kind, "alloy")}) == NOISE


def test_without_positive_moments_the_search_goes_on(left_out):
    first, _ = left_out(np.zeros(3))
    left_out._prior = -left_out._prior * 1e9
    value, slope = left_out(np.zeros(3))
    assert value == pytest.approx(first + balance.FAILED) and not slope.any()


def test_one_energy_that_no_other_resembles_does_not_decide_the_sigma_of_forces(monkeypatch):
    def sigma_of_forces(wrong):
        frames = labelled_frames(60, seed=4)
        frames[7].info["REF_energy"] += wrong
        structures, rows = from_atoms(frames), SampleRows()
        start = gapy.SparseGPRegressor(SOAP, n_inducing=40, delta=3.0).begin(structures)
        state = absorb(start, structures, rows=rows)
        moments = maximise_likelihood(state.terms, state.statistic, NOISE).moments
        sampled = list(rows.all_of(state.calibration_sample, lambda s: None))
        absorbed = (start, state, sampled, moments)
        return balanced(absorbed, set(state.statistic.factors)).forces

    right = sigma_of_forces(0.0)
    assert sigma_of_forces(3.0) == pytest.approx(right, rel=0.2)
    monkeypatch.setattr(balance, "CAP", 1e9)
    assert sigma_of_forces(3.0) < 0.3 * right


def test_a_structure_without_a_fitted_label_is_in_no_part():
    """Nine structures and eight parts."""
    frames = labelled_frames(9, seed=3)
    del frames[0].info["REF_energy"], frames[0].arrays["REF_forces"]
    gp = gapy.SparseGPRegressor(SOAP, n_inducing=6, optimize=True, fit_stress=False)
    assert gp.fit(frames).potential_.noise.forces > 0.0
    assert balance.dealt([], 8, 1) == []


def test_errors_that_vanish_by_symmetry_set_no_scale(left_out):
    lines = [one.part.lines for one in left_out._parts]
    squares = [
        [{"energy": 4.0, "forces": 1e-30, "stress": 0.0}[x.kind] for x in of] for of in lines
    ]
    first = next(k for k, line in enumerate(lines[0]) if line.kind == "forces")
    squares[0][first] = 9.0
    caps = left_out._caps_of(squares)
    assert caps[lines[0][first]] == balance.CAP * 9.0
    assert {caps[x] for x in caps if x.kind == "energy"} == {balance.CAP * 4.0}
    assert not any(line.kind == "stress" for line in caps)


def labelled(atoms, config_type):
    atoms.calc = EMT()
    atoms.info.update(REF_energy=atoms.get_potential_energy(), config_type=config_type)
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


def crystals(n, rng):
    for _ in range(n):
        atoms = bulk("Cu", a=3.6 * (1.0 + 0.02 * rng.normal()), cubic=True)
        atoms.rattle(0.08, rng=rng)
        yield labelled(atoms, "bulk")


def surfaces(n, rng):
    for k in range(n):
        face = (fcc111, fcc100, fcc110)[k % 3]
        atoms = face("Cu", (1, 1, 3 + k % 3), a=3.6, vacuum=4.0, periodic=True)
        atoms.rattle(0.05, rng=rng)
        yield labelled(atoms, "surface")


def test_misfit_of_a_rare_group_is_no_noise():
    """Eleven surfaces among 60 crystals, and a basis too small for both.

    The likelihood alone takes the surfaces' energies for noise: errors of the others are then
    twenty times those with noise set by hand.
    """
    rng = np.random.default_rng(1)
    train = [*crystals(60, rng), *surfaces(11, rng)]
    test = list(surfaces(9, rng))
    soap = smooth_soap(["Cu"], r_cut=4.0, n_max=3, l_max=2)

    def energy_error(optimize):
        gp = gapy.SparseGPRegressor(soap, n_inducing=40, zeta=2, optimize=optimize, e0="fit")
        return gapy.evaluate(gp.fit(train).potential_, test).total.energy_rmse

    by_hand = energy_error(False)
    assert energy_error(True) < 4.0 * by_hand < 0.02
