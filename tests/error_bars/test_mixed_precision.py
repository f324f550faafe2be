"""Explained variances in mixed precision against the plain formula."""

import numpy as np
import pytest
import scipy.linalg

import gapy.data
from gapy import SparseGPRegressor
from gapy.descriptors import smooth_soap
from gapy.error_bars.mixed_precision import FEWEST, mixed_factor
from gapy.gp.selection import select
from gapy.model import engine
from gapy.model.local_variance import Distances, Triangle

DELTA = 3.0


@pytest.fixture(scope="module")
def model():
    """Environments, inducing points, and triangles of variance and distance."""
    rng = np.random.default_rng(0)
    base = rng.random(24) + 0.5
    pool = base + 0.2 * rng.normal(size=(600, 24))
    pool /= np.linalg.norm(pool, axis=1)[:, None]
    points = pool[select(pool, 200, 4, "cholesky", rng)]
    k = (points @ points.T) ** 4 + 1e-10 * np.eye(200)
    lower = scipy.linalg.cholesky(k, lower=True)
    inverse = DELTA * scipy.linalg.solve_triangular(lower, np.eye(200), lower=True)
    shrink = np.diag(1.0 - 10.0 ** rng.uniform(-9, -7, 200))
    spread = scipy.linalg.qr(np.sqrt(shrink) @ inverse, mode="r")[0]
    return pool, points, np.asfortranarray(spread), np.asfortranarray(inverse)


def variances(factor, t_is):
    """Exact variance, and that of mixed precision without and with the engine's second look."""
    k_is = t_is[:, : len(factor)] ** 4
    exact = DELTA**2 - ((factor @ k_is.T) ** 2).sum(axis=0)
    mixed = mixed_factor(factor)
    fast = DELTA**2 - mixed.of(t_is, 4)[0]
    is_lower = not np.triu(factor, 1).any()
    checked = DELTA**2 - Triangle(factor, is_lower, mixed).explained(t_is, 4, DELTA)
    return exact, fast, checked


@pytest.mark.parametrize("kind", ["variance", "distance", "distance from fewer points"])
def test_mixed_precision_equals_the_plain_formula(model, kind):
    pool, points, spread, inverse = model
    few = np.asfortranarray(inverse[:140, :140])
    factor = {"variance": spread, "distance": inverse, "distance from fewer points": few}[kind]
    exact, fast, checked = variances(factor, pool @ points.T)
    far = exact > 1e-4 * DELTA**2
    assert far.sum() > 100
    np.testing.assert_allclose(np.sqrt(fast[far]), np.sqrt(exact[far]), rtol=1e-3)
    np.testing.assert_allclose(np.sqrt(checked[far]), np.sqrt(exact[far]), rtol=1e-3)


def test_distances_of_few_centres_are_those_of_many(model):
    """Few go another way: in double precision, both distances from one product."""
    pool, points, _, inverse = model
    few = np.asfortranarray(inverse[:20, :20])
    near = Triangle(inverse, True, mixed_factor(inverse))
    distances = Distances(4, near, Triangle(few, True))
    t_is = pool[:60] @ points.T
    of_many = np.array(distances.explained(t_is, DELTA))
    of_few = np.hstack([distances.explained(t_is[k : k + 6], DELTA) for k in range(0, 60, 6)])
    k_is = t_is**4
    exact = [((inverse @ k_is.T) ** 2).sum(axis=0), ((few @ k_is[:, :20].T) ** 2).sum(axis=0)]
    np.testing.assert_allclose(of_few, exact, rtol=1e-12)
    np.testing.assert_allclose(of_many, exact, rtol=1e-5)


def test_small_variances_are_computed_again_in_double_precision(model):
    """At inducing points and just beside them."""
    _, points, spread, _ = model
    rng = np.random.default_rng(1)
    near = points + 1e-5 * rng.normal(size=points.shape)
    near /= np.linalg.norm(near, axis=1)[:, None]
    exact, fast, checked = variances(spread, np.concatenate([points, near]) @ points.T)
    assert 0.0 < exact.min() < 1e-5 * DELTA**2
    off = np.abs(np.sqrt(np.maximum(fast, 0.0) / exact) - 1.0)
    assert off.max() > 2e-2, "mixed precision alone would do here"
    np.testing.assert_allclose(np.sqrt(checked), np.sqrt(exact), rtol=1e-2)


def test_few_points_stay_in_double_precision(model):
    *_, inverse = model
    assert mixed_factor(inverse[: FEWEST - 1, : FEWEST - 1]) is None
    assert mixed_factor(inverse[:FEWEST, :FEWEST]) is not None


def test_labels_that_say_nothing_in_some_directions(model):
    pool, points, _, inverse = model
    rng = np.random.default_rng(2)
    unknown = np.linalg.qr(rng.normal(size=(200, 60)))[0]
    factor = np.linalg.qr(inverse - unknown @ (unknown.T @ inverse), mode="r")
    exact, _, checked = variances(np.asfortranarray(factor), pool @ points.T)
    np.testing.assert_allclose(np.sqrt(checked), np.sqrt(exact), rtol=1e-3)
    assert mixed_factor(np.zeros((200, 200))) is None


@pytest.fixture(scope="module")
def silicon():
    """A fit with enough points for mixed precision, and its training structures."""
    frames = gapy.data.frames("si", "train")[1::2]
    soap = smooth_soap(["Si"], r_cut=4.5, n_max=4, l_max=3)
    gp = SparseGPRegressor(soap, n_inducing=250, zeta=4, sigma_energy=1e-3, sigma_forces=0.05)
    return gp.fit(frames).potential_, frames


def test_local_sigma_is_within_one_percent_everywhere(silicon):
    """Training structures hold the inducing points; hot ones are far away."""
    potential, frames = silicon
    assert all(b.posterior.mixed is not None for b in potential.variance_blocks)
    hot = frames[20].copy()
    hot.rattle(0.4, seed=3)
    for atoms in (*frames[::3], hot):
        exact = potential.predict(atoms, forces=False, stress=False)[1].energies
        fast = potential.evaluate(atoms, local_std=True).energies_std
        np.testing.assert_allclose(fast, exact, rtol=1e-2)


def test_full_uncertainty_is_exact(silicon):
    potential, frames = silicon
    calculator = potential.calculator(uncertainty="full")
    calculator.calculate(frames[20])
    exact = potential.predict(frames[20])[1]
    np.testing.assert_array_equal(calculator.results["energies_std"], exact.energies)
    np.testing.assert_array_equal(calculator.results["forces_std"], exact.forces)


def test_sigmas_do_not_depend_on_the_threads(silicon):
    potential, frames = silicon
    atoms = frames[20].repeat((6, 6, 6))
    atoms.rattle(0.05, seed=4)
    assert len(atoms) > 2 * engine.BLOCK
    for options in ({"local_std": True}, {"force_std": True}):
        one, *others = (potential.evaluate(atoms, threads=n, **options) for n in (1, 2, 3))
        for other in others:
            np.testing.assert_array_equal(other.energies_std, one.energies_std)
            np.testing.assert_array_equal(other.forces, one.forces)
            if one.forces_std is not None:
                np.testing.assert_array_equal(other.forces_std, one.forces_std)
