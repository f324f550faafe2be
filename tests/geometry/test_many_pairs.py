"""Small structures without a search, and many in one list: pairs and order of the search."""

from unittest.mock import patch

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from helpers import PERIODICITY, random_structure, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from gapy.errors import StructureError
from gapy.geometry import neighbours
from gapy.geometry.many import pairs_of_many, pairs_of_part
from gapy.geometry.pairs import pairs_within

ARRAYS = ("centre_i", "first_i", "j_p", "r_pc")


def searched(atoms, cutoff, periodic=True):
    """Pairs from the search, however small the structure."""
    with patch.object(neighbours, "SMALL", (-1, -1)):
        return pairs_within(atoms, cutoff, periodic=periodic)


def equal(a, b):
    assert a.cutoff == b.cutoff
    for name in ARRAYS:
        found, expected = getattr(a, name), getattr(b, name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def some(seed, n_structures):
    """Structures of up to eight atoms, of any periodicity, some far from the origin; one empty."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_structures):
        pbc = PERIODICITY[rng.integers(len(PERIODICITY))]
        frames.append(random_structure(rng, n_atoms=int(rng.integers(1, 9)), pbc=pbc))
        frames[-1].translate(rng.choice([0.0, 300.0]))
    return [*frames, Atoms(cell=4 * np.eye(3), pbc=True)]


@given(seeds, st.floats(0.5, 8.0), st.booleans())
@settings(max_examples=40)
def test_pairs_are_those_of_the_search(seed, cutoff, periodic):
    frames = some(seed, 6)
    together, first_m = pairs_of_many(frames, cutoff, periodic=periodic)
    assert together.checked(sum(map(len, frames))) is not None
    for m, atoms in enumerate(frames):
        expected = searched(atoms, cutoff, periodic)
        equal(pairs_within(atoms, cutoff, periodic=periodic), expected)
        equal(pairs_of_part(together, first_m[m], first_m[m + 1]), expected)


def test_cells_of_one_atom_and_flat_ones():
    flat = Atoms("Cu2", [[0, 0, 0], [1.2, 0.9, 0.4]], cell=[[9, 0, 0], [8.5, 2, 0], [0, 0, 2]])
    for pbc in ((1, 1, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1), (0, 1, 0)):
        flat.pbc = pbc
        equal(pairs_within(flat, 5.0), searched(flat, 5.0))
    one = bulk("Cu")
    equal(pairs_within(one, 6.0), searched(one, 6.0))
    one.set_cell(-one.cell.array[::-1])  # left-handed
    equal(pairs_within(one, 6.0), searched(one, 6.0))


def test_large_structures_among_small_ones_are_searched():
    frames = [molecule("CH4"), bulk("Si", cubic=True).repeat(4), bulk("Si"), Atoms()]
    together, first_m = pairs_of_many(frames, 5.0)
    for m, atoms in enumerate(frames):
        equal(pairs_of_part(together, first_m[m], first_m[m + 1]), searched(atoms, 5.0))


def test_no_structures_have_no_pairs():
    together, first_m = pairs_of_many([], 4.0)
    assert len(together) == len(together.j_p) == 0 and first_m.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.positions.__setitem__((1, 2), np.nan), "NaN or infinity for atoms .1."),
        (lambda a: a.set_cell(np.diag([np.inf, 1, 1])), "cell: expected finite"),
        (lambda a: setattr(a, "pbc", True), "linearly independent lattice vectors"),
        (lambda a: a.positions.__setitem__(1, a.positions[0]), "on top of each other"),
        (lambda a: a.positions.__setitem__((1, 0), 1e13), "within a usual distance"),
        (lambda a: (a.set_cell(0.2 * np.eye(3)), setattr(a, "pbc", True)), "reaches about"),
    ],
)
def test_what_the_search_refuses_is_refused(change, message):
    atoms = molecule("H2O")
    change(atoms)
    for search in (searched, pairs_within):
        with pytest.raises(StructureError, match=message):
            search(atoms, 4.0)
    with pytest.raises(StructureError, match=message):
        pairs_of_many([molecule("CH4"), atoms], 4.0)
