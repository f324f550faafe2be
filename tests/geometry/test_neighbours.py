"""Neighbour lists against ASE and brute force; the Verlet list never misses a pair."""

import ase.neighborlist
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from helpers import images_within, random_cell, random_structure, seeds, structures
from hypothesis import given, settings
from hypothesis import strategies as st

from gapy.errors import StructureError
from gapy.geometry.neighbours import VerletList, neighbour_list


def pairs_of(neighbours, cutoff=np.inf):
    """Sorted rows (i, j, x, y, z) of the pairs closer than the cutoff."""
    rows = np.column_stack([neighbours.i_p, neighbours.j_p, neighbours.r_pc])
    return sort_rows(rows[np.linalg.norm(neighbours.r_pc, axis=1) < cutoff])


def sort_rows(rows):
    rows = np.asarray(rows, dtype=float).reshape(-1, 5)
    return rows[np.lexsort(np.round(rows, 6).T[::-1])]


def brute_force(atoms, cutoff):
    return sort_rows([(i, j, *v) for i, j, v in images_within(atoms, cutoff)])


def search(atoms, cutoff):
    return neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)


def check(atoms, cutoff):
    """Equal to ASE (which wants a cell where it is periodic) and to brute force."""
    ours = search(atoms, cutoff)
    i, j, vector = ase.neighborlist.neighbor_list("ijD", atoms, cutoff)
    theirs = sort_rows(np.column_stack([i, j, vector]))
    got = pairs_of(ours)
    assert got.shape == theirs.shape
    np.testing.assert_allclose(got, theirs, atol=1e-9)
    np.testing.assert_allclose(got, brute_force(atoms, cutoff), atol=1e-9)
    # The convention r = r_j - r_i + S @ cell, and CSR order by centre.
    again = atoms.positions[ours.j_p] - atoms.positions[ours.i_p] + ours.shift_pc @ atoms.cell.array
    np.testing.assert_allclose(ours.r_pc, again, atol=1e-9)
    assert len(ours) == len(atoms)
    assert len(ours.j_p) == ours.first_i[-1]
    return ours


@given(structures(n_atoms=6), st.floats(0.5, 7.0))
@settings(max_examples=60, deadline=None)
def test_random_triclinic_cells_equal_ase(atoms, cutoff):
    check(atoms, cutoff)


@pytest.mark.parametrize("cutoff", [1.0, 3.0, 9.0])
def test_tiny_cell_sees_its_own_images(cutoff):
    atoms = Atoms(
        "Si", [[0.3, 0.4, 0.5]], cell=random_cell(np.random.default_rng(3), 2.2), pbc=True
    )
    found = check(atoms, cutoff)
    assert (found.j_p == 0).all()
    assert (found.shift_pc.any(axis=1)).all(), "an atom is not its own neighbour"


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (0, 0, 1), (0, 0, 0)])
def test_atoms_far_outside_the_cell(pbc):
    rng = np.random.default_rng(5)
    atoms = random_structure(rng, n_atoms=6, pbc=pbc)
    atoms.positions += [50.0, -80.0, 33.0]
    atoms.positions[::2] += 3 * atoms.cell.array[0] * pbc[0]
    check(atoms, 4.0)


def test_no_cell_without_periodicity():
    check(molecule("C2H6"), 3.0)
    assert search(molecule("C2H6"), 3.0).shift_pc.any() is np.False_


def test_slab_with_and_without_a_third_vector():
    slab = fcc111("Al", (2, 2, 3), vacuum=4.0)
    slab.pbc = (True, True, False)
    expected = pairs_of(check(slab, 5.0))
    slab.cell[2] = 0.0
    np.testing.assert_allclose(pairs_of(search(slab, 5.0)), expected, atol=1e-9)
    # The vector of a direction without periodicity means nothing, whatever it is.
    slab.cell[2] = slab.cell[0] + slab.cell[1]
    np.testing.assert_allclose(pairs_of(search(slab, 5.0)), expected, atol=1e-9)


def test_no_pairs_and_no_atoms():
    lone = search(Atoms("Si"), 5.0)
    assert len(lone) == 1 and len(lone.j_p) == 0 and lone.r_pc.shape == (0, 3)
    assert search(Atoms("Si2", [[0, 0, 0], [9, 0, 0]]), 5.0).first_i.tolist() == [0, 0, 0]


def test_every_pair_appears_from_both_ends():
    found = search(bulk("Si").repeat(2), 5.0)
    forward = pairs_of(found)
    backward = sort_rows(np.column_stack([found.j_p, found.i_p, -found.r_pc]))
    np.testing.assert_allclose(forward, backward, atol=1e-9)


# -- Verlet list -------------------------------------------------------------------------------


@given(seeds, st.floats(0.02, 0.6), st.floats(0.0, 0.03), st.floats(0.0, 1.5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_verlet_list_never_misses_a_pair(seed, step, strain, skin, drift):
    rng = np.random.default_rng(seed)
    pbc = rng.integers(0, 2, 3).astype(bool)
    atoms = random_structure(rng, n_atoms=5, pbc=pbc)
    cutoff, verlet = 3.5, VerletList(3.5, skin)
    for _ in range(8):
        current = verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
        expected = brute_force(atoms, cutoff)
        got = pairs_of(current, cutoff)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-9)
        atoms.positions += rng.uniform(-step, step, (5, 3)) + 0.2 * drift
        deformation = np.eye(3) + rng.uniform(-strain, strain, (3, 3))
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=bool(rng.integers(2)))


@pytest.mark.parametrize("skin", [0.2, 1.0])
@pytest.mark.parametrize("fraction", [0.49, 0.51, 0.6, 0.99])
def test_verlet_list_sees_two_atoms_that_approach_each_other(skin, fraction):
    atoms = Atoms("Si2", [[0, 0, 0], [0, 0, 4.0 + skin + 1e-3]], cell=[20, 20, 20], pbc=True)
    verlet = VerletList(4.0, skin)
    assert len(verlet.update(atoms.positions, atoms.cell.array, atoms.pbc).j_p) == 0
    atoms.positions[:, 2] += [fraction * skin, -fraction * skin]
    found = verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    np.testing.assert_allclose(pairs_of(found, 4.0), brute_force(atoms, 4.0), atol=1e-9)
    assert verlet.n_builds == 1 + (fraction > 0.5)


@pytest.mark.parametrize("shrink", [0.1, 0.19, 0.21, 0.3])
def test_verlet_list_sees_images_that_a_strain_brings_closer(shrink):
    """One atom that does not move at all, and its images along a shrinking axis."""
    atoms = Atoms("Si", cell=[20.0, 20.0, 5.01], pbc=True)
    verlet = VerletList(4.0, 1.0)
    verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    atoms.cell[2, 2] *= 1.0 - shrink
    found = verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    np.testing.assert_allclose(pairs_of(found, 4.0), brute_force(atoms, 4.0), atol=1e-9)


def test_verlet_list_rebuilds_rarely():
    atoms = bulk("Si", cubic=True)
    verlet = VerletList(4.0, 1.0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
        atoms.positions += rng.uniform(-0.02, 0.02, (8, 3))
    assert verlet.n_builds == 1
    atoms.positions[0] += 0.6
    verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    assert verlet.n_builds == 2


def test_verlet_list_follows_a_homogeneous_strain_without_a_search():
    atoms = bulk("Si", cubic=True)
    verlet = VerletList(4.0, 1.0)
    verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    atoms.set_cell(atoms.cell.array * 1.01, scale_atoms=True)
    found = verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    assert verlet.n_builds == 1
    np.testing.assert_allclose(pairs_of(found, 4.0), brute_force(atoms, 4.0), atol=1e-9)


def test_verlet_list_notices_another_structure():
    verlet = VerletList(4.0, 1.0)
    one, two = bulk("Si", cubic=True), bulk("Si")
    for atoms in (one, two, one):
        found = verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
        np.testing.assert_allclose(pairs_of(found, 4.0), brute_force(atoms, 4.0), atol=1e-9)
    one.pbc = (True, True, False)
    found = verlet.update(one.positions, one.cell.array, one.pbc)
    np.testing.assert_allclose(pairs_of(found, 4.0), brute_force(one, 4.0), atol=1e-9)


def test_verlet_list_does_not_keep_a_callers_array():
    atoms = bulk("Si", cubic=True)
    verlet = VerletList(4.0, 0.5)
    positions = atoms.positions.copy()
    verlet.update(positions, atoms.cell.array, atoms.pbc)
    positions[0] += 1.0
    moved = atoms.copy()
    moved.positions = positions
    found = verlet.update(positions, atoms.cell.array, atoms.pbc)
    np.testing.assert_allclose(pairs_of(found, 4.0), brute_force(moved, 4.0), atol=1e-9)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite(bad):
    atoms = bulk("Si", cubic=True)
    verlet = VerletList(4.0)
    verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
    positions, cell = atoms.positions.copy(), atoms.cell.array.copy()
    positions[3, 1] = bad
    cell[0, 0] = bad
    for search_with in (lambda p, c: neighbour_list(p, c, True, 4.0),
                        lambda p, c: verlet.update(p, c, np.ones(3, bool))):  # fmt: skip
        with pytest.raises(StructureError, match=r"positions: expected finite.*\[3\]"):
            search_with(positions, atoms.cell.array)
        with pytest.raises(StructureError, match="cell: expected finite"):
            search_with(atoms.positions, cell)


@pytest.mark.parametrize(
    "cell",
    [
        np.zeros((3, 3)),
        np.diag([5.0, 5.0, 0.0]),
        [[5, 0, 0], [5, 0, 0], [0, 0, 5]],
        0.02 * np.eye(3),  # a search would not end
    ],
)
def test_periodic_direction_without_extent(cell):
    with pytest.raises(StructureError, match=r"cell: periodic directions.*set the cell or pbc"):
        neighbour_list(np.zeros((1, 3)), np.array(cell, dtype=float), True, 4.0)


@pytest.mark.parametrize("length", [1e5, 5e5, 1e8, 1e12, 1e300])
@pytest.mark.parametrize("pbc", [True, False])
def test_an_extent_that_would_end_the_process(length, pbc):
    """vesin divides by zero there, which no exception tells."""
    cell = np.diag([length, 4.0, 4.0])
    positions = np.zeros((2, 3))
    positions[1] = [0.9 * length, 1.0, 1.0]
    with np.errstate(all="ignore"), pytest.raises(StructureError):
        neighbour_list(positions, cell, pbc, 0.5 if length < 1e6 else 4.0)


def test_a_cell_without_digits_for_distances():
    with np.errstate(all="ignore"), pytest.raises(StructureError, match="extent of"):
        neighbour_list(np.zeros((1, 3)), 1e100 * np.eye(3), True, 4.0)
