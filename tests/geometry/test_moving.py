"""Pairs along a trajectory: those of a fresh search, whatever happened before."""

import numpy as np
import pytest
from helpers import random_structure
from hypothesis import given, settings
from hypothesis import strategies as st

from gapy.descriptors import as_descriptor, smooth_soap
from gapy.errors import StructureError
from gapy.geometry.moving import MovingPairs

FIELDS = ("atom_i", "species_i", "start_s", "first_i")
SOAP = as_descriptor(smooth_soap(["C", "Si"], r_cut=3.5, n_max=2, l_max=2))


def same(env, expected):
    """Equal centres, and for every centre the same neighbours in any order."""
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(env, name), getattr(expected, name), err_msg=name)
    assert env.j_p.dtype == expected.j_p.dtype and env.species_p.dtype == expected.species_p.dtype
    assert env.r_pc.flags.c_contiguous
    for lo, hi in zip(env.first_i[:-1], env.first_i[1:]):
        rows = [
            np.column_stack([e.j_p[lo:hi], e.species_p[lo:hi], e.r_pc[lo:hi]])
            for e in (env, expected)
        ]
        ordered = [r[np.lexsort(np.round(r, 6).T)] for r in rows]
        np.testing.assert_allclose(*ordered, atol=1e-10)


class Moving:
    """What a descriptor sees of one list along a trajectory."""

    def __init__(self, skin, cutoff=SOAP.cutoff):
        self._pairs = MovingPairs(cutoff, skin)

    def update(self, atoms):
        return SOAP.select(atoms.numbers, self._pairs.update(atoms))


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.02, 0.6),
    st.floats(0.0, 0.03),
    st.floats(0.0, 1.5),
    st.sampled_from([0.0, 1.0]),
)
@settings(max_examples=30, deadline=None)
def test_equal_to_a_fresh_search(seed, step, strain, skin, beyond):
    rng = np.random.default_rng(seed)
    atoms = random_structure(rng, ["C", "Si"], 6, pbc=rng.integers(0, 2, 3).astype(bool))
    moving = Moving(skin, SOAP.cutoff + beyond)
    for k in range(6):
        same(moving.update(atoms), SOAP.environments(atoms))
        atoms.positions += rng.uniform(-step, step, (6, 3))
        deformation = np.eye(3) + rng.uniform(-strain, strain, (3, 3))
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=bool(rng.integers(2)))
        if k == 3:
            atoms.numbers = rng.permutation(atoms.numbers)


def test_another_structure_and_no_atoms():
    rng = np.random.default_rng(0)
    moving = Moving(0.5)
    big, small = (random_structure(rng, ["C", "Si"], n) for n in (7, 4))
    for atoms in (big, small, small[:0], big):
        same(moving.update(atoms), SOAP.environments(atoms))


def test_same_errors_as_the_descriptor():
    atoms = random_structure(np.random.default_rng(1), ["C", "Si"], 5)
    moving = Moving(0.5)
    moving.update(atoms)
    for spoil in ("coincident", "nan", "cell"):
        bad = atoms.copy()
        if spoil == "coincident":
            bad.positions[4] = bad.positions[1]
        elif spoil == "nan":
            bad.positions[3, 0] = np.nan
        else:
            bad.cell[:] = np.inf
        with pytest.raises(StructureError) as expected:
            SOAP.environments(bad)
        with pytest.raises(type(expected.value)) as found:
            moving.update(bad)
        if spoil != "coincident":
            assert str(found.value) == str(expected.value)
        else:
            assert "atoms 1 and 4" in str(found.value) or "atoms 4 and 1" in str(found.value)
        same(moving.update(atoms), SOAP.environments(atoms))


def test_the_environments_of_the_step_before_stay():
    atoms = random_structure(np.random.default_rng(2), ["C", "Si"], 5)
    moving = Moving(0.5)
    first = moving.update(atoms)
    vectors = first.r_pc.copy()
    atoms.positions += 0.01 * np.random.default_rng(3).normal(size=(5, 3))
    moving.update(atoms)
    np.testing.assert_array_equal(first.r_pc, vectors)
