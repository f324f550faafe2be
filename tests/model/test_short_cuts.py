"""Paths with less work: the quadratic form of zeta = 2, and projected descriptors."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from helpers import random_structure

from gapy import SparseGPRegressor, load
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.gp.active_subspace import energy_directions
from gapy.gp.quadratic import quadratic_form
from gapy.model import engine
from gapy.model.local_energy import Projected, Quadratic


def fitted(zeta, n_inducing, **options):
    rng = np.random.default_rng(7)
    frames = []
    for _ in range(16):
        atoms = random_structure(rng, n_atoms=6)
        atoms.info["REF_energy"] = float(rng.normal())
        atoms.arrays["REF_forces"] = rng.normal(size=(6, 3))
        frames.append(atoms)
    soap = smooth_soap(["Si", "C"], r_cut=3.5, n_max=2, l_max=3)
    gp = SparseGPRegressor(soap, n_inducing=n_inducing, zeta=zeta, sigma_forces=0.3, **options)
    return gp.fit(frames), frames


def test_quadratic_form_equals_the_general_path():
    gp, frames = fitted(zeta=2, n_inducing=48)
    potential = gp.potential_
    assert all(isinstance(b.short_cut, Quadratic) for b in potential.energy_blocks)
    general = tuple(replace(b, short_cut=None) for b in potential.energy_blocks)
    for atoms in frames:
        envs = potential.environments(atoms)
        short = engine.evaluate(potential.energy_blocks, envs, len(atoms))
        long = engine.evaluate(general, envs, len(atoms))
        for a, b in zip(short[:3], long[:3]):
            np.testing.assert_allclose(a, b, atol=1e-10 * max(np.abs(b).max(), 1.0))


def test_quadratic_form_of_terms_that_cancel():
    """Coefficients a million times their sum; the reference is exact rational arithmetic."""
    rng = np.random.default_rng(3)
    x_sd = 1.0 + 1e-3 * rng.normal(size=(40, 4))
    x_sd /= np.linalg.norm(x_sd, axis=1)[:, None]
    alpha_s = 1e6 * rng.normal(size=40)
    alpha_s -= alpha_s.mean()
    exact = [
        [
            sum(Fraction(a * u) * Fraction(v) for a, u, v in zip(alpha_s, x_sd[:, i], x_sd[:, j]))
            for j in range(4)
        ]
        for i in range(4)
    ]
    exact = np.array(
        [[float(0.5 * (exact[i][j] + exact[j][i])) for j in range(4)] for i in range(4)]
    )
    found = quadratic_form(x_sd, alpha_s)
    scale = np.abs(exact).max()
    assert np.abs((x_sd.T * alpha_s) @ x_sd - exact).max() > 3e-15 * scale, "nothing cancels here"
    np.testing.assert_allclose(found, exact, rtol=0.0, atol=1e-15 * scale)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("n_points", [1, 2, 1000])
def test_quadratic_form_of_few_and_many_points(n_points):
    rng = np.random.default_rng(n_points)
    x_sd, alpha_s = rng.normal(size=(n_points, 3)), rng.normal(size=n_points)
    x_sd[:, 2] = 0.0
    expected = np.einsum("sd,s,se->de", x_sd, alpha_s, x_sd)
    np.testing.assert_allclose(quadratic_form(x_sd, alpha_s), expected, atol=1e-11)


def test_local_sigma_of_the_quadratic_form():
    gp, frames = fitted(zeta=2, n_inducing=48)
    fast = gp.potential_.evaluate(frames[0], local_std=True).energies_std
    np.testing.assert_allclose(fast, gp.potential_.predict(frames[0])[1].energies, rtol=1e-6)


def test_energy_directions_hold_the_gradients():
    rng = np.random.default_rng(5)
    x_sd = rng.random((30, 7))
    x_sd /= np.linalg.norm(x_sd, axis=1)[:, None]
    alpha_s = rng.normal(size=30)

    def energy(x_d):
        return alpha_s @ (x_sd @ x_d / np.linalg.norm(x_d)) ** 3

    h = 1e-4
    g_sd = np.array(
        [[(energy(x + h * e) - energy(x - h * e)) / (2 * h) for e in np.eye(7)] for x in x_sd]
    )
    sizes, v_dk = energy_directions(x_sd, alpha_s, 3)
    expected = g_sd.T @ g_sd / 30
    np.testing.assert_allclose((v_dk * sizes**2) @ v_dk.T, expected, atol=1e-6 * expected.max())
    assert (np.diff(sizes) <= 0.0).all()


def test_projection_leaves_out_what_the_energy_does_not_follow():
    """Environments differ in eight directions, the energy follows one of them."""
    rng = np.random.default_rng(6)
    x_sd = np.concatenate([np.ones((60, 1)), 0.2 * rng.normal(size=(60, 8))], axis=1)
    x_sd /= np.linalg.norm(x_sd, axis=1)[:, None]
    one = np.array([0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    k_ss = (x_sd @ x_sd.T) ** 4 + 1e-10 * np.eye(60)
    sizes, v_dk = energy_directions(x_sd, np.linalg.solve(k_ss, 5.0 * x_sd @ one), 4)
    assert np.linalg.norm(v_dk[:, :2].T @ one) > 0.99
    spread = np.linalg.svd(x_sd, compute_uv=False)
    assert sizes[3] / sizes[0] < 0.2 * spread[3] / spread[1]


def test_projection_keeps_its_promise_and_conserves_energy(tmp_path):
    gp, frames = fitted(zeta=4, n_inducing=48)
    potential = gp.potential_
    errors = []
    for tolerance in (1e-1, 1e-3):
        reduced = potential.reduced(tolerance, frames)
        error = max(
            np.abs(reduced.evaluate(a).forces - potential.evaluate(a).forces).max() for a in frames
        )
        assert error <= tolerance
        note = reduced.metadata["reduction"]
        assert note["largest_force_error"] == pytest.approx(error)
        assert note["largest_energy_error"] == pytest.approx(
            max(
                abs(reduced.evaluate(a).energy - potential.evaluate(a).energy) / len(a)
                for a in frames
            )
        )
        errors.append(error)
    assert errors[0] > errors[1]
    reduced = potential.reduced(1e-1, frames)
    atoms, h = frames[3].copy(), 1e-3
    energies = []
    for step in (-2 * h, -h, h, 2 * h):
        moved = atoms.copy()
        moved.positions[2, 1] += step
        energies.append(reduced.evaluate(moved).energy)
    slope = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
    forces = reduced.evaluate(atoms).forces
    assert forces[2, 1] == pytest.approx(-slope, abs=1e-6 * np.abs(forces).max())
    path = tmp_path / "reduced.gapy"
    reduced.with_references(frames[:2]).save(path)
    np.testing.assert_array_equal(load(path).evaluate(atoms).forces, forces)


def test_projected_forces_do_not_depend_on_the_threads():
    gp, frames = fitted(zeta=4, n_inducing=48)
    reduced = gp.potential_.reduced(1e-2, frames)
    assert any(isinstance(b.short_cut, Projected) for b in reduced.energy_blocks)
    atoms = frames[0].repeat((5, 5, 4))
    forces = [reduced.evaluate(atoms, threads=n).forces for n in (1, 2, 3)]
    np.testing.assert_array_equal(forces[1], forces[0])
    np.testing.assert_array_equal(forces[2], forces[0])


def test_reducing_again_starts_from_the_exact_potential():
    gp, frames = fitted(zeta=4, n_inducing=48)
    again = gp.potential_.reduced(1e-1, frames).reduced(1e-3, frames)
    assert again.metadata == gp.potential_.reduced(1e-3, frames).metadata
    tight = gp.potential_.reduced(1e-1, frames).reduced(1e-300, frames)
    ranks = [b.kernel.x_sd.shape[1] for b in gp.potential_.energy_blocks]
    assert tight.metadata["reduction"]["ranks"] == ranks


def test_regressor_reduces_on_request():
    gp, frames = fitted(zeta=4, n_inducing=48, force_tolerance=1e-2)
    exact, _ = fitted(zeta=4, n_inducing=48)
    note = gp.potential_.metadata["reduction"]
    assert note["n_structures"] == len(frames)
    for atoms in frames:
        a, b = gp.potential_.evaluate(atoms), exact.potential_.evaluate(atoms)
        assert np.abs(a.forces - b.forces).max() <= 1e-2


def test_bad_tolerance():
    gp, _ = fitted(zeta=4, n_inducing=10)
    with pytest.raises(GapyError, match="force_tolerance: expected more than 0"):
        gp.potential_.reduced(0.0)
