"""Distances from leading inducing points, with an exponent of their own."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import labelled_frames, labels_in

import gapy
from gapy.descriptors import smooth_soap
from gapy.error_bars.calibration import (
    COARSE,
    COARSE_LEAST,
    EXPONENT,
    FIRST,
    ForceCalibration,
    coarse_points,
)
from gapy.error_bars.cross_validation import OWN, leave_one_out
from gapy.error_bars.landmarks import landmarks
from gapy.fit.labels import stacked
from gapy.gp.rows import structure_rows
from gapy.gp.terms import JITTER, local_prior
from gapy.structures import from_atoms


@pytest.fixture(scope="module")
def frames():
    return labelled_frames(12, seed=3)


@pytest.fixture(scope="module", params=[1, 2, 3])
def blunt(request, frames):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=20, zeta=request.param).fit(frames)


def local_rows(potential, atoms):
    return structure_rows(potential.terms, atoms, local=True, forces=False).local


def left(k_nm, x_md, delta, exponent):
    """Prior variance that points with kernel values k leave, by the plain formula."""
    k_mm = (x_md @ x_md.T) ** exponent + JITTER * np.eye(len(x_md))
    return delta**2 * (1.0 - np.einsum("nm,mn->n", k_nm, np.linalg.solve(k_mm, k_nm.T)))


def test_distances_are_those_of_the_sharper_kernel(blunt, frames):
    potential = blunt.potential_
    assert potential.calibration.exponent == EXPONENT
    assert potential.calibration.coarse == coarse_points([1, 3]) != coarse_points([2, 4])
    zeta = potential.terms[0].zeta
    for atoms in frames[:2]:
        rows = local_rows(potential, atoms)
        prior = local_prior(potential.terms, atoms.numbers)
        pairs = potential.neighbourhood(atoms).pairs
        own = potential.evaluate_arrays(atoms.numbers, pairs, indicators=True).indicators
        for column, near in ((1, potential.near), (0, potential.near.leading(FIRST))):
            np.testing.assert_allclose(
                prior - near.explained(rows), own[:, column], rtol=1e-6, atol=1e-10
            )
        for b in potential.posterior.blocks:
            here = atoms.numbers == potential.terms[0].descriptor.species[b.slot]
            t_nm = np.abs(rows[here][:, b.columns]) ** (1.0 / zeta)
            expected = left(t_nm**EXPONENT, b.x_sd, b.delta, EXPONENT)
            np.testing.assert_allclose(own[here, 1], expected, rtol=1e-5, atol=1e-9)


def test_distances_without_own_points_are_those_of_a_smaller_set(blunt, frames):
    potential = blunt.potential_
    s = next(s for s in from_atoms(frames) if (local_rows(potential, s.atoms) > OWN).any())
    rows, labels = labels_in(blunt, s)
    stack = stacked(labels, potential.noise)
    prior = local_prior(potential.terms, s.atoms.numbers)
    near = landmarks(potential.posterior, 1.0, 0, EXPONENT)
    l_mn = potential.posterior.whiten(stack.rows)
    out = leave_one_out(
        potential.posterior, l_mn, stack.y, stack.sigma, rows.local, prior, near=near
    )
    for b in potential.posterior.blocks:
        own = (rows.local[:, b.columns] > OWN).any(axis=0)
        here = s.atoms.numbers == potential.terms[0].descriptor.species[b.slot]
        t_nm = np.abs(rows.local[here][:, b.columns][:, ~own]) ** (1.0 / potential.terms[0].zeta)
        expected = left(t_nm**EXPONENT, b.x_sd[~own], b.delta, EXPONENT)
        np.testing.assert_allclose(out.distances[here], expected, rtol=1e-3, atol=1e-7)


def test_a_sharp_kernel_keeps_its_factors(frames):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    posterior = gapy.SparseGPRegressor(soap, n_inducing=20, zeta=4).fit(frames).potential_.posterior
    near = landmarks(posterior, 0.5, 5, EXPONENT)
    coarse = posterior.coarse(0.5, 5)
    np.testing.assert_array_equal(near.columns, coarse.columns)
    for a, b in zip(near.cholesky, coarse.cholesky):
        np.testing.assert_array_equal(a, b)
    rows = np.random.default_rng(0).normal(size=(3, len(posterior.w)))
    np.testing.assert_array_equal(near.kernel(rows), rows[:, coarse.columns])


def test_files_without_an_exponent_measure_with_zeta(blunt, frames):
    numbers = blunt.potential_.calibration.to_dict()
    assert ForceCalibration.from_dict(numbers) == blunt.potential_.calibration
    del numbers["exponent"], numbers["coarse"]
    old = replace(blunt.potential_, calibration=ForceCalibration.from_dict(numbers))
    assert old.calibration.exponent == 1
    assert old.calibration.coarse == (COARSE, COARSE_LEAST)
    rows = local_rows(old, frames[0])
    explained, _ = old.posterior.explained_and_posterior(rows)
    np.testing.assert_allclose(old.near.explained(rows), explained, rtol=1e-9)


def test_a_saved_potential_has_the_same_sigmas(blunt, frames, tmp_path):
    blunt.potential_.save(tmp_path / "model.gapy")
    loaded = gapy.load(tmp_path / "model.gapy")
    before, after = (p.evaluate(frames[0], force_std=True) for p in (blunt.potential_, loaded))
    np.testing.assert_array_equal(before.forces_std, after.forces_std)
