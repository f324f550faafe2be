"""Structures and their labels read from files."""

import ase.db
import numpy as np
import pytest
from ase.io import write
from hypothesis import given, settings
from structure_helpers import as_results, assert_equal, random_frame, seeds

from gapy.errors import StructureError
from gapy.structures import (
    from_atoms,
    read_structures,
)


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
