"""Derivatives of SOAP are those of its values."""

import itertools
from functools import partial

import numpy as np
import pytest
from ase import Atoms
from helpers import (
    along,
    along_strain,
    images_within,
    random_structure,
    structures,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from soap_helpers import (
    MODES,
    SPECIES,
    VALUE_TOLERANCE,
    assert_same,
    dscribe_values,
    make_soap,
    misassigns_weights,
)

from gapy.descriptors import CompiledSOAP

DERIVATIVE_TOLERANCE = 1e-6


@pytest.mark.parametrize("weighted", [False, True], ids=["", "species_weighting"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rbf", ["gto", "polynomial"])
@pytest.mark.parametrize("weighting", ["none", "poly", "pow", "exp", "poly-w0", "w0-hidden"])
def test_derivatives_equal_finite_differences(rbf, weighting, mode, weighted):
    soap = make_soap(rbf, weighting, mode, n_species=2, n_max=2, weighted=weighted)
    compiled = CompiledSOAP(soap)
    atoms = smooth_at_cutoff(compiled.cutoff, SPECIES[:2], 4)
    derivatives = compiled.derivatives(atoms)
    create = compiled.create if misassigns_weights(soap) else partial(dscribe_values, soap)
    assert_derivatives(derivatives, create, atoms, np.abs(derivatives).max())


def assert_derivatives(derivatives, create, atoms, scale):
    """Along a random direction, to which every coordinate of every atom contributes."""
    direction = np.random.default_rng(0).normal(size=(len(atoms), 3))
    numerical = along(create, atoms, direction)
    found = np.einsum("ijcd,jc->id", derivatives, direction)
    assert np.abs(found - numerical).max() <= DERIVATIVE_TOLERANCE * scale


def no_pair_at(cutoff, atoms, margin=0.01):
    """Second derivatives may jump there, and finite differences across it are not accurate."""
    lengths = np.array([np.linalg.norm(v) for *_, v in images_within(atoms, cutoff + margin)])
    return not (np.abs(lengths - cutoff) < margin).any()


def smooth_at_cutoff(cutoff, species, n_atoms, pbc=(1, 1, 1)):
    """A random structure without a pair at the cutoff."""
    for seed in itertools.count():
        atoms = random_structure(np.random.default_rng(seed), species, n_atoms, pbc)
        if no_pair_at(cutoff, atoms):
            return atoms


@given(
    atoms=structures(SPECIES[:3], n_atoms=4),
    mode=st.sampled_from(MODES),
    n_max=st.integers(1, 9),
    l_max=st.integers(0, 12),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_derivatives_equal_finite_differences_in_random_structures(atoms, mode, n_max, l_max):
    compiled = CompiledSOAP(make_soap("gto", "poly", mode, 3, n_max, l_max))
    assume(no_pair_at(compiled.cutoff, atoms))
    derivatives, x = compiled.derivatives(atoms, return_descriptor=True)
    np.testing.assert_array_equal(x, compiled.create(atoms))
    # Where all atoms are far apart only the rounding of x is left of the finite differences.
    scale = max(np.abs(derivatives).max(), 1e-4 * np.abs(x).max())
    assert_derivatives(derivatives, compiled.create, atoms, scale)


@pytest.mark.parametrize("mode", ["off", "crossover"])
@pytest.mark.parametrize("l_max", [0, 4, 9])
def test_derivatives_equal_dscribe_where_it_has_them(mode, l_max):
    soap = make_soap("gto", "none", mode, n_species=3, l_max=l_max, periodic=False)
    compiled = CompiledSOAP(soap)
    atoms = smooth_at_cutoff(compiled.cutoff, SPECIES[:3], 5, pbc=(0, 0, 0))
    theirs, x_theirs = soap.derivatives(atoms, attach=True, method="analytical")
    ours, x_ours = compiled.derivatives(atoms, return_descriptor=True)
    assert_same(ours, theirs, VALUE_TOLERANCE)
    assert_same(x_ours, x_theirs, VALUE_TOLERANCE)


def test_derivatives_fold_images_and_sum_to_zero():
    compiled = CompiledSOAP(make_soap("gto", "poly", "mu1nu1"))
    lone = Atoms("Si", cell=[2.0, 2.2, 2.4], pbc=True)
    assert np.abs(compiled.derivatives(lone)).max() < 1e-12
    atoms = random_structure(np.random.default_rng(1), SPECIES[:2], 4, length=2.5)
    d = compiled.derivatives(atoms)
    assert np.abs(d.sum(axis=1)).max() < 1e-11 * np.abs(d).max()


@pytest.mark.parametrize("n_max", [3, 10])
@pytest.mark.parametrize("n_neighbours", [1, 4, 5, 8, 9, 13, 21])
def test_backward_whatever_the_number_of_neighbours(n_neighbours, n_max):
    """Few neighbours are taken two at a time, more of them eight at a time."""
    rng = np.random.default_rng(n_neighbours)
    around = rng.normal(size=(n_neighbours, 3))
    around *= rng.uniform(1.0, 2.0, (n_neighbours, 1)) / np.linalg.norm(around, axis=1)[:, None]
    atoms = Atoms("Si" * (n_neighbours + 1), np.vstack([np.zeros(3), around]))
    compiled = CompiledSOAP(make_soap("gto", "poly", "off", n_species=1, n_max=n_max))
    env = compiled.environments(atoms)
    block = compiled.derivative_block(env, 0, 1)
    assert len(block.j_p) == n_neighbours
    g, store = rng.normal(size=(1, compiled.n_features)), compiled.gradient_store(env)
    state, _ = compiled.forward(env, 0, 1)
    compiled.backward(env, 0, 1, state, g, store)
    expected = block.dx_pcd @ g[0]
    tolerance = 1e-11 * np.abs(expected).max()
    np.testing.assert_allclose(store[:n_neighbours], expected, atol=tolerance)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (0, 0, 0)])
def test_backward_is_the_transpose_of_the_derivatives(mode, pbc):
    """Reverse mode, forward mode and strain agree, centres of several species out of order."""
    rng = np.random.default_rng(7)
    atoms = random_structure(rng, SPECIES[:3], 6, pbc)
    compiled = CompiledSOAP(make_soap("gto", "poly", mode, n_species=3, weighted=True))
    g = rng.normal(size=(len(atoms), compiled.n_features))
    env = compiled.environments(atoms)
    store, forces, virial = compiled.gradient_store(env), np.zeros((6, 3)), np.zeros((3, 3))
    for begin, end in ((0, 2), (2, 6)):
        state, x = compiled.forward(env, begin, end)
        np.testing.assert_array_equal(x, compiled.values(env, begin, end))
        compiled.backward(
            env, begin, end, state, np.ascontiguousarray(g[env.atom_i[begin:end]]), store
        )
    compiled.collect(env, 0, 6, store, forces, virial)
    expected = -np.einsum("id,ijcd->jc", g, compiled.derivatives(atoms))
    np.testing.assert_allclose(forces, expected, atol=1e-10 * np.abs(expected).max())

    def energy(a):
        return (g * compiled.create(a)).sum()

    for v, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        numerical = along_strain(energy, atoms, v)
        assert abs(0.5 * (virial[a, b] + virial[b, a]) - numerical) < 1e-6 * np.abs(virial).max()
