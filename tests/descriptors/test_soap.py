"""SOAP as physics, its settings, and what it refuses."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from dscribe.descriptors import SOAP
from helpers import (
    random_rotation,
    random_structure,
)
from soap_helpers import (
    MODES,
    SPECIES,
    VALUE_TOLERANCE,
    assert_same,
    dscribe_values,
    make_soap,
    reference_spectrum,
)

from gapy.descriptors import CompiledSOAP, as_descriptor, smooth_soap
from gapy.descriptors.radial_basis import weighting_function
from gapy.descriptors.soap import warn_if_rough
from gapy.errors import GapyError, SpeciesError, StructureError


@pytest.mark.parametrize("rbf", ["gto", "polynomial"])
@pytest.mark.parametrize("mode", MODES)
def test_rotation_inversion_translation_and_permutation(rbf, mode):
    rng = np.random.default_rng(9)
    compiled = CompiledSOAP(make_soap(rbf, "poly", mode, l_max=6, n_max=2))
    atoms = random_structure(rng, SPECIES[:2], 5)
    x = compiled.create(atoms)
    for turn in (random_rotation(rng), -np.eye(3)):
        turned = atoms.copy()
        turned.positions, turned.cell = atoms.positions @ turn, atoms.cell.array @ turn
        assert_same(compiled.create(turned), x, 1e-10)
    moved = atoms.copy()
    moved.positions += [5.0, -3.0, 11.0]
    moved.wrap()
    assert_same(compiled.create(moved), x, 1e-10)
    order = rng.permutation(5)
    assert_same(compiled.create(atoms[order]), x[order], 1e-12)


def test_supercell_repeats_the_values():
    compiled = CompiledSOAP(make_soap("gto", "poly"))
    atoms = random_structure(np.random.default_rng(3), SPECIES[:2], 3, length=3.0)
    x = compiled.create(atoms)
    assert_same(compiled.create(atoms.repeat((2, 1, 2))), np.tile(x, (4, 1)), 1e-11)


def test_values_do_not_depend_on_the_order_of_species_in_the_descriptor():
    """dscribe sorts species by atomic number; weights follow their symbols."""
    atoms = random_structure(np.random.default_rng(3), SPECIES[:3], 5)
    make = lambda names: CompiledSOAP(  # noqa: E731
        SOAP(
            species=names, r_cut=3.0, n_max=2, l_max=2, sigma=0.4, periodic=True,
            compression={"mode": "mu2", "species_weighting": {"Si": 1.0, "C": 0.5, "O": 2.0}},
        )
    )  # fmt: skip
    one, two = make(["Si", "C", "O"]), make(["C", "O", "Si"])
    expected = reference_spectrum(one.soap, atoms, one.cutoff)
    if one.soap._species_weights.tolist() == two.soap._species_weights.tolist():
        assert_same(one.create(atoms), two.create(atoms), 1e-12)
    assert_same(one.create(atoms), expected, VALUE_TOLERANCE)


def test_create_of_lists_and_centers():
    soap = make_soap("gto", "poly")
    compiled = CompiledSOAP(soap)
    rng = np.random.default_rng(6)
    frames = [random_structure(rng, SPECIES[:2], n) for n in (3, 5)]
    for ours, atoms in zip(compiled.create(frames), frames):
        assert_same(ours, dscribe_values(soap, atoms), VALUE_TOLERANCE)
    picked = compiled.create(frames[1], centers=[4, 0, -2])
    frames[1].wrap()
    assert_same(picked, soap.create(frames[1], centers=[4, 0, -2]), VALUE_TOLERANCE)
    lists = compiled.create(frames, centers=[[0], [1, 2]])
    assert [len(x) for x in lists] == [1, 2]
    assert_same(lists[1], compiled.create(frames[1])[1:3], 0.0)
    with pytest.raises(GapyError, match="centers: expected one list for each of the 2"):
        compiled.create(frames, centers=[[0]])
    for bad in ([5], [-6], [[0.0, 0.0, 0.0]], [0.5], [], [True]):
        with pytest.raises(GapyError, match="centers: expected indices of the 5 atoms"):
            compiled.create(frames[1], centers=bad)


def test_settings_rebuild_the_same_descriptor():
    for soap in (make_soap("polynomial", "poly-w0", "mu2", weighted=True), make_soap()):
        compiled = CompiledSOAP(soap)
        again = CompiledSOAP(SOAP(**compiled.settings()))
        atoms = random_structure(np.random.default_rng(0), SPECIES[:2], 4)
        np.testing.assert_array_equal(again.create(atoms), compiled.create(atoms))


@pytest.mark.parametrize("average", ["inner", "outer"])
def test_averages_are_refused(average):
    with pytest.raises(GapyError, match=f"average='off', got '{average}'"):
        CompiledSOAP(make_soap(average=average))


def test_an_infinite_central_weight_is_refused():
    weighting = {"function": "pow", "r0": 1.5, "c": 1.0, "d": 0.0, "m": 4.0}
    soap = SOAP(species=["Si"], r_cut=3.0, n_max=2, l_max=2, weighting=weighting, periodic=True)
    with pytest.raises(GapyError, match=r"finite weight of the central atom.*give d > 0 or w0"):
        CompiledSOAP(soap)


def test_what_is_no_soap_is_refused():
    with pytest.raises(GapyError, match="expected a dscribe SOAP object, got str"):
        CompiledSOAP("soap")
    with pytest.raises(GapyError, match="descriptor: expected a local descriptor of dscribe"):
        as_descriptor(3)


def test_unknown_species_are_named():
    compiled = CompiledSOAP(make_soap())
    for atoms in (Atoms("SiGe", [[0, 0, 0], [2, 0, 0]]), Atoms("H")):
        with pytest.raises(
            SpeciesError, match=r"knows \['C', 'Si'\].*also holds \['(Ge|H)'\].*add"
        ):
            compiled.create(atoms)


def test_coincident_atoms_are_refused():
    compiled = CompiledSOAP(make_soap())
    atoms = Atoms("SiCSi", [[0, 0, 0], [3, 0, 0], [5, 1e-9, 0]], cell=[5, 5, 5], pbc=True)
    with pytest.raises(StructureError, match=r"atoms 0 and 2 are on top of each other"):
        compiled.create(atoms)


def test_warning_of_a_rough_descriptor():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_rough(CompiledSOAP(smooth_soap(["Si"], r_cut=3.0, n_max=2, l_max=2)))
    for weighting in ("none", "exp", "poly-long", "w0"):
        with pytest.warns(UserWarning, match=r"cut sharply at .*smooth_soap"):
            warn_if_rough(CompiledSOAP(make_soap("gto", weighting)))
    flat = {"function": "poly", "r0": 3.0, "c": 1.0, "m": 0.5}
    soap = smooth_soap(["Si"], r_cut=3.0, n_max=2, l_max=2, weighting=flat)
    with pytest.warns(UserWarning, match="cut sharply"):
        warn_if_rough(CompiledSOAP(soap))


def test_weighting_function_is_continuous_where_poly_ends():
    weighting = {"function": "poly", "r0": 2.0, "c": 3.0, "m": 1.0}
    w = weighting_function(weighting, np.array([0.0, 2.0 - 1e-9, 2.0, 2.5]))
    np.testing.assert_allclose(w, [3.0, 0.0, 0.0, 0.0], atol=1e-8)
    with pytest.raises(GapyError, match="weighting function: expected 'poly', 'pow' or 'exp'"):
        weighting_function({"function": "cosine", "r0": 1.0, "c": 1.0}, np.zeros(1))
