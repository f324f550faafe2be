"""One line for every kind of bad structure file."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from bad_files import coincident, empty, flat_cell, nan_position, text, written


def no_labels(path, atoms):
    written(path, bulk("Cu", cubic=True))


def nan_force(path, atoms):
    atoms.arrays["REF_forces"][1, 2] = np.nan
    written(path, atoms)


def nan_energy(path, atoms):
    atoms.info["REF_energy"] = np.nan
    written(path, atoms)


def zero_cell(path, atoms):
    text = 'Lattice="0 0 0 0 0 0 0 0 0" Properties=species:S:1:pos:R:3 REF_energy=1 pbc="T T T"'
    path.write_text(f"1\n{text}\nCu 0 0 0\n")


def torn(path, atoms):
    written(path, atoms)
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")


BAD_FILES = [
    (no_labels, "REF_energy"),
    (nan_position, "positions expected finite numbers"),
    (nan_force, "forces expected finite numbers"),
    (nan_energy, "energy expected finite numbers"),
    (flat_cell, "cell expected independent vectors"),
    (zero_cell, "cell"),
    (coincident, "apart"),
    (empty, "empty file"),
    (text, "bad.xyz"),
    (torn, "bad.xyz"),
]


@pytest.mark.parametrize("command", ["fit", "evaluate"])
@pytest.mark.parametrize(("make", "words"), BAD_FILES, ids=[m.__name__[1:] for m, _ in BAD_FILES])
def test_bad_structures(cli, command, make, words, model_file, train_frames, tmp_path):
    path = tmp_path / "bad.xyz"
    make(path, train_frames[0].copy())
    output = tmp_path / "out"
    if command == "fit":
        result = cli("fit", path, "-o", output)
    else:
        result = cli("evaluate", model_file, path, "--json", output)
    line = result.error_line()
    assert words in line and "bad.xyz" in line
    assert not output.exists()


def test_missing_file(cli, model_file, tmp_path):
    for arguments in (
        ("fit", tmp_path / "none.xyz", "-o", tmp_path / "m.gapy"),
        ("evaluate", model_file, tmp_path / "none.xyz"),
        ("md", model_file, tmp_path / "none.xyz", "-o", tmp_path / "md"),
    ):
        assert "none.xyz" in cli(*arguments).error_line()


def test_unknown_species(cli, model_file, tmp_path, train_frames):
    atoms = train_frames[0].copy()
    atoms.symbols[0] = "Au"
    written(tmp_path / "gold.xyz", atoms)
    for command in (("evaluate",), ("md", "-o", tmp_path / "md")):
        line = cli(command[0], model_file, tmp_path / "gold.xyz", *command[1:]).error_line()
        assert "Au" in line
    assert not (tmp_path / "md").exists()


def test_doubtful_structures_warn_in_one_line_and_go_on(cli, model_file, test_frames, tmp_path):
    write(tmp_path / "twice.xyz", [test_frames[0], test_frames[0]], format="extxyz")
    result = cli("evaluate", model_file, tmp_path / "twice.xyz")
    assert result.code == 0
    assert result.err.startswith("gapy: warning: ") and result.err.count("\n") == 1
