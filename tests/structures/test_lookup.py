"""Where labels are looked for, and what they become."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from hypothesis import given, settings
from structure_helpers import as_results, assert_equal, random_frame, seeds

from gapy.errors import StructureError
from gapy.structures import (
    LabelKeys,
    StructureWarning,
    from_atoms,
    is_isolated_atom,
    read_structures,
)

VOIGT = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def frames(rng):
    return [random_frame(rng) for _ in range(6)]


# Label keys


def test_one_atoms_and_labelled_structures_pass(frames):
    (one,) = from_atoms(frames[0])
    assert from_atoms(one) == [one]
    mixed = from_atoms([frames[1], one, frames[2]])
    assert mixed[1] is one and [s.index for s in mixed[::2]] == [0, 2]


def test_the_structure_is_a_bare_copy(frames):
    frames[0].info["note"] = "x"
    untouched = frames[0].copy()
    (s,) = from_atoms(frames[0])
    s.atoms.positions += 1
    s.forces[:] = 0
    assert s.atoms.info == {"config_type": s.config_type} and set(s.atoms.arrays) == {
        "numbers",
        "positions",
    }
    assert_equal(from_atoms(frames[0])[0], from_atoms(untouched)[0])
    assert (frames[0].arrays["REF_forces"] != 0).all()
    assert s.forces.dtype == np.float64 and s.forces.flags.c_contiguous


@pytest.mark.parametrize("bad", [[], ()])
def test_no_frames(bad):
    with pytest.raises(StructureError, match="frames: expected at least one structure, got none"):
        from_atoms(bad)


def test_not_atoms():
    with pytest.raises(StructureError, match=r"set frame 0: expected an ase\.Atoms .* got str"):
        from_atoms(["train.xyz"], source="set")


def test_chosen_keys_in_info_and_in_results(tmp_path, frames):
    for atoms in frames:
        atoms.info["dft"] = atoms.info.pop("REF_energy") + 1
        atoms.arrays["f"] = atoms.arrays.pop("REF_forces") + 1
    kept = from_atoms(frames, LabelKeys(energy="dft", forces="f"))
    assert kept[0].energy == frames[0].info["dft"]
    np.testing.assert_array_equal(kept[0].forces, frames[0].arrays["f"])

    results = [Atoms(a.numbers, a.positions, cell=a.cell, pbc=a.pbc) for a in frames]
    for plain, s in zip(results, kept):
        plain.calc = SinglePointCalculator(
            plain, energy=s.energy, free_energy=0.0, forces=s.forces, stress=s.stress
        )
    write(tmp_path / "results.xyz", results)
    keys = LabelKeys(energy="energy", forces="forces", stress="stress")
    for a, b in zip(read_structures(tmp_path / "results.xyz", keys), kept, strict=True):
        assert_equal(a, b)


def test_free_energy_comes_before_energy(frames):
    atoms = as_results(frames[0], free_energy=-7.0)
    assert from_atoms(atoms)[0].energy == -7.0
    assert from_atoms(atoms, LabelKeys(energy="energy"))[0].energy == frames[0].info["REF_energy"]


def test_live_calculator_gives_its_results_until_atoms_move():
    atoms = bulk("Cu")
    atoms.calc = EMT()
    energy = atoms.get_potential_energy()
    assert from_atoms(atoms)[0].energy == pytest.approx(energy)
    atoms.positions += 0.1
    with pytest.raises(StructureError, match="calculator results: none"):
        from_atoms(atoms)


def test_results_beside_label_keys_are_named_and_not_used(frames):
    atoms = as_results(frames[0])
    atoms.info["REF_energy"] = -3.0
    with pytest.warns(StructureWarning) as caught:
        (s,) = from_atoms(atoms)
    assert (s.energy, s.forces, s.stress) == (-3.0, None, None)
    assert [str(w.message).split(" found")[0] for w in caught] == [
        "frames: forces",
        "frames: stress",
    ]
    assert "name 'forces' as the forces key to use it" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (s,) = from_atoms(atoms, LabelKeys(forces="forces", stress="stress"))
    assert s.forces is not None and s.stress is not None


@pytest.mark.parametrize(
    "field", ["energy", "forces", "stress", "virial", "energy_sigma", "config_type"]
)
def test_chosen_key_that_no_frame_holds(frames, field):
    with pytest.raises(StructureError) as error:
        from_atoms(frames, LabelKeys(**{field: "wrong"}), source="si.xyz")
    message = str(error.value)
    assert message.startswith(f"si.xyz: {field} key 'wrong' expected in some frame, found in none")
    assert "info: REF_energy, REF_stress, config_type" in message
    assert "arrays: REF_forces" in message


def test_no_labels_at_all_lists_the_keys(rng):
    atoms = random_frame(rng, labels=("stress",))
    atoms.arrays["magmoms"] = np.zeros(len(atoms))
    pattern = (
        "expected energies under 'REF_energy' or forces under 'REF_forces', found neither; "
        "info: REF_stress, config_type; arrays: magmoms; calculator results: none; name the right"
    )
    with pytest.raises(StructureError, match=pattern):
        from_atoms(atoms)


def test_partly_labelled_frames(rng):
    kinds = [("energy",), ("forces",), ("stress",), ("energy", "stress")]
    found = from_atoms([random_frame(rng, labels=labels) for labels in kinds])
    for s, labels in zip(found, kinds, strict=True):
        held = {k for k in ("energy", "forces", "stress") if getattr(s, k) is not None}
        assert held == set(labels)


def test_frame_without_labels_is_named(tmp_path, rng, frames):
    frames.insert(2, random_frame(rng, labels=()))
    write(tmp_path / "part.xyz", frames)
    with pytest.raises(StructureError, match=r"part\.xyz frame 2: expected an energy, forces or a"):
        read_structures(tmp_path / "part.xyz")


# Stress and virial


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_six_nine_and_tensor_agree_for_stress_and_virial(seed):
    rng = np.random.default_rng(seed)
    atoms = random_frame(rng)
    stress = atoms.info.pop("REF_stress")
    tensor = np.zeros((3, 3))
    for (a, b), value in zip(VOIGT, stress):
        tensor[a, b] = tensor[b, a] = value
    for key, factor in (("REF_stress", 1.0), ("REF_virial", -atoms.cell.volume)):
        for form in (stress, tensor.ravel(), tensor, tensor.tolist()):
            labelled = atoms.copy()
            labelled.info[key] = factor * np.array(form)
            (s,) = from_atoms(labelled)
            np.testing.assert_allclose(s.stress, stress, rtol=1e-12)


def test_virial_key_of_extended_xyz(tmp_path, rng):
    atoms = random_frame(rng)
    stress = atoms.info.pop("REF_stress")
    tensor = np.zeros((3, 3))
    for (a, b), value in zip(VOIGT, -atoms.cell.volume * stress):
        tensor[a, b] = tensor[b, a] = value
    atoms.info["virial"] = tensor
    write(tmp_path / "virial.xyz", atoms)
    (s,) = read_structures(tmp_path / "virial.xyz", LabelKeys(virial="virial"))
    np.testing.assert_allclose(s.stress, stress, rtol=1e-7)


def test_stress_comes_before_virial(frames):
    frames[0].info["REF_virial"] = np.ones(6)
    np.testing.assert_array_equal(from_atoms(frames[0])[0].stress, frames[0].info["REF_stress"])


def test_virial_agrees_with_the_strain_derivative():
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell * 1.02, scale_atoms=True)
    atoms.calc = EMT()
    h = 1e-5
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ np.diag([1 + sign * h, 1, 1]), scale_atoms=True)
        strained.calc = EMT()
        energies.append(strained.get_potential_energy())
    virial_xx = -(energies[0] - energies[1]) / (2 * h)
    labelled = atoms.copy()
    labelled.info |= {"REF_energy": 0.0, "REF_virial": [virial_xx, 0, 0, 0, 0, 0]}
    (s,) = from_atoms(labelled)
    assert s.stress[0] == pytest.approx(atoms.get_stress()[0], rel=1e-6)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("REF_energy", [1.0, 2.0], r"'REF_energy' expected one number, got shape \(2,\)"),
        ("REF_energy", "low", "'REF_energy' expected numbers, got 'low'"),
        ("REF_stress", np.ones(5), r"'REF_stress' expected 6 numbers .* got shape \(5,\)"),
        ("REF_stress", np.arange(9.0), "'REF_stress' expected a symmetric tensor"),
        ("REF_stress", 1.0, r"'REF_stress' expected 6 numbers .* got shape \(\)"),
        ("energy_sigma", 0.0, "'energy_sigma' expected a positive finite noise, got 0"),
        ("forces_sigma", np.nan, "'forces_sigma' expected a positive finite noise, got nan"),
    ],
)
def test_labels_of_the_wrong_shape(frames, key, value, message):
    frames[3].info[key] = value
    with pytest.raises(StructureError, match=f"frames frame 3: {message}"):
        from_atoms(frames)


def test_forces_of_the_wrong_shape(rng):
    atoms = random_frame(rng, 4)
    atoms.arrays["REF_forces"] = np.zeros((4, 2))
    with pytest.raises(StructureError, match=r"'REF_forces' expected shape \(4, 3\), got \(4, 2\)"):
        from_atoms(atoms)


def test_virial_needs_a_volume():
    atoms = molecule("H2O")
    atoms.info |= {"REF_energy": -1.0, "REF_virial": np.ones(6)}
    with pytest.raises(StructureError, match="'REF_virial' needs a cell with a volume"):
        from_atoms(atoms)


def test_own_sigmas_are_read(frames):
    frames[0].info |= {"energy_sigma": 0.002, "forces_sigma": 0.1, "stress_sigma": 0.01}
    s, other = from_atoms(frames[:2])
    assert (s.energy_sigma, s.forces_sigma, s.stress_sigma) == (0.002, 0.1, 0.01)
    assert (other.energy_sigma, other.forces_sigma, other.stress_sigma) == (None, None, None)


@pytest.mark.parametrize("name", ["IsolatedAtom", "isolated_atom", "ISOLATED_ATOM", "isolatedatom"])
def test_isolated_atoms_are_recognised(name):
    atom = Atoms("Si", info={"REF_energy": -100.0, "config_type": name})
    assert is_isolated_atom(from_atoms(atom)[0])
    atom.info["config_type"] = "bulk"
    assert not is_isolated_atom(from_atoms(atom)[0])
