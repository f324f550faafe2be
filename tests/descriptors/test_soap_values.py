"""dscribe's values of SOAP for every setting."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from dscribe.descriptors import SOAP
from helpers import (
    images_within,
    random_rotation,
    random_structure,
    structures,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soap_helpers import (
    MODES,
    SPECIES,
    VALUE_TOLERANCE,
    WEIGHTINGS,
    assert_same,
    dscribe_values,
    make_soap,
    misassigns_weights,
    reference_spectrum,
)

from gapy.descriptors import CompiledSOAP
from gapy.errors import GapyError


@pytest.mark.parametrize("weighted", [False, True], ids=["", "species_weighting"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("rbf", ["gto", "polynomial"])
def test_values_equal_dscribe(rbf, weighting, mode, weighted):
    soap = make_soap(rbf, weighting, mode, n_species=3, n_max=2, l_max=3, weighted=weighted)
    compiled = CompiledSOAP(soap)
    assert compiled.n_features == soap.get_number_of_features()
    for seed, pbc in enumerate([(1, 1, 1), (0, 0, 0), (1, 0, 1)]):
        atoms = random_structure(np.random.default_rng(seed), SPECIES[:3], 4, pbc)
        if misassigns_weights(soap):
            expected = reference_spectrum(soap, atoms, compiled.cutoff)
        else:
            expected = dscribe_values(soap, atoms)
        assert_same(compiled.create(atoms), expected, VALUE_TOLERANCE)


@pytest.mark.parametrize("n_species", [1, 2, 3, 4])
@pytest.mark.parametrize("l_max", range(13))
def test_values_equal_dscribe_for_every_l_max(l_max, n_species):
    rng = np.random.default_rng(l_max)
    atoms = random_structure(rng, SPECIES[:n_species], 4)
    soap = make_soap(n_species=n_species, n_max=2, l_max=l_max, weighting="poly")
    assert_same(CompiledSOAP(soap).create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


@pytest.mark.parametrize("l_max", [0, 5, 9])
def test_values_equal_dscribe_for_polynomials_of_every_l_max(l_max):
    atoms = random_structure(np.random.default_rng(l_max), SPECIES[:2], 4)
    soap = make_soap("polynomial", n_max=2, l_max=l_max, weighting="poly")
    assert_same(CompiledSOAP(soap).create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


@pytest.mark.parametrize("n_max", [1, 5, 8, 9, 12])
def test_values_equal_dscribe_for_every_n_max(n_max):
    atoms = random_structure(np.random.default_rng(n_max), SPECIES[:2], 5)
    for mode in MODES:
        soap = make_soap(n_max=n_max, l_max=4, weighting="poly", mode=mode)
        assert_same(CompiledSOAP(soap).create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


@given(
    atoms=structures(SPECIES[:3], n_atoms=5),
    mode=st.sampled_from(MODES),
    weighting=st.sampled_from(sorted(WEIGHTINGS)),
    sigma=st.floats(0.2, 1.0),
    r_cut=st.floats(1.5, 4.5),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_values_equal_dscribe_in_random_structures(atoms, mode, weighting, sigma, r_cut):
    soap = make_soap("gto", weighting, mode, n_species=3, l_max=4, sigma=sigma, r_cut=r_cut)
    compiled = CompiledSOAP(soap)
    # A neighbour within rounding of dscribe's sharp cutoff may count on one side only.
    lengths = [np.linalg.norm(v) for *_, v in images_within(atoms, compiled.cutoff + 1e-6)]
    if all(abs(d - compiled.cutoff) > 1e-6 for d in lengths):
        assert_same(compiled.create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


@pytest.mark.parametrize(
    "weighting",
    [
        *({"function": "poly", "r0": 3.0, "c": 1.0, "m": m} for m in (0.0, 0.3, 0.7, 1.5, 3.0)),
        *(
            {"function": "pow", "r0": 2.0, "c": 1.0, "d": 1.0, "m": m}
            for m in (0.5, 1.0, 3.0, 40.0)
        ),
        {"function": "exp", "r0": 0.1, "c": 1.0, "d": 1e-9},
    ],
    ids=str,
)
def test_values_equal_dscribe_for_steep_and_singular_weightings(weighting):
    atoms = random_structure(np.random.default_rng(4), SPECIES[:2], 6)
    soap = SOAP(
        species=SPECIES[:2], r_cut=3.0, n_max=3, l_max=3, sigma=0.4, periodic=True,
        weighting=weighting,
    )  # fmt: skip
    assert_same(CompiledSOAP(soap).create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


@pytest.mark.parametrize("rbf", ["gto", "polynomial"])
@pytest.mark.parametrize("mode", MODES)
def test_cells_smaller_than_the_cutoff(rbf, mode):
    soap = make_soap(rbf, "poly", mode, n_max=2)
    atoms = Atoms("SiC", [[0, 0, 0], [1.0, 1.1, 0.9]], pbc=True)
    atoms.cell = [[2.0, 0.2, 0.0], [-0.3, 2.1, 0.1], [0.1, 0.3, 1.9]]
    assert_same(CompiledSOAP(soap).create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


@pytest.mark.parametrize("weighting", ["none", "poly", "w0", "w0-hidden"])
@pytest.mark.parametrize("mode", MODES)
def test_isolated_atoms_and_atoms_without_neighbours(weighting, mode):
    soap = make_soap("gto", weighting, mode)
    for atoms in (
        Atoms("C", cell=[30, 30, 30], pbc=True),
        Atoms("CSiC", [[0, 0, 0], [1.2, 0, 0], [12, 0, 0]], cell=[30, 30, 30]),
    ):
        compiled = CompiledSOAP(soap)
        assert_same(compiled.create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)
        assert np.isfinite(compiled.derivatives(atoms)).all()
    assert not compiled.derivatives(Atoms("C")).any()


def test_atoms_outside_the_cell_count_as_their_images():
    """dscribe 2.1.2 loses neighbours there, the reason for `dscribe_values`."""
    atoms = random_structure(np.random.default_rng(0), SPECIES[:2], 4)
    soap = make_soap("gto", "poly")
    compiled = CompiledSOAP(soap)
    inside = compiled.create(atoms)
    atoms.positions[1] += [2, -1, 3] @ atoms.cell.array
    assert_same(compiled.create(atoms), inside, 1e-11)
    assert_same(reference_spectrum(soap, atoms, compiled.cutoff), inside, 1e-9)
    assert np.abs(soap.create(atoms) - inside).max() > 1e-3 * inside.max()


def test_periodic_false_sees_no_images_as_in_dscribe():
    atoms = bulk("Si", cubic=True)
    soap = make_soap(periodic=False)
    ours = CompiledSOAP(soap).create(atoms)
    assert_same(ours, dscribe_values(soap, atoms), VALUE_TOLERANCE)
    assert np.abs(ours - CompiledSOAP(make_soap()).create(atoms)).max() > 0.01 * ours.max()


def test_molecule_without_a_cell():
    soap = make_soap(n_species=4, periodic=False)
    atoms = molecule("CH3CH2OH")
    assert_same(CompiledSOAP(soap).create(atoms), dscribe_values(soap, atoms), VALUE_TOLERANCE)


def test_dscribe_polynomials_above_l_max_9_are_not_invariant_and_refused():
    rng = np.random.default_rng(2)
    atoms = random_structure(rng, SPECIES[:1], 5, pbc=(0, 0, 0))
    rotated = atoms.copy()
    rotated.positions = atoms.positions @ random_rotation(rng)
    changes = {}
    for rbf, l_max in (("polynomial", 9), ("polynomial", 10), ("gto", 12)):
        soap = make_soap(rbf, n_species=1, n_max=2, l_max=l_max, sigma=0.3, periodic=False)
        before, after = dscribe_values(soap, atoms), soap.create(rotated)
        changes[rbf, l_max] = np.abs(after - before).max() / np.abs(before).max()
    assert changes["polynomial", 10] > 1e-7
    assert changes["polynomial", 10] > 1e4 * changes["polynomial", 9]
    assert changes["gto", 12] < 1e-8
    with pytest.raises(GapyError, match=r"l_max <= 9 with rbf='polynomial', got 10.*use rbf='gto'"):
        CompiledSOAP(make_soap("polynomial", l_max=10))


def test_dscribe_misassigns_species_weights_with_polynomials_and_mu2():
    """The reason why `test_values_equal_dscribe` compares this case with the definition."""
    atoms = Atoms("CSiO", [[0, 0, 0], [1.4, 0, 0], [0, 1.7, 0.3]], cell=[20, 20, 20], pbc=True)
    for rbf, wrong in (("gto", False), ("polynomial", True)):
        soap = make_soap(rbf, "none", "mu2", n_species=3, weighted=True)
        expected = reference_spectrum(soap, atoms, CompiledSOAP(soap).cutoff)
        error = np.abs(dscribe_values(soap, atoms) - expected).max() / expected.max()
        assert (error > 1e-3) == wrong
        assert_same(CompiledSOAP(soap).create(atoms), expected, VALUE_TOLERANCE)


@pytest.mark.parametrize("mode", ["off", "mu2"])
def test_the_reference_agrees_with_dscribe_where_dscribe_is_right(mode):
    soap = make_soap("polynomial", "poly", mode, n_species=2)
    atoms = random_structure(np.random.default_rng(8), SPECIES[:2], 4)
    expected = reference_spectrum(soap, atoms, CompiledSOAP(soap).cutoff)
    assert_same(dscribe_values(soap, atoms), expected, VALUE_TOLERANCE)
