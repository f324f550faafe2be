"""Noise by kind, config_type and structure against explicit covariances."""

import numpy as np
import pytest
import scipy.linalg
from dense_gp import frames, labels, regressor
from scipy.stats import multivariate_normal

from gapy import Noise
from gapy.gp.rows import structure_rows


def test_noise_by_kind_config_type_and_structure_equals_an_explicit_covariance():
    training = frames(6, seed=12)
    for k, atoms in enumerate(training):
        atoms.info["config_type"] = "liquid" if k % 2 else "crystal"
    training[2].info["energy_sigma"] = 0.5
    training[3].info["forces_sigma"] = 0.01
    training[4].info["stress_sigma"] = 0.2
    overrides = {"liquid": {"forces": 0.4, "energy": 0.1}}
    gp = regressor(noise_overrides=overrides).fit(training)
    rows, y, noise = [], [], []
    base = {"energy": 0.02, "forces": 0.1, "stress": 0.01}
    for k, atoms in enumerate(training):
        found = structure_rows(gp.training_.terms, atoms, stress=True)
        for kind, value in labels(atoms).items():
            sigma = overrides.get(atoms.info["config_type"], {}).get(kind, base[kind])
            sigma = {(2, "energy"): 0.5, (3, "forces"): 0.01, (4, "stress"): 0.2}.get(
                (k, kind), sigma
            )
            if kind == "energy":
                sigma *= np.sqrt(len(atoms))
            rows.append(np.atleast_2d(getattr(found, kind)))
            y.append(value)
            noise.append(np.full(len(value), sigma))
    rows, y, noise = np.vstack(rows), np.concatenate(y), np.concatenate(noise)
    k_mm = scipy.linalg.block_diag(*[low @ low.T for low in gp.training_.cholesky])
    precision = k_mm + (rows.T / noise**2) @ rows
    mean = rows @ np.linalg.solve(precision, rows.T @ (y / noise**2))
    np.testing.assert_allclose(rows @ gp.potential_.posterior.alpha, mean, atol=5e-6)
    covariance = rows @ np.linalg.solve(k_mm, rows.T)
    covariance = 0.5 * (covariance + covariance.T) + np.diag(noise**2)
    expected = multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)
    assert gp.log_marginal_likelihood() == pytest.approx(expected, rel=1e-6)


def test_likelihood_for_other_noise_equals_a_refit():
    training = frames(5, seed=13)
    gp = regressor().fit(training)
    other = regressor(sigma_energy=0.1, sigma_forces=0.3, sigma_stress=0.02).fit(training)
    noise = Noise(energy=0.1, forces=0.3, stress=0.02)
    assert gp.log_marginal_likelihood(noise) == pytest.approx(other.log_marginal_likelihood())
    assert gp.log_marginal_likelihood() == gp.potential_.metadata["log_marginal_likelihood"]
