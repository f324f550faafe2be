"""The sparse GP against dense formulas that share no code with it."""

import numpy as np
import pytest
import scipy.linalg
from dense_gp import frames, functionals, labels, regressor

from gapy.descriptors import CompiledSOAP


class DenseGP:
    """Textbook GP: mean k* (K + noise)^-1 y, variance k** - k* (K + noise)^-1 k*."""

    def __init__(self, phi, y, sigma, delta):
        self.phi, self.delta = phi, delta
        k = delta**2 * phi @ phi.T + np.diag(sigma**2)
        self.factor = scipy.linalg.cho_factor(k)
        self.weights = scipy.linalg.cho_solve(self.factor, y)

    @classmethod
    def of(cls, gp, training):
        compiled, zeta = CompiledSOAP(gp.descriptor), gp.zeta
        noise = {"forces": gp.sigma_forces, "stress": gp.sigma_stress}
        phi, y, sigma = [], [], []
        for atoms in training:
            noise["energy"] = gp.sigma_energy * np.sqrt(len(atoms))
            found = labels(atoms)
            rows = functionals(compiled, atoms, zeta, found)
            for kind, value in found.items():
                phi.append(rows[kind])
                y.append(value)
                sigma.append(np.full(len(value), noise[kind]))
        return cls(np.vstack(phi), np.concatenate(y), np.concatenate(sigma), gp.delta)

    def predict(self, phi):
        cross = self.delta**2 * phi @ self.phi.T
        prior = self.delta**2 * (phi**2).sum(axis=1)
        explained = np.einsum("nk,kn->n", cross, scipy.linalg.cho_solve(self.factor, cross.T))
        return cross @ self.weights, np.sqrt(prior - explained), np.sqrt(prior)


def assert_equals_dense(gp, training, tests, tolerance):
    """Mean and sigma of every quantity, relative to the prior standard deviation."""
    dense = DenseGP.of(gp, training)
    compiled = CompiledSOAP(gp.descriptor)
    for atoms in tests:
        kinds = ("energy", "forces", "stress") if atoms.pbc.any() else ("energy", "forces")
        mean, std = gp.potential_.predict(atoms)
        for kind, phi in functionals(compiled, atoms, gp.zeta, kinds).items():
            name = "energies" if kind == "local" else kind
            expected_mean, expected_std, prior = dense.predict(phi)
            scale = tolerance * prior.max()
            got, sigma = np.ravel(getattr(mean, name)), np.ravel(getattr(std, name))
            np.testing.assert_allclose(got, expected_mean, atol=scale, err_msg=f"mean {kind}")
            np.testing.assert_allclose(sigma, expected_std, atol=scale, err_msg=f"sigma {kind}")


@pytest.mark.parametrize("zeta", [1, 2, 3])
@pytest.mark.parametrize("delta", [1.0, 0.3])
def test_energies_only_with_every_environment_inducing_equals_the_dense_gp(zeta, delta):
    training = frames(8, seed=1, keep=("energy",))
    gp = regressor(zeta=zeta, delta=delta, n_inducing=10**6, selection="random").fit(training)
    n_atoms = sum(len(a) for a in training)
    assert gp.potential_.posterior.blocks[-1].stop == n_atoms
    tests = [*frames(2, seed=2), *frames(1, seed=3, pbc=(0, 0, 0)), training[0]]
    assert_equals_dense(gp, training, tests, tolerance=2e-6)


@pytest.mark.parametrize("selected", ["random", "cholesky"])
def test_energies_forces_stresses_equal_the_dense_gp_when_the_features_are_spanned(selected):
    """Twenty-one features per species, many more environments than that."""
    training = frames(20, seed=4)
    for k in (3, 8):
        training[k].info.pop("REF_energy")
    training[5].arrays.pop("REF_forces")
    training[6].info.pop("REF_stress")
    gp = regressor(n_inducing=10**6, selection=selected, delta=0.7).fit(training)
    tests = [*frames(2, seed=5), *frames(1, seed=6, pbc=(0, 0, 0)), training[0]]
    assert_equals_dense(gp, training, tests, tolerance=1e-4 if selected == "cholesky" else 1e-5)


def test_engine_equals_the_dense_gp():
    """The fast path: energies, forces, stress and local sigma of the calculator."""
    training = frames(20, seed=4)
    gp = regressor(n_inducing=10**6, selection="random").fit(training)
    dense, compiled = DenseGP.of(gp, training), CompiledSOAP(gp.descriptor)
    atoms = frames(1, seed=9)[0]
    atoms.calc = gp.potential_.calculator(uncertainty=True)
    phi = functionals(compiled, atoms, 2)
    for kind, got in (
        ("energy", atoms.get_potential_energy()),
        ("forces", atoms.get_forces()),
        ("stress", atoms.get_stress()),
        ("local", atoms.get_potential_energies()),
    ):
        mean, _, prior = dense.predict(phi[kind])
        np.testing.assert_allclose(np.ravel(got), mean, atol=1e-5 * prior.max())
    _, sigma, _ = dense.predict(phi["local"])
    np.testing.assert_allclose(atoms.calc.results["energies_std"], sigma, atol=1e-5)
