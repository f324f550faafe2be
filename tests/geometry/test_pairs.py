"""Pair lists that another program hands in, and what a descriptor sees of them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import random_structure

from gapy.descriptors import as_descriptor, smooth_soap
from gapy.errors import SpeciesError, StructureError
from gapy.geometry.pairs import Pairs, pairs_within

SOAP = as_descriptor(smooth_soap(["C", "Si"], r_cut=3.5, n_max=2, l_max=2))


@pytest.fixture
def atoms():
    return random_structure(np.random.default_rng(3), ["C", "Si"], 7)


def test_a_longer_list_gives_the_same_environments(atoms):
    own, longer = SOAP.environments(atoms), pairs_within(atoms, 4.5)
    assert len(longer.j_p) > len(own.j_p)
    found = SOAP.select(atoms.numbers, longer)
    np.testing.assert_array_equal(found.atom_i, own.atom_i)
    np.testing.assert_array_equal(found.first_i, own.first_i)
    np.testing.assert_allclose(SOAP.values(found, 0, 7), SOAP.values(own, 0, 7), rtol=1e-12)


def test_pairs_by_species_at_the_descriptors_cutoff_are_not_copied(atoms):
    atoms = atoms[np.argsort(atoms.numbers)]
    pairs = pairs_within(atoms, SOAP.cutoff)
    env = SOAP.select(atoms.numbers, pairs)
    assert env.r_pc is pairs.r_pc and env.j_p is pairs.j_p and env.first_i is pairs.first_i


def test_only_listed_atoms_are_centres(atoms):
    pairs, whole = pairs_within(atoms, 4.0), SOAP.environments(atoms)
    chosen = np.array([5, 0, 3])
    spans = [np.arange(*pairs.first_i[i : i + 2]) for i in chosen]
    some = Pairs(
        chosen, np.cumsum([0, *map(len, spans)]), pairs.j_p[np.concatenate(spans)],
        pairs.r_pc[np.concatenate(spans)], 4.0,
    )  # fmt: skip
    some = some.checked(len(atoms))
    env = SOAP.select(atoms.numbers, some)
    assert sorted(env.atom_i) == [0, 3, 5]
    x_id = SOAP.values(whole, 0, 7)[np.argsort(whole.atom_i)]
    np.testing.assert_allclose(SOAP.values(env, 0, 3), x_id[env.atom_i], rtol=1e-12)


def test_a_descriptor_does_not_see_species_that_it_does_not_know(atoms):
    carbon = as_descriptor(smooth_soap(["C"], r_cut=3.5, n_max=2, l_max=2))
    env = carbon.environments(atoms)
    is_carbon = np.flatnonzero(atoms.numbers == 6)
    np.testing.assert_array_equal(env.atom_i, is_carbon)
    assert np.isin(env.j_p, is_carbon).all()
    alone = carbon.create(atoms[is_carbon])
    np.testing.assert_allclose(carbon.values(env, 0, len(env)), alone, rtol=1e-12)
    for verb in (carbon.create, carbon.derivatives):  # one row for each atom, or an error
        with pytest.raises(SpeciesError, match=r"knows \['C'\].*\['Si'\]"):
            verb(atoms)


def test_a_list_that_is_too_short_is_refused(atoms):
    with pytest.raises(StructureError, match=r"cutoff 3\.5000 A, got a list of cutoff 3\.0000"):
        SOAP.select(atoms.numbers, pairs_within(atoms, 3.0))


def test_arrays_are_converted_and_shapes_checked():
    r_pc = [[1.0, 0.0, 0.0]]
    pairs = Pairs([0], [0, 1], [1], r_pc, 3.0).checked(2)
    types = [getattr(pairs, name).dtype for name in ("centre_i", "first_i", "j_p", "r_pc")]
    assert types == [np.int64, np.int64, np.int32, np.float64]
    with pytest.raises(StructureError, match=r"first_i \(c \+ 1,\)"):
        Pairs([0], [0], [1], r_pc, 3.0).checked(2)
    with pytest.raises(StructureError, match=r"j_p: expected integers, got float64"):
        Pairs([0], [0, 1], [1.0], r_pc, 3.0).checked(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_i": np.array([0, 2, 1])}, "first_i: expected numbers that rise from 0 to 2"),
        ({"first_i": np.array([0, 1, 1])}, "first_i"),
        ({"centre_i": np.array([0, 0])}, "centre_i: expected each centre once, from 0 to 2"),
        ({"centre_i": np.array([0, 3])}, "centre_i"),
        ({"j_p": np.array([1, 3], dtype=np.int32)}, "j_p from 0 to 2.*got atom 3.*in pair 1"),
        ({"j_p": np.array([-1, 0], dtype=np.int32)}, "got atom -1.*in pair 0"),
        ({"r_pc": np.array([[1.0, 0, 0], [np.nan, 0, 0]])}, "finite vectors.*nan.*in pair 1"),
        ({"r_pc": np.array([[1.0, 0, 0], [0.0, 0, 0]])}, "atoms 2 and 0 are on top of each other"),
    ],
)
def test_what_no_evaluation_may_meet(change, message):
    pairs = Pairs(np.array([0, 2]), np.array([0, 1, 2]), [1, 0], np.eye(3)[:2], 3.0)
    pairs.checked(3)
    with pytest.raises(StructureError, match=message):
        replace(pairs, **change).checked(3)
