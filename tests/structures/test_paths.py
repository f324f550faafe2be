"""Patterns and directories stand for their structure files; headers that promise too much."""

import pytest
from ase.io import write
from helpers import labelled_frames

from gapy.errors import GapyError, StructureError
from gapy.structures import StructureWarning, input_files, read_atoms, read_structures


@pytest.fixture
def data(tmp_path):
    """b.xyz (3 frames), a.extxyz (1), sub/c.xyz.gz (2), and what is no structure."""
    place = tmp_path / "data"
    (place / "sub").mkdir(parents=True)
    frames = labelled_frames(6, seed=5)
    write(place / "b.xyz", frames[:3], format="extxyz")
    write(place / "a.extxyz", frames[3:4], format="extxyz")
    write(place / "sub" / "c.xyz.gz", frames[4:], format="extxyz")
    (place / ".hidden.xyz").write_text("not read")
    return place


def where(structures):
    return [(s.source, s.index) for s in structures]


def test_patterns_and_directories(data):
    ab = [("a.extxyz", 0), ("b.xyz", 0), ("b.xyz", 1), ("b.xyz", 2)]
    assert where(read_structures(data)) == ab
    assert where(read_structures(f"{data}/*")) == ab
    assert where(read_structures(f"{data}/[b]*@-1")) == [("b.xyz", 2)]
    assert where(read_structures(f"{data}@0")) == [ab[0], ab[1]]
    assert len(read_structures(f"{data}/**/*.xyz*")) == 5
    assert where(read_structures([data / "sub", data / "b.xyz@0"]))[2:] == [("b.xyz", 0)]
    assert len(read_atoms(data)) == 4


def test_a_file_with_the_signs_of_a_pattern_is_itself(data):
    (data / "b.xyz").rename(data / "b[1].xyz")
    assert len(read_structures(data / "b[1].xyz")) == 3
    assert input_files([f"{data}/b[1].xyz@0"]) == [data / "b[1].xyz"]


def test_what_is_left_out_is_said(data):
    for k in range(7):
        (data / f"note{k}.txt").write_text("text")
    with pytest.warns(StructureWarning, match=r"note0.txt, .* and 2 more left out.*name them"):
        assert len(read_structures(f"{data}/*")) == 4
    assert len(input_files([data])) == 2  # without a second warning


def test_nothing_there(data, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", f"{data}/*.none", f"{data}/no*"):
        with pytest.raises(StructureError, match=r"expected files of structures .*got 0 others"):
            read_structures(path)


@pytest.mark.parametrize("read", [read_structures, read_atoms])
def test_nul_in_a_name(read):
    with pytest.raises(GapyError, match="got a NUL in it; correct it"):
        read("a\0b.xyz")


@pytest.mark.parametrize("number", ["5", "999999999", "9" * 30])
def test_more_atoms_promised_than_there_are(data, number):
    lines = (data / "b.xyz").read_text().splitlines()
    lines[6] = number
    (data / "b.xyz").write_text("\n".join(lines[:12]) + "\n")
    with pytest.raises(
        StructureError, match=f"b.xyz frame 1: expected {number} atoms, got 4 lines"
    ):
        read_structures(data / "b.xyz")


def test_commands_take_directories(cli, data, model_file, tmp_path):
    size = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
    assert cli("fit", data, "-o", tmp_path / "m.gapy", *size).code == 0
    shown = cli("evaluate", model_file, f"{data}/*")
    assert shown.code == 0 and shown.out.startswith("4 structures")
    assert "4 (16 atoms)" in cli("inspect", data, "--candidates", data).out
    line = cli("md", model_file, data, "-o", tmp_path / "run").error_line()
    assert "selects 2; name one" in line
