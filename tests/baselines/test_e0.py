"""Isolated-atom energies: recovered exactly where the data fix them, at the mean where not."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from gapy.baselines import isolated_atom_energies, parse_e0
from gapy.errors import GapyError, SpeciesError
from gapy.structures import StructureWarning, from_atoms

E0 = {1: -13.6, 8: -2041.3, 14: -107.2}
H, OX, SI = E0


def frame(numbers, energy=None, config_type="bulk"):
    atoms = Atoms(numbers, 3.0 * np.arange(len(numbers))[:, None] * np.ones(3))
    atoms.info["config_type"] = config_type
    if energy is None:
        atoms.arrays["REF_forces"] = np.zeros((len(numbers), 3))
    else:
        atoms.info["REF_energy"] = energy
    return atoms


def sum_of_e0(numbers):
    return sum(E0[z] for z in numbers)


def isolated(z, shift=0.0):
    return frame([z], E0[z] + shift, "IsolatedAtom")


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31))
@pytest.mark.parametrize("mode", ["auto", "fit"])
def test_fit_recovers_e0_of_random_compositions(mode, seed):
    rng = np.random.default_rng(seed)
    sets = [rng.choice(list(E0), rng.integers(1, 20)) for _ in range(20)]
    structures = from_atoms([frame(z, sum_of_e0(z)) for z in sets])
    e0 = isolated_atom_energies(structures, mode)
    assert list(e0) == sorted({z for s in sets for z in s.tolist()})
    assert e0 == pytest.approx({z: E0[z] for z in e0}, abs=1e-3)


def test_fixed_stoichiometry_tends_to_the_mean_and_keeps_the_total():
    numbers = [SI, OX, OX] * 2
    structures = from_atoms([frame(numbers, -4000.0), frame(numbers, -4006.0)])
    e0 = isolated_atom_energies(structures)
    assert 2 * e0[SI] + 4 * e0[OX] == pytest.approx(-4003.0)
    assert e0[SI] == pytest.approx(e0[OX]) == pytest.approx(-4003.0 / 6)


def test_one_species_gets_its_mean_energy_per_atom():
    structures = from_atoms([frame([SI] * 2, -10.0), frame([SI] * 8, -48.0)])
    assert isolated_atom_energies(structures) == pytest.approx({SI: -5.5})


def test_auto_prefers_isolated_atoms_and_fit_ignores_them():
    structures = from_atoms([isolated(SI), frame([SI] * 4, 4 * E0[SI] - 20)])
    assert isolated_atom_energies(structures) == {SI: E0[SI]}
    assert isolated_atom_energies(structures, "isolated") == {SI: E0[SI]}
    assert isolated_atom_energies(structures, "fit") == pytest.approx({SI: E0[SI] - 5})


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_auto_fixes_the_isolated_species_and_fits_the_others(seed):
    rng = np.random.default_rng(seed)
    sets = [[H, OX, SI], *(rng.choice(list(E0), rng.integers(2, 9)) for _ in range(10))]
    bonded = [frame(z, sum_of_e0(z) - 3.0 * np.sum(np.equal(z, SI))) for z in sets]
    e0 = isolated_atom_energies(from_atoms([isolated(OX), isolated(H), *bonded]))
    assert (e0[OX], e0[H]) == (E0[OX], E0[H])
    assert e0[SI] == pytest.approx(E0[SI] - 3.0, abs=1e-5)


def test_fit_falls_back_on_the_isolated_atom_of_a_species_without_bonds():
    structures = from_atoms([isolated(H), frame([SI, SI], -20.0)])
    assert isolated_atom_energies(structures, "fit") == pytest.approx({H: E0[H], SI: -10.0})


def test_isolated_needs_every_species():
    structures = from_atoms([isolated(SI), frame([SI, OX, H], -9.0)])
    with pytest.raises(SpeciesError, match="got Si, none for H, O; add an isolated_atom frame"):
        isolated_atom_energies(structures, "isolated")
    forces_only = from_atoms(frame([SI, SI]))
    with pytest.raises(SpeciesError, match="got none, none for Si"):
        isolated_atom_energies(forces_only, "isolated")


def test_isolated_atoms_that_disagree_are_averaged_with_a_warning():
    structures = from_atoms([isolated(SI), isolated(SI, 0.5), isolated(H), isolated(H, 1e-4)])
    with pytest.warns(StructureWarning, match="isolated Si atoms: expected one energy") as caught:
        e0 = isolated_atom_energies(structures)
    assert e0 == pytest.approx({H: E0[H] + 5e-5, SI: E0[SI] + 0.25})
    assert len(caught) == 1 and "frames frame 0" in str(caught[0].message)


@pytest.mark.parametrize("mode", ["auto", "fit", "zero"])
def test_forces_only_gives_zeros(mode):
    assert isolated_atom_energies(from_atoms(frame([SI, OX])), mode) == {OX: 0.0, SI: 0.0}


def test_zero_ignores_energies():
    assert isolated_atom_energies(from_atoms(frame([SI], -5.0)), "zero") == {SI: 0.0}


def test_species_without_any_energy_is_named():
    structures = from_atoms([frame([SI, SI], -20.0), frame([SI, OX])])
    with pytest.warns(StructureWarning, match="e0 of O: expected a structure with an energy"):
        e0 = isolated_atom_energies(structures)
    assert e0 == pytest.approx({OX: 0.0, SI: -10.0})


@pytest.mark.parametrize(
    "values",
    [
        {"Si": -107.1, "O": -400},
        {14: -107.1, np.int64(8): -400.0},
        "Si=-107.1,O=-400",
        " Si = -107.1 , 8=-4e2,",
    ],
)
def test_explicit_values(values):
    expected = {SI: -107.1, OX: -400.0}
    assert parse_e0(values) == expected
    assert isolated_atom_energies(from_atoms(frame([SI, OX], -1.0)), values) == expected


def test_explicit_values_keep_other_species_and_name_missing_ones():
    structures = from_atoms(frame([SI, OX], -1.0))
    assert isolated_atom_energies(structures, "Si=1,O=2,H=3") == {SI: 1.0, OX: 2.0, H: 3.0}
    with pytest.raises(SpeciesError, match="got Si, none for O; add its value"):
        isolated_atom_energies(structures, {"Si": -107.1})


def test_the_mapping_is_not_changed():
    values = {"Si": -107}
    isolated_atom_energies(from_atoms(frame([SI], -1.0)), values)
    assert values == {"Si": -107}


@pytest.mark.parametrize(
    ("e0", "error", "message"),
    [
        ("average", GapyError, "expected one of auto, isolated, fit, zero or values .*'average'"),
        (3.0, GapyError, "e0: expected one of auto, .* got 3.0"),
        ("Xy=1", SpeciesError, "expected a chemical element, got 'Xy'"),
        ({0: 1.0}, SpeciesError, "expected a chemical element, got 0"),
        ({200: 1.0}, SpeciesError, "expected a chemical element, got 200"),
        ("Si=low", GapyError, "e0 of Si: expected a finite number in eV, got 'low'"),
        ("Si=", GapyError, "e0 of Si: expected a finite number in eV, got ''"),
        ({"Si": np.nan}, GapyError, "e0 of Si: expected a finite number in eV, got nan"),
        ({"Si": None}, GapyError, "e0 of Si: expected a finite number in eV, got None"),
        ("Si=1,14=2", GapyError, "expected Si once, got it twice"),
    ],
)
def test_bad_values(e0, error, message):
    with pytest.raises(error, match=message):
        parse_e0(e0)


@pytest.mark.parametrize("mode", ["auto", "isolated", "fit", "zero"])
def test_mode_names_pass(mode):
    assert parse_e0(mode) == mode


@pytest.mark.parametrize("ridge", [0.0, -1.0, np.nan])
def test_ridge_must_be_positive(ridge):
    with pytest.raises(GapyError, match="ridge: expected a positive finite number"):
        isolated_atom_energies(from_atoms(frame([SI], -1.0)), ridge=ridge)


def test_larger_ridge_pulls_towards_the_mean():
    sets = [[H], [H, SI], [H, SI, SI], [SI]]
    structures = from_atoms([frame(z, sum_of_e0(z)) for z in sets])
    gaps = []
    for ridge in (1e-10, 1e-2, 1.0, 1e4):
        e0 = isolated_atom_energies(structures, "fit", ridge=ridge)
        gaps.append(e0[H] - e0[SI])
    assert np.all(np.diff(gaps) < 0) and gaps[-1] < 1e-2
