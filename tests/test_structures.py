"""Reading and labelling structures, and what the checks say about bad ones."""

import warnings
from dataclasses import replace

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from hypothesis import given, settings
from hypothesis import strategies as st

from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.structures import (
    LabelKeys,
    LabelledStructure,
    StructureWarning,
    check_structures,
    from_atoms,
    is_isolated_atom,
    read_structures,
)

VOIGT = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
seeds = st.integers(0, 2**31)


def random_frame(rng, n_atoms=None, *, labels=("energy", "forces", "stress")):
    """Atoms on a jittered grid in a triclinic cell, with random labels under the default keys."""
    n_atoms = rng.integers(1, 9) if n_atoms is None else n_atoms
    grid = 3.0 * np.array(list(np.ndindex(2, 2, 2)))[:n_atoms]
    atoms = Atoms(
        rng.choice(["Si", "O", "Al"], n_atoms),
        grid + rng.uniform(-0.3, 0.3, (n_atoms, 3)),
        cell=6.0 * np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3)),
        pbc=rng.integers(0, 2, 3).astype(bool),
    )
    if "energy" in labels:
        atoms.info["REF_energy"] = rng.normal(-100, 10)
    if "forces" in labels:
        atoms.arrays["REF_forces"] = rng.normal(size=(n_atoms, 3))
    if "stress" in labels:
        atoms.info["REF_stress"] = 0.01 * rng.normal(size=6)
    atoms.info["config_type"] = str(rng.choice(["liquid", "slab"]))
    return atoms


def as_results(atoms, **more):
    """The same frame with its labels as results of a calculator."""
    plain = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    results = {
        "energy": atoms.info["REF_energy"],
        "forces": atoms.arrays["REF_forces"],
        "stress": atoms.info["REF_stress"],
    }
    plain.calc = SinglePointCalculator(plain, **{**results, **more})
    return plain


def assert_equal(a: LabelledStructure, b: LabelledStructure, atol=1e-7):
    """Same structure and labels, up to the digits that extended XYZ writes."""
    assert (a.atoms.numbers == b.atoms.numbers).all() and (a.atoms.pbc == b.atoms.pbc).all()
    np.testing.assert_allclose(a.atoms.positions, b.atoms.positions, atol=atol)
    np.testing.assert_allclose(a.atoms.cell, b.atoms.cell, atol=atol)
    for kind in ("energy", "forces", "stress"):
        one, other = getattr(a, kind), getattr(b, kind)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=atol)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def frames(rng):
    return [random_frame(rng) for _ in range(6)]


# Reading


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
@pytest.mark.parametrize("suffix", ["xyz", "traj"])
def test_label_keys_survive_a_file(tmp_path_factory, suffix, seed):
    rng = np.random.default_rng(seed)
    # an ASE trajectory drops arrays that it does not know
    labels = ("energy", "stress") if suffix == "traj" else ("energy", "forces", "stress")
    frames = [random_frame(rng, labels=labels) for _ in range(3)]
    path = tmp_path_factory.mktemp("keys") / f"set.{suffix}"
    write(path, frames)
    for k, (read, kept) in enumerate(zip(read_structures(path), from_atoms(frames), strict=True)):
        assert_equal(read, kept)
        assert read.config_type == kept.config_type == read.atoms.info["config_type"]
        assert (read.source, read.index, read.atoms.calc) == (path.name, k, None)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
@pytest.mark.parametrize("suffix", ["xyz", "traj", "db"])
def test_calculator_results_survive_a_file(tmp_path_factory, suffix, seed):
    rng = np.random.default_rng(seed)
    frames = [random_frame(rng) for _ in range(3)]
    path = tmp_path_factory.mktemp("results") / f"set.{suffix}"
    write(path, [as_results(atoms) for atoms in frames])
    for read, kept in zip(read_structures(path), from_atoms(frames), strict=True):
        assert_equal(read, kept)
        assert read.config_type == "default"


def test_database_pairs_and_data_hold_labels(tmp_path, frames):
    with ase.db.connect(tmp_path / "set.db") as database:
        for k, atoms in enumerate(frames):
            database.write(
                atoms,
                REF_energy=atoms.info["REF_energy"],
                config_type=atoms.info["config_type"],
                frame=k,
                data={
                    "REF_forces": atoms.arrays["REF_forces"],
                    "REF_stress": atoms.info["REF_stress"],
                },
            )
    kept = from_atoms(frames)
    for a, b in zip(read_structures(tmp_path / "set.db"), kept, strict=True):
        assert_equal(a, b)
        assert a.config_type == b.config_type
    (selected,) = read_structures(f"{tmp_path}/set.db@frame=4")
    assert_equal(selected, kept[4])


@pytest.mark.parametrize(
    "index", ["0:3", "1::2", "-2:", "::-1", "3", "-1", "2:-1", ":0:-1", 2, slice(1, 4)]
)
@pytest.mark.parametrize("suffix", ["xyz", "traj", "db"])
def test_slices_keep_the_index_in_the_file(tmp_path, frames, suffix, index):
    path = tmp_path / f"set.{suffix}"
    write(path, [as_results(atoms) for atoms in frames])
    selection = index if isinstance(index, slice) else slice(*parse_index(str(index)))
    expected = list(range(len(frames)))[selection]
    read = read_structures(path, index=index)
    assert [s.index for s in read] == expected
    for s in read:
        np.testing.assert_allclose(s.atoms.positions, frames[s.index].positions, atol=1e-7)
    if isinstance(index, str):
        assert [s.index for s in read_structures(f"{path}@{index}")] == expected


def parse_index(index):
    if ":" in index:
        return [int(part) if part else None for part in index.split(":")]
    return int(index), int(index) + 1 or None


def test_several_files_keep_their_names_and_selections(tmp_path, frames):
    for name in ("a.xyz", "b.xyz"):
        write(tmp_path / name, frames)
    read = read_structures([f"{tmp_path}/a.xyz@1", tmp_path / "b.xyz"], index=":2")
    assert [s.where for s in read] == ["a.xyz frame 1", "b.xyz frame 0", "b.xyz frame 1"]


def test_each_file_decides_on_calculator_results(tmp_path, frames):
    write(tmp_path / "keys.xyz", frames)
    write(tmp_path / "results.xyz", [as_results(atoms) for atoms in frames])
    read = read_structures([tmp_path / "keys.xyz", tmp_path / "results.xyz"])
    for a, b in zip(read[:6], read[6:], strict=True):
        assert_equal(a, b)


def test_file_name_with_at_sign_is_a_file(tmp_path, frames):
    write(tmp_path / "run.xyz", frames)
    (tmp_path / "run.xyz").rename(tmp_path / "run@300.xyz")
    assert len(read_structures(tmp_path / "run@300.xyz")) == 6


def test_missing_empty_and_unreadable_files(tmp_path, frames):
    with pytest.raises(StructureError, match=r"gone\.xyz: expected a file, found none"):
        read_structures(tmp_path / "gone.xyz")
    (tmp_path / "empty.xyz").write_text("")
    with pytest.raises(StructureError, match=r"empty\.xyz: .* empty file"):
        read_structures(tmp_path / "empty.xyz")
    (tmp_path / "blank.xyz").write_text("\n")
    with pytest.raises(StructureError, match=r"blank\.xyz: expected structures .* got none"):
        read_structures(tmp_path / "blank.xyz")
    (tmp_path / "noise.dat").write_bytes(bytes(range(256)))
    with pytest.raises(StructureError, match=r"noise\.dat frame 0: .* ase\.io\.read understands"):
        read_structures(tmp_path / "noise.dat")
    with pytest.raises(StructureError, match="paths: expected at least one file"):
        read_structures([])


def test_truncated_file_names_the_frame(tmp_path, rng):
    write(tmp_path / "cut.xyz", [random_frame(rng, 4) for _ in range(3)])
    lines = (tmp_path / "cut.xyz").read_text().splitlines()
    (tmp_path / "cut.xyz").write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(StructureError, match=r"cut\.xyz frame 2: .*remove the frame"):
        read_structures(tmp_path / "cut.xyz")


def test_blank_line_does_not_end_the_file_silently(tmp_path, frames):
    write(tmp_path / "one.xyz", frames[:1])
    text = (tmp_path / "one.xyz").read_text()
    (tmp_path / "two.xyz").write_text(f"{text}\n{text}")
    with pytest.raises(StructureError, match=r"two\.xyz frame 1: .* blank line; remove"):
        read_structures(tmp_path / "two.xyz")
    (tmp_path / "trailing.xyz").write_text(f"{text}{text}\n\n")
    assert len(read_structures(tmp_path / "trailing.xyz")) == 2


@pytest.mark.parametrize("index", ["a:b", "energy", "::0"])
def test_bad_index(tmp_path, frames, index):
    write(tmp_path / "set.xyz", frames)
    with pytest.raises(StructureError, match=rf"set\.xyz: index expected .* got '{index}'"):
        read_structures(tmp_path / "set.xyz", index=index)


def test_slice_beyond_the_file(tmp_path, frames):
    write(tmp_path / "set.xyz", frames)
    with pytest.raises(StructureError, match=r"set\.xyz: expected structures .* got none of 6"):
        read_structures(tmp_path / "set.xyz", index="10:")


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


# Checks


def labelled(atoms, **info):
    atoms.info.update({"REF_energy": -1.0, **info})
    return from_atoms(atoms, source="si.xyz")[0]


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
