"""Rows of K_nM and prior variances against the feature space."""

import numpy as np
import pytest
import scipy.linalg
from dense_gp import frames, functionals, regressor, tiny_soap
from helpers import random_structure

from gapy.descriptors import CompiledSOAP
from gapy.gp.prior import prior_variances
from gapy.gp.rows import structure_rows
from gapy.gp.terms import Term, normalised


@pytest.mark.parametrize("zeta", [1, 2, 3])
@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 0, 0)])
def test_rows_and_prior_variances_equal_the_feature_space(zeta, pbc):
    rng = np.random.default_rng(zeta)
    compiled = CompiledSOAP(tiny_soap())
    inducing = tuple(normalised(rng.normal(size=(m, 6))) for m in (5, 3))
    terms = (Term(compiled, zeta, inducing, (0.5, 2.0)),)
    atoms = random_structure(rng, ("Si", "C"), 5, pbc, length=3.5)
    phi = functionals(compiled, atoms, zeta)

    def power(x):
        out = x
        for _ in range(zeta - 1):
            out = np.einsum("if,id->ifd", out, x).reshape(len(x), -1)
        return out

    # Features of the inducing points, in the block of their species; delta is not in the rows.
    phi_s = scipy.linalg.block_diag(*[power(x) for x in inducing])
    rows = structure_rows(terms, atoms, local=True, stress=True)
    scale = np.repeat([0.5, 2.0], 6**zeta)
    prior = prior_variances(terms, atoms, stress=True)
    for kind in ("energy", "forces", "stress"):
        np.testing.assert_allclose(
            np.atleast_2d(getattr(rows, kind)), phi[kind] @ phi_s.T, atol=1e-7, err_msg=kind
        )
        expected = ((phi[kind] * scale) ** 2).sum(axis=1)
        got = np.atleast_1d(getattr(prior, kind))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9, err_msg=kind)
    np.testing.assert_allclose(rows.local, phi["local"] @ phi_s.T, atol=1e-12)
    assert (prior.forces_size >= prior.forces * (1 - 1e-9)).all()
    assert (prior.stress_size >= prior.stress * (1 - 1e-9)).all()
    values = structure_rows(terms, atoms, local=True, forces=False)
    np.testing.assert_allclose(values.energy, rows.energy, atol=1e-12)
    np.testing.assert_allclose(values.local, rows.local, atol=1e-12)


def test_rows_do_not_depend_on_the_size_of_the_chunks(monkeypatch):
    gp = regressor().fit(frames(4))
    atoms = frames(1, seed=7, n_atoms=7)[0]
    whole = structure_rows(gp.potential_.terms, atoms, local=True, stress=True)
    monkeypatch.setattr("gapy.gp.rows.CHUNK_BYTES", 1)
    parts = structure_rows(gp.potential_.terms, atoms, local=True, stress=True)
    for kind in ("energy", "local", "forces", "stress"):
        np.testing.assert_allclose(getattr(parts, kind), getattr(whole, kind), atol=1e-12)
