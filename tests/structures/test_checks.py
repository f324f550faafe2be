"""What the checks say about bad structures."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from structure_helpers import labelled, random_frame, seeds

from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.structures import (
    StructureWarning,
    check_structures,
    from_atoms,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def frames(rng):
    return [random_frame(rng) for _ in range(6)]


def test_good_structures_pass_silently(frames):
    assert check_structures(from_atoms(frames), species=["Si", 8, "Al"]) == []
    hot = bulk("Si", cubic=True) * 2
    hot.rattle(0.3, seed=1)
    assert check_structures([labelled(hot), labelled(molecule("H2"))]) == []


def test_nothing_to_check():
    with pytest.raises(StructureError, match="structures: expected at least one, got none"):
        check_structures([])


def test_frame_without_atoms():
    with pytest.raises(StructureError, match=r"si\.xyz frame 0: expected atoms, got none"):
        check_structures([labelled(Atoms())])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "atom"),
    [("positions", 2), ("cell", None), ("energy", None), ("forces", 1), ("stress", None)],
)
def test_numbers_must_be_finite(rng, name, atom, value):
    (s,) = from_atoms(random_frame(rng, 4))
    if name == "positions":
        s.atoms.positions[atom, 1] = value
    elif name == "cell":
        s.atoms.cell[1, 1] = value
    elif name == "energy":
        s = replace(s, energy=value)
    else:
        getattr(s, name)[atom if atom is not None else 0] = value
    where = "" if atom is None else f" of atom {atom}"
    pattern = f"frames frame 0: {name} expected finite numbers, got nan or inf{where}; remove"
    with pytest.raises(StructureError, match=pattern):
        check_structures([s])


@pytest.mark.parametrize(
    "cell",
    [np.zeros((3, 3)), np.diag([5.0, 5.0, 0.0]), [[5, 0, 0], [0, 5, 0], [5, 5, 0.01]]],
)
def test_periodic_directions_need_vectors(cell):
    s = labelled(Atoms("Si", cell=cell, pbc=True))
    with pytest.raises(StructureError, match=r"si\.xyz frame 0: cell expected independent vectors"):
        check_structures([s])
    s.atoms.pbc = [True, True, False] if cell[0][0] else False
    assert check_structures([s]) == []


def test_stress_needs_a_volume():
    s = labelled(Atoms("Si"), REF_stress=np.zeros(6))
    with pytest.raises(StructureError, match="stress needs a cell with a volume"):
        check_structures([s])


def test_unknown_species_are_named(frames):
    frames[0].numbers[:] = 14
    structures = from_atoms([frames[0], labelled(molecule("CH4"))])
    message = r"si\.xyz frame 0: species expected among O, Si, got H, C; add it to the descriptor"
    with pytest.raises(SpeciesError, match=message):
        check_structures(structures, species=["Si", "O"])


def test_several_atoms_are_no_isolated_atom():
    s = labelled(molecule("H2"), config_type="IsolatedAtom")
    with pytest.raises(StructureError, match="'IsolatedAtom' expected one atom, got 2; rename"):
        check_structures([s])


def test_close_atoms_warn_with_pair_and_distance():
    s = labelled(Atoms("OSi2", [[9, 9, 9], [0, 0, 0], [0, 0, 0.7]]))
    with pytest.warns(StructureWarning, match=r"frame 0: atoms 1 \(Si\) and 2 \(Si\) are 0\.7 A"):
        (message,) = check_structures([s])
    assert "expected at least 0.777 A" in message
    assert check_structures([s], min_distance=0.69) == []
    with pytest.warns(StructureWarning, match="expected at least 0.71 A"):
        check_structures([s], min_distance=0.71)


@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_coincident_atoms_are_an_error_across_the_boundary(shift):
    s = labelled(Atoms("H2", [[0, 0, 0.02], [0, 0, shift - 0.02]], cell=[5, 5, 5], pbc=True))
    message = r"frame 0: atoms 0 \(H\) and 1 \(H\) are 0\.04 A apart, expected at least 0\.1 A"
    with pytest.raises(StructureError, match=message):
        check_structures([s])
    with pytest.raises(StructureError, match=message):
        check_structures([s], min_distance=0.01)


def test_the_closest_pair_relative_to_its_limit_is_named():
    positions = [[0, 0, 0], [0, 0, 0.76], [0, 0, 5], [0, 0, 5.4], [0, 0, 9], [0, 0, 9.7]]
    s = labelled(Atoms("Si2H2Si2", positions))
    with pytest.warns(StructureWarning, match=r"atoms 4 \(Si\) and 5 \(Si\) are 0\.7 A apart"):
        check_structures([s])


def test_an_atom_close_to_its_own_image():
    s = labelled(Atoms("Si", cell=[0.6, 5, 5], pbc=[True, False, False]))
    with pytest.warns(StructureWarning, match=r"atoms 0 \(Si\) and 0 \(Si\) are 0\.6 A apart"):
        check_structures([s])


def test_absurd_forces_name_the_atom(rng):
    atoms = random_frame(rng, 4)
    atoms.arrays["REF_forces"][2] = [0, 60, 80]
    structures = from_atoms(atoms, source="si.xyz")
    with pytest.warns(StructureWarning) as caught:
        (message,) = check_structures(structures)
    assert str(caught[0].message) == message
    assert message.startswith(f"si.xyz frame 0: force on atom 2 ({atoms.symbols[2]}) is 100 eV/A")
    assert check_structures(structures, max_force=101) == []
    assert check_structures(structures, max_force=None) == []


def test_isolated_atom_without_energy(rng):
    atom = Atoms("Si", info={"config_type": "isolated_atom"})
    atom.arrays["REF_forces"] = np.zeros((1, 3))
    with pytest.warns(StructureWarning, match="isolated Si atom expected an energy, got none"):
        check_structures(from_atoms(atom))


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_duplicates_are_found_up_to_rounding_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    frames = [random_frame(rng, rng.integers(1, 4)) for _ in range(30)]
    first, second = sorted(rng.choice(30, 2, replace=False))
    frames[second] = frames[first].copy()
    frames[second].positions += rng.uniform(-5e-5, 5e-5, frames[second].positions.shape)
    with pytest.warns(StructureWarning):
        (message,) = check_structures(from_atoms(frames))
    assert message.startswith(f"frames frame {second}: same structure as frames frame {first}, it")


def test_copies_that_differ_are_no_duplicates(rng):
    atoms = random_frame(rng, 4)
    moved, strained, open_, other = (atoms.copy() for _ in range(4))
    moved.positions[3, 2] += 2e-3
    strained.set_cell(atoms.cell.array + 1e-3 * np.eye(3))
    open_.pbc = ~atoms.pbc
    other.numbers[0] = 6
    assert check_structures(from_atoms([atoms, moved, strained, open_, other])) == []


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("energy", 0.1, "energies differ by 0.025 eV/atom"),
        ("forces", 0.2, "forces differ by 0.2 eV/A"),
        ("stress", 0.02, r"stress differ by 0.02 eV/A\^3"),
    ],
)
def test_duplicates_whose_labels_disagree(rng, kind, change, message):
    (s,) = from_atoms(random_frame(rng, 4))
    other = replace(s, index=1, **{kind: getattr(s, kind) + change})
    with pytest.warns(StructureWarning, match=f"frame 1: same structure as .* but {message}"):
        check_structures([s, other])


def test_many_findings_of_a_kind_are_counted(rng):
    atoms = random_frame(rng, 4)
    with pytest.warns(StructureWarning):
        messages = check_structures(from_atoms([atoms] * 40))
    assert len(messages) == 5 and messages[-1].endswith("(and 34 more like this)")


def test_errors_are_value_errors():
    assert issubclass(StructureError, GapyError) and issubclass(SpeciesError, ValueError)
