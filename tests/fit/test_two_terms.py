"""Models of two terms: error bars look at both, and a term may serve some species only."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import along_atom, along_strain, labelled_frames

import gapy
from gapy import SparseGPRegressor
from gapy.data import frames
from gapy.descriptors import as_descriptor, smooth_soap
from gapy.error_bars.calibration import FIRST
from gapy.error_bars.extrapolation import Extrapolation, contacts
from gapy.errors import SpeciesError
from gapy.fit.update import update
from gapy.gp.prior import prior_variances
from gapy.gp.rows import structure_rows
from gapy.gp.terms import Term, local_prior
from gapy.validation.reliability import spearman

LONG = smooth_soap(["Si"], r_cut=5.0, n_max=4, l_max=3)
SHORT = smooth_soap(["Si"], r_cut=3.5, n_max=4, l_max=3)


def fitted(descriptors, n_inducing):
    return SparseGPRegressor(descriptors, n_inducing).fit(frames("si", "train")[::2]).potential_


@pytest.fixture(scope="module")
def one():
    return fitted([LONG], 120)


@pytest.fixture(scope="module")
def two():
    return fitted([LONG, SHORT], 100)


def errors_and_sigmas(potential):
    """Of structures that the fit has not seen: a thousand atoms, for ranks worth comparing."""
    errors, sigmas = [], []
    for atoms in frames("si", "train")[1::2] + frames("si", "test"):
        out = potential.evaluate(atoms, force_std=True)
        errors.append(out.forces - atoms.arrays["REF_forces"])
        sigmas.append(out.forces_std)
    return np.concatenate(errors), np.concatenate(sigmas)


def test_sigma_of_two_terms_is_calibrated_and_ranks_as_that_of_one(one, two):
    ranks = {}
    for name, potential in (("one", one), ("two", two)):
        errors, sigma = errors_and_sigmas(potential)
        z = np.abs(errors) / sigma[:, None]
        assert 0.62 < (z < 1.0).mean() < 0.75
        assert 0.87 < (z < 1.96).mean() < 0.97
        ranks[name] = spearman(sigma, (errors**2).mean(axis=1))
    assert ranks["two"] > ranks["one"] - 0.05


def test_the_order_of_the_terms_does_not_matter(two):
    """Neither a first term nor its cutoff decides what sigma sees."""
    other = fitted([SHORT, LONG], 100)
    for atoms in frames("si", "test")[::6]:
        a, b = (p.evaluate(atoms, local_std=True, force_std=True) for p in (two, other))
        np.testing.assert_allclose(b.forces, a.forces, atol=1e-6)
        np.testing.assert_allclose(b.energies_std, a.energies_std, rtol=1e-4)
        np.testing.assert_allclose(b.forces_std, a.forces_std, rtol=1e-4)


def test_indicators_sum_over_the_terms(two):
    """Against the plain formula, from rows; the fast path and the exact one agree."""
    atoms = frames("si", "test")[5]
    pairs = two.neighbourhood(atoms).pairs
    own = two.evaluate_arrays(atoms.numbers, pairs, indicators=True).indicators
    rows = structure_rows(two.terms, atoms, local=True, forces=False).local
    prior = local_prior(two.terms, atoms.numbers)
    explained, posterior = two.posterior.explained_and_posterior(rows)
    near, first = two.near.explained(rows), two.near.leading(FIRST).explained(rows)
    expected = np.stack([prior - first, prior - near, prior - explained + posterior], axis=1)
    np.testing.assert_allclose(own[:, :3], expected, rtol=1e-4)
    assert pairs.cutoff == two.cutoff == 5.0
    exact = two.predict(atoms)[1]
    fast = two.evaluate(atoms, local_std=True).energies_std
    np.testing.assert_allclose(fast, exact.energies, rtol=1e-2)
    assert np.isfinite(exact.forces).all() and exact.energy > 0.0


def test_calculator_and_file(two, tmp_path):
    two.save(tmp_path / "two.gapy")
    loaded = gapy.load(tmp_path / "two.gapy")
    atoms = frames("si", "test")[0].copy()
    calculators = [p.calculator(uncertainty=True) for p in (two, loaded)]
    rng = np.random.default_rng(0)
    for _ in range(3):
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        fresh = two.evaluate(atoms, force_std=True)
        for calculator in calculators:
            calculator.calculate(atoms)
            found = calculator.results
            np.testing.assert_allclose(found["forces"], fresh.forces, atol=1e-10)
            np.testing.assert_allclose(found["forces_std"][:, 0], fresh.forces_std, rtol=1e-8)


def test_contacts_of_all_terms():
    """Each term knows its own species and looks as far as its own cutoff."""
    near = Extrapolation((None,), np.array([[0.0]]))
    far = Extrapolation((None, None), np.array([[2.5, 2.3], [2.3, 0.0]]))
    terms = [_Term((29,)), _Term((13, 29), 5.0)]
    found = contacts(terms, (near, far))
    assert found.cutoff == 5.0 and found.nearest_s is None
    known = [replace(near, nearest_s=np.array([3.5])), replace(far, nearest_s=np.array([3.0, 2.5]))]
    np.testing.assert_array_equal(contacts(terms, known).nearest_s, [3.0, 3.5])
    assert found.species == (13, 29)
    np.testing.assert_array_equal(found.least_ss, far.least_ss)
    assert contacts(terms, (None, None)) is None
    assert contacts(terms, (near, None)).species == (29,)


class _Term:
    def __init__(self, species, cutoff=4.0):
        self.descriptor = self
        self.species, self.cutoff = species, cutoff


# -- terms for some species ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def subset():
    """A term for both metals and one for copper alone."""
    both = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    copper = smooth_soap(["Cu"], r_cut=4.5, n_max=3, l_max=2)
    return SparseGPRegressor([both, copper], n_inducing=20).fit(labelled_frames(18, seed=1))


def test_a_term_for_one_species_through_fit_and_use(subset, tmp_path):
    potential = subset.potential_
    assert potential.species == (13, 29) and len(potential.posterior.blocks) == 3
    potential.save(tmp_path / "m.gapy")
    loaded = gapy.load(tmp_path / "m.gapy")
    for atoms in labelled_frames(3, seed=5):
        out = potential.evaluate(atoms, local_std=True, force_std=True)
        mean, std = potential.predict(atoms)
        assert mean.energy == pytest.approx(out.energy, abs=1e-8)
        np.testing.assert_allclose(mean.forces, out.forces, atol=1e-7)
        np.testing.assert_allclose(out.energies_std, std.energies, rtol=1e-2)
        assert (out.forces_std > 0.0).all() and np.isfinite(out.forces_std).all()
        atoms.calc = loaded.calculator(uncertainty=True)
        np.testing.assert_allclose(atoms.get_forces(), out.forces, atol=1e-10)
        np.testing.assert_allclose(
            atoms.calc.results["forces_std"][:, 0], out.forces_std, rtol=1e-8
        )
        slope = along_atom(lambda a: potential.evaluate(a).energy, atoms, 1, 0)
        assert out.forces[1, 0] == pytest.approx(-slope, abs=1e-6)
        slope = along_strain(lambda a: potential.evaluate(a).energy, atoms, 0)
        assert out.virial[0, 0] == pytest.approx(slope, abs=1e-5)


def test_a_term_says_nothing_of_centres_that_it_has_no_points_for(subset):
    """As if its descriptor did not know their species."""
    first, copper = subset.training_.terms
    knows_both = smooth_soap(["Al", "Cu"], r_cut=4.5, n_max=3, l_max=2)
    points = np.zeros((1, as_descriptor(knows_both).n_features))
    points[0, 0] = 1.0
    silent = Term(as_descriptor(knows_both), 4, (points[:0], points), (3.0, copper.delta[0]))
    np.testing.assert_allclose(
        local_prior([first, silent], np.array([13, 29])),
        [first.delta[0] ** 2, first.delta[1] ** 2 + copper.delta[0] ** 2],
    )
    aluminium = labelled_frames(2, seed=3)[1]
    assert set(aluminium.numbers) == {13}
    alone, with_silent = (prior_variances(t, aluminium) for t in ([first], [first, silent]))
    assert with_silent.energy == alone.energy
    np.testing.assert_array_equal(with_silent.forces, alone.forces)


def test_more_data_for_a_model_with_a_term_for_some_species(subset):
    new = labelled_frames(6, seed=9)
    gp = SparseGPRegressor(**subset.get_params()).fit(labelled_frames(6, seed=1)).partial_fit(new)
    assert gp.n_structures_ == 12
    update(gp, labelled_frames(3, seed=11))
    assert gp.potential_.species == (13, 29)


def test_sublattices_that_do_not_see_each_other():
    """Without a term that knows both, the energy is the sum of those of the sublattices."""
    soaps = [smooth_soap([s], r_cut=4.0, n_max=3, l_max=2) for s in ("Al", "Cu")]
    potential = SparseGPRegressor(soaps, n_inducing=10).fit(labelled_frames(12, seed=1)).potential_
    alloy = labelled_frames(3, seed=3)[2]
    parts = [alloy[alloy.numbers == z] for z in (13, 29)]
    total = sum(potential.evaluate(part).energy for part in parts)
    assert potential.evaluate(alloy).energy == pytest.approx(total, abs=1e-9)
    sigma = potential.evaluate(alloy, force_std=True).forces_std
    assert (sigma > 0.0).all()


def test_every_species_needs_a_term():
    copper = smooth_soap(["Cu"], r_cut=4.0, n_max=3, l_max=2)
    with pytest.raises(SpeciesError, match="Al"):
        SparseGPRegressor([copper, copper], n_inducing=5).fit(labelled_frames(6, seed=1))
    pure = [a for a in labelled_frames(12, seed=1) if set(a.numbers) == {29}]
    potential = SparseGPRegressor(copper, n_inducing=5).fit(pure).potential_
    with pytest.raises(SpeciesError, match=r"fitted for \['Cu'\].*\['Al'\]"):
        potential.evaluate(labelled_frames(2, seed=1)[1])
