"""Kernels over pairs of atoms against plain NumPy."""

import numpy as np
import pytest

from gapy._jit import pairs

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_pair_vectors(rng):
    positions, cell = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    first, j = np.array([0, 2, 2, 4]), np.array([1, 2, 0, 2])
    shift = rng.integers(-2, 3, (4, 3))
    r = np.empty((4, 3))
    pairs.pair_vectors(positions, cell, first, j, shift, r)
    expected = positions[j] - positions[[0, 0, 2, 2]] + shift @ cell
    np.testing.assert_allclose(r, expected, atol=1e-13)


def test_forces_and_virial_from_pairs(rng):
    atom, first, j = np.array([1, 0]), np.array([0, 1, 3]), np.array([0, 1, 0])
    r, g = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    forces, virial = np.zeros((2, 3)), np.zeros((1, 3, 3))
    given = (atom, first, j, r, g, pairs.ONE_STRUCTURE)
    pairs.forces_from_pairs(0, 2, *given, forces, virial)
    np.testing.assert_allclose(forces[0], -g[0] + g[1], atol=1e-13)
    np.testing.assert_allclose(forces[1], g[0] - g[1], atol=1e-13)
    np.testing.assert_allclose(virial[0], g.T @ r, atol=1e-13)
    in_parts, its_virial = np.zeros((2, 3)), np.zeros((1, 3, 3))
    for k in range(2):
        pairs.forces_from_pairs(k, k + 1, *given, in_parts, its_virial)
    np.testing.assert_array_equal(in_parts, forces)
    np.testing.assert_array_equal(its_virial, virial)


def test_virials_of_several_structures(rng):
    """Of centres in any order, and structures of which some have no centre or no atom."""
    first_m = np.array([0, 2, 2, 3, 5])
    atom = np.array([4, 0, 1, 3])
    first, j = np.array([0, 2, 3, 5, 6]), np.array([3, 4, 1, 0, 0, 4])
    r, g = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    forces, virial = np.zeros((5, 3)), np.zeros((4, 3, 3))
    pairs.forces_from_pairs(0, 4, atom, first, j, r, g, first_m, forces, virial)
    centre = np.repeat(atom, np.diff(first))
    expected = np.zeros((5, 3))
    np.add.at(expected, centre, g)
    np.subtract.at(expected, j, g)
    np.testing.assert_allclose(forces, expected, atol=1e-13)
    for m in range(4):
        here = (first_m[m] <= centre) & (centre < first_m[m + 1])
        np.testing.assert_allclose(virial[m], g[here].T @ r[here], atol=1e-13)


def test_close_pairs(rng):
    """Out of a list by atom, those within the cutoff, centres ordered by species."""
    n, cutoff = 6, 3.0
    positions, cell = rng.uniform(0.0, 3.0, (n, 3)), 1.5 * np.eye(3)
    i = np.repeat(np.arange(n), 5)
    j = rng.integers(0, n, len(i)).astype(np.int32)
    shift = rng.integers(-1, 2, (len(i), 3)).astype(np.int32)
    species = np.array([1, 0, 1, 0, 0, 1], dtype=np.int32)
    order = np.argsort(species, kind="stable")
    first, j_out, r_out = np.empty(n + 1, np.int64), np.empty(31, np.int32), np.empty((31, 3))
    shortest = pairs.close_pairs(
        positions, cell, order, np.arange(0, 31, 5), j, shift, cutoff, first, j_out, r_out
    )
    r = positions[j] - positions[i] + shift @ cell
    d = np.linalg.norm(r, axis=1)
    assert shortest == pytest.approx(d.min() ** 2)
    at = 0
    for k, centre in enumerate(order):
        here = np.flatnonzero((i == centre) & (d < cutoff))
        stop = at + len(here)
        assert (first[k], first[k + 1]) == (at, stop)
        np.testing.assert_array_equal(j_out[at:stop], j[here])
        np.testing.assert_allclose(r_out[at:stop], r[here], atol=1e-13)
        at = stop
    assert 0 < at < 30


def test_largest_displacement(rng):
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    expected = ((a - b) ** 2).sum(axis=1).max()
    assert pairs.largest_displacement(a, b) == pytest.approx(expected)
    for bad in (np.nan, np.inf):
        a[2, 1] = bad
        assert not pairs.largest_displacement(a, b) < np.inf
    assert pairs.largest_displacement(a[:0], b[:0]) == 0.0
