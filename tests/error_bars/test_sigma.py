"""Sigma between zero and the prior, near the data and far from them."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from dense_gp import frames, regressor
from helpers import morse_labels, random_structure, seeds
from hypothesis import given, settings

from gapy.descriptors import smooth_soap
from gapy.gp.prior import prior_variances


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_sigma_is_finite_and_between_zero_and_the_prior(seed):
    rng = np.random.default_rng(seed)
    gp = fitted_once()
    pbc = [(1, 1, 1), (0, 1, 1), (0, 0, 0)][seed % 3]
    atoms = random_structure(rng, ("Si", "C"), 4, pbc, min_distance=0.9, length=3.2)
    _, std = gp.potential_.predict(atoms)
    prior = prior_variances(gp.potential_.terms, atoms, stress=atoms.pbc.any())
    pairs = [(std.energy, prior.energy), (std.energies, 1.0), (std.forces.ravel(), prior.forces)]
    if atoms.pbc.any():
        pairs.append((std.stress, prior.stress))
    for sigma, variance in pairs:
        assert np.isfinite(sigma).all()
        assert (np.asarray(sigma) <= np.sqrt(variance) * (1 + 1e-6) + 1e-12).all()


_CACHE = {}


def fitted_once():
    if "gp" not in _CACHE:
        soap = smooth_soap(["Si", "C"], r_cut=3.5, n_max=3, l_max=3)
        _CACHE["frames"] = frames(10, seed=30)
        _CACHE["gp"] = regressor(soap, zeta=4, delta=1.0).fit(_CACHE["frames"])
    return _CACHE["gp"]


def test_sigma_goes_to_the_prior_far_from_the_data():
    crystal = [bulk("Si", cubic=True) for _ in range(4)]
    for k, atoms in enumerate(crystal):
        atoms.rattle(0.02, seed=k)
        morse_labels(atoms)
    soap = smooth_soap(["Si"], r_cut=4.0, n_max=6, l_max=6, weighting={
        "function": "poly", "r0": 4.0, "c": 1.0, "m": 1.0, "w0": 0.0,
    })  # fmt: skip
    gp = regressor(soap, zeta=8, delta=0.5).fit(crystal)
    near = gp.potential_.predict(crystal[0])[1].energies
    strange = Atoms("Si2", [[0, 0, 0], [1.2, 0, 0]])
    far = gp.potential_.predict(strange)[1].energies
    assert near.max() < 0.05 * 0.5
    assert (far > 0.9 * 0.5).all() and (far <= 0.5 * (1 + 1e-9)).all()
    fast = gp.potential_.evaluate(strange, local_std=True).energies_std
    np.testing.assert_allclose(fast, far, rtol=1e-6)


def test_sigma_at_a_training_structure_is_of_the_order_of_the_noise():
    gp, training = fitted_once(), _CACHE["frames"]
    for atoms in training[:4]:
        mean, std = gp.potential_.predict(atoms)
        noise = 0.02 * np.sqrt(len(atoms))
        assert 0.01 * noise < std.energy < 1.5 * noise
        assert std.forces.max() < 3 * 0.1
        assert abs(mean.energy - atoms.info["REF_energy"]) < 4 * noise


def test_sigma_of_a_perfect_crystal_where_forces_vanish_by_symmetry():
    gp = fitted_once()
    crystals = [bulk("Si", cubic=True), bulk("Si"), bulk("Si", "fcc", a=3.8)]
    for atoms in [*crystals, bulk("Si", "hcp", a=2.7, c=4.4), bulk("SiC", "zincblende", a=4.4)]:
        _, std = gp.potential_.predict(atoms)
        assert np.isfinite(std.forces).all() and np.isfinite(std.stress).all()
        assert std.forces.max() < 1e-6
        assert std.stress[:3].min() > 0.0


def test_predict_agrees_with_and_without_sigma():
    gp, tests = fitted_once(), [*frames(2, seed=50), *frames(1, seed=51, pbc=(0, 0, 0))]
    fast = gp.predict(tests)
    mean, std = gp.predict(tests, return_std=True)
    np.testing.assert_allclose(fast.energy, mean.energy, atol=1e-9)
    np.testing.assert_array_equal(np.asarray(fast), fast.energy)
    for k in range(3):
        np.testing.assert_allclose(fast.forces[k], mean.forces[k], atol=1e-8)
        np.testing.assert_allclose(fast.energies[k], mean.energies[k], atol=1e-9)
    np.testing.assert_allclose(fast.stress[0], mean.stress[0], atol=1e-9)
    assert fast.stress[2] is None and mean.stress[2] is None and std.stress[2] is None
