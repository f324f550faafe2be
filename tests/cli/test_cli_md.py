"""`gapy md`: how runs end, and what is refused."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from bad_files import coincident, empty, flat_cell, nan_position


@pytest.fixture
def start(tmp_path):
    path = tmp_path / "start.xyz"
    write(path, [bulk("Cu", a=3.8, cubic=True), bulk("Al", a=4.0, cubic=True)], format="extxyz")
    return path


def test_md_finishes_and_goes_on(cli, model_file, start, tmp_path):
    run = ("md", model_file, f"{start}@0", "-o", tmp_path / "run", "--seed", 1)
    first = cli(*run, "--steps", 4, "--supercell", "2 1 1")
    assert first.code == 0 and first.err == ""
    assert "Cu8, nvt at 300 K" in first.out and "finished: all 4 steps done" in first.out
    assert len(read(tmp_path / "run/md.extxyz")) == 8
    assert "restart" in cli(*run, "--steps", 6, "--supercell", "2 1 1").error_line()
    again = cli(*run, "--steps", 6, "--supercell", "2 1 1", "--restart")
    assert again.code == 0 and "all 6 steps done" in again.out
    assert cli(*run, "--steps", 1, "--overwrite").code == 0


def test_md_in_single_precision(cli, model_file, start, tmp_path):
    run = ("md", model_file, f"{start}@0", "--seed", 1, "--precision", "single", "-o")
    assert cli(*run, tmp_path / "a", "--steps", 4).code == 0
    assert cli(*run, tmp_path / "b", "--steps", 2).code == 0
    assert cli(*run, tmp_path / "b", "--steps", 4, "--restart").code == 0
    assert cli(*run[:-2], "double", "-o", tmp_path / "double", "--steps", 4).code == 0
    refused = cli(*run[:-2], "double", "-o", tmp_path / "b", "--steps", 6, "--restart")
    assert "precision: expected single" in refused.error_line()
    one, other = read(tmp_path / "a/md.extxyz"), read(tmp_path / "b/md.extxyz")
    np.testing.assert_array_equal(one.positions, other.positions)
    double = read(tmp_path / "double/md.extxyz")
    assert 0.0 < np.abs(one.get_forces() - double.get_forces()).max() < 1e-5


def test_md_flags_with_exit_code_0(cli, model_file, start, tmp_path):
    result = cli(
        "md", model_file, start, "-o", tmp_path / "run", "--max-force-std", 1e-6, "--steps", 5
    )
    assert result.code == 0 and result.err == ""
    assert "flagged: force uncertainty above max_force_std" in result.out
    frame = read(tmp_path / "run/flagged.extxyz")
    assert frame.get_chemical_formula() == "Al4"  # the last frame of the file is the start


def test_md_that_explodes(cli, model_file, start, tmp_path):
    result = cli(
        "md", model_file, start, "-o", tmp_path / "run", "--timestep", 500, "--steps", 50,
        "--temperature", 2000, "--ensemble", "nve",
    )  # fmt: skip
    assert result.code == 1
    assert result.err.count("\n") == 1 and "last_good.extxyz" in result.err


def test_md_interrupted(cli, model_file, start, tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gapy.md.run_md", interrupt)
    result = cli("md", model_file, start, "-o", tmp_path / "run")
    assert result.code == 130 and result.err == "gapy: error: interrupted\n"
    assert "--restart" in result.out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--supercell", "2 2"], "supercell"),
        (["--supercell", "2 0 2"], "supercell"),
        (["--ensemble", "nvp"], "ensemble"),
        (["--temperature", "-5"], "temperature"),
        (["--timestep", "0"], "timestep"),
        (["--steps", "-1"], "steps"),
        (["--threads", "0"], "threads"),
        (["--max-force-std", "-1"], "max_force_std"),
        (["--max-force-std", "1", "--no-uncertainty"], "max_force_std"),
        (["--precision", "half"], "precision: expected one of"),
        (["--pressure", "1"], "pressure"),
        (["--restart"], "restart found no run"),
        (["--restart", "--overwrite"], "exclude"),
    ],
)
def test_bad_md_settings(cli, model_file, start, tmp_path, flags, words):
    assert words in cli("md", model_file, start, "-o", tmp_path / "r", *flags).error_line()


@pytest.mark.parametrize(
    ("make", "words"),
    [(nan_position, "finite"), (flat_cell, "cell"), (coincident, "apart"), (empty, "empty")],
)
def test_bad_start(cli, model_file, tmp_path, train_frames, make, words):
    make(tmp_path / "bad.xyz", train_frames[0].copy())
    line = cli("md", model_file, tmp_path / "bad.xyz", "-o", tmp_path / "run").error_line()
    assert words in line
    assert not (tmp_path / "run").exists()


def test_start_must_be_one_frame(cli, model_file, start, tmp_path):
    line = cli("md", model_file, f"{start}@:", "-o", tmp_path / "run").error_line()
    assert "selects 2" in line
