"""Compiled SOAP: dscribe's values for every setting, and derivatives of those values."""

import itertools
import warnings
from functools import partial

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from dscribe.descriptors import SOAP
from helpers import (
    along_atom,
    along_strain,
    images_within,
    random_rotation,
    random_structure,
    structures,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, lpmv

from gapy.descriptors import CompiledSOAP, as_descriptor, smooth_soap
from gapy.descriptors.radial_basis import central_weight, radial_functions, weighting_function
from gapy.descriptors.soap import warn_if_rough
from gapy.errors import GapyError, SpeciesError, StructureError

WEIGHTINGS = {
    "none": None,
    "poly": {"function": "poly", "r0": 3.0, "c": 1.3, "m": 1.0},
    "poly-long": {"function": "poly", "r0": 20.0, "c": 1.0, "m": 2.0},
    "pow": {"function": "pow", "r0": 1.5, "c": 1.0, "d": 0.5, "m": 4.0},
    "exp": {"function": "exp", "r0": 1.2, "c": 1.0, "d": 1.0},
    "w0": {"w0": 0.3},
    "w0-hidden": {"w0": 0.0},
    "poly-w0": {"function": "poly", "r0": 3.0, "c": 1.0, "m": 2.0, "w0": 2.5},
    "exp-w0": {"function": "exp", "r0": 1.2, "c": 1.0, "d": 1.0, "w0": 0.5},
}
MODES = ("off", "mu2", "mu1nu1", "crossover")
SPECIES = ("Si", "C", "O", "H")  # deliberately not in the order of atomic numbers
VALUE_TOLERANCE = 1e-8
DERIVATIVE_TOLERANCE = 1e-6


def make_soap(
    rbf="gto", weighting="none", mode="off", n_species=2, n_max=3, l_max=3, weighted=False, **kwargs
):
    species = SPECIES[:n_species]
    weights = dict(zip(species, (1.0, 0.7, 1.9, 0.4))) if weighted else None
    options = {"r_cut": 3.0, "sigma": 0.4, "periodic": True, **kwargs}
    given_weighting = WEIGHTINGS[weighting]
    return SOAP(
        species=list(species),
        n_max=n_max,
        l_max=l_max,
        rbf=rbf,
        weighting=dict(given_weighting) if given_weighting else None,
        compression={"mode": mode, "species_weighting": weights},
        **options,
    )


def misassigns_weights(soap):
    """dscribe drops the centre from the neighbours but not from their species weights."""
    weights = np.asarray(soap._species_weights)
    return soap._rbf == "polynomial" and soap.compression["mode"] == "mu2" and np.ptp(weights) > 0


def dscribe_values(soap, atoms):
    """soap.create of the atoms moved into the cell: see the test of atoms outside of it."""
    wrapped = atoms.copy()
    wrapped.wrap()
    return soap.create(wrapped)


def assert_same(ours, theirs, tolerance):
    """Equal within `tolerance` of the largest entry."""
    scale = np.abs(theirs).max(initial=0.0)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max(initial=0.0) <= tolerance * scale


def real_harmonics(l_max, u):
    out = []
    phi = np.arctan2(u[1], u[0])
    for l in range(l_max + 1):
        for m in range(-l, l + 1):
            k = abs(m)
            norm = (2 * l + 1) / (4 * np.pi) * np.exp(gammaln(l - k + 1) - gammaln(l + k + 1))
            y = np.sqrt(norm * (2 if m else 1)) * lpmv(k, l, u[2])
            out.append(y * (np.cos(k * phi) if m >= 0 else np.sin(k * phi)))
    return np.array(out)


def reference_spectrum(soap, atoms, cutoff):
    """Power spectrum in dscribe's order (off, mu2) from the definition, one pair at a time."""
    n, l_max, numbers = soap._n_max, soap._l_max, list(soap._atomic_numbers)
    mu2 = soap.compression["mode"] == "mu2"
    weights = soap._species_weights
    n_slots = 1 if mu2 else len(numbers)
    k_of = np.concatenate([np.full(2 * l + 1, l) for l in range(l_max + 1)])
    c = np.zeros((len(atoms), n_slots, n, (l_max + 1) ** 2))
    bare = radial_functions(soap, np.zeros(1), weighted=False).reshape(l_max + 1, n)
    for i, z in enumerate(atoms.numbers):
        s = numbers.index(z)
        own = bare[0] * central_weight(soap) * weights[s] / np.sqrt(4 * np.pi)
        c[i, 0 if mu2 else s, :, 0] += own
    for i, j, v in images_within(atoms, cutoff):
        s = numbers.index(atoms.numbers[j])
        r = np.linalg.norm(v)
        radial = radial_functions(soap, np.array([r])).reshape(l_max + 1, n)
        c[i, 0 if mu2 else s] += weights[s] * radial[k_of].T * real_harmonics(l_max, v / r)
    rows = []
    for ci in c:
        row = []
        for s, t in itertools.combinations_with_replacement(range(n_slots), 2):
            for l in range(l_max + 1):
                gram = ci[s][:, l * l : (l + 1) ** 2] @ ci[t][:, l * l : (l + 1) ** 2].T
                row.append(gram[np.triu_indices(n)] if s == t else gram.ravel())
        rows.append(np.concatenate(row))
    return np.array(rows)


# -- values ------------------------------------------------------------------------------------


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


# -- derivatives -------------------------------------------------------------------------------


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
    for j, c in ((0, 0), (2, 1), (3, 2)):
        numerical = along_atom(create, atoms, j, c)
        scale = np.abs(derivatives).max()
        assert np.abs(derivatives[:, j, c] - numerical).max() <= DERIVATIVE_TOLERANCE * scale


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
    for j, c in ((0, 0), (1, 2), (3, 1)):
        numerical = along_atom(compiled.create, atoms, j, c)
        assert np.abs(derivatives[:, j, c] - numerical).max() <= DERIVATIVE_TOLERANCE * scale


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


# -- symmetry ----------------------------------------------------------------------------------


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


# -- verbs and errors --------------------------------------------------------------------------


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
