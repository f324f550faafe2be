"""No output destroys an input or another kind of file, whatever the command."""

import os
import shutil

import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from helpers import labelled_frames

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
LOOP = """
directory = "{directory}"
{more}
[oracle]
calculator = "ase.calculators.emt.EMT"
[policy]
max_force_std = 0.1
[initial]
file = "{train}"
[[explore]]
start = "{start}"
ps = 0.005
temperature = 300
"""


@pytest.fixture
def place(tmp_path, train_xyz, test_xyz, model_file):
    """A directory with the inputs of all commands."""
    for source, name in ((train_xyz, "train.xyz"), (test_xyz, "test.xyz"), (model_file, "m.gapy")):
        shutil.copy(source, tmp_path / name)
    write(tmp_path / "start.xyz", labelled_frames(1, seed=3), format="extxyz")
    return tmp_path


def contents(place):
    return {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}


def refused(cli, place, *arguments):
    """The error line of a command that leaves every file as it was, and makes none."""
    before = contents(place)
    line = cli(*arguments).error_line()
    assert contents(place) == before
    return line


@pytest.mark.parametrize("link", ["name", "symbolic", "hard", "dotted"])
def test_fit_keeps_its_input(cli, place, link):
    output = train = place / "train.xyz"
    if link == "symbolic":
        (output := place / "link").symlink_to(train)
    elif link == "hard":
        os.link(train, output := place / "link")
    elif link == "dotted":
        output = place / "sub" / ".." / "train.xyz"
        (place / "sub").mkdir()
    line = refused(cli, place, "fit", train, "-o", output, *SMALL)
    assert "output: " in line and "is an input" in line and "name another" in line


def test_an_input_among_the_files_of_a_pattern_is_kept(cli, place):
    line = refused(cli, place, "fit", place / "t*.xyz@0", "-o", place / "test.xyz", *SMALL)
    assert "is an input" in line


def test_every_command_keeps_its_inputs(cli, place):
    model, train, test = place / "m.gapy", place / "train.xyz", place / "test.xyz"
    config = place / "FIT.toml"
    config.write_text("zeta = 2\n")
    run = place / "run"
    run.mkdir()
    shutil.copy(place / "start.xyz", start := run / "flagged.extxyz")
    (run / ".lock").touch()
    for arguments in (
        ("fit", train, "--config", config, "-o", config, *SMALL),
        ("evaluate", model, test, "--json", model),
        ("evaluate", model, test, "--json", test),
        ("inspect", train, "--json", train),
        ("inspect", train, "--model", model, "--plot", model),
        ("inspect", train, "--candidates", test, "--plot", test),
        ("tune", train, "--config", config, "-o", place),
        ("md", model, f"{start}@0", "-o", run, "--overwrite"),
    ):
        assert "is an input" in refused(cli, place, *arguments)


def test_two_outputs_in_one_file(cli, place):
    out = place / "out"
    line = refused(cli, place, "inspect", place / "train.xyz", "--json", out, "--plot", out)
    assert "--plot" in line and "is the file of --json too" in line


def test_a_shell_pattern_after_the_option(cli, place):
    """`gapy fit -o *.xyz`: the first file comes where the output should be."""
    files = (place / "start.xyz", place / "test.xyz", place / "train.xyz")
    line = refused(cli, place, "fit", "-o", *files)
    assert "exists and is not a gapy model file" in line and "remove it first" in line


def test_another_kind_of_file_is_kept(cli, place):
    model, train, test = place / "m.gapy", place / "train.xyz", place / "test.xyz"
    other = place / "other"
    other.write_text('{"1": "somebody\'s"}')
    plots = place / "plots"
    plots.mkdir()
    (plots / "parity.png").write_text("not a picture")
    for arguments, words in (
        (("fit", train, "-o", other), "is not a gapy model file"),
        (("evaluate", model, test, "--json", other), "is not a report of gapy"),
        (("evaluate", model, test, "--plots", plots), "is not a PNG picture"),
        (("inspect", train, "--json", test), "is not a report of gapy"),
        (("inspect", train, "--plot", other), "is not a PNG picture"),
        (("inspect", train, "--json", model), "is not a report of gapy"),
    ):
        assert words in refused(cli, place, *arguments)


def test_outputs_of_the_same_kind_are_replaced(cli, place):
    model, report, plots = place / "m.gapy", place / "out.json", place / "plots"
    empty = place / "empty.gapy"
    empty.touch()
    for output in (model, empty):
        assert cli("fit", place / "train.xyz", "-o", output, *SMALL).code == 0
    for _ in range(2):
        run = ("evaluate", model, place / "test.xyz", "--json", report, "--plots", plots)
        assert cli(*run).code == 0
    assert cli("evaluate", model, place / "test.xyz", "--json", "/dev/null").code == 0


def test_directories_of_others(cli, place):
    """Files under our names where we have never written are not ours to replace."""
    other = place / "other"
    other.mkdir()
    for name in ("result.json", "FIT.toml", "test.csv", "test.xyz"):
        (other / name).write_text("somebody's")
    loop = place / "loop.toml"
    loop.write_text(LOOP.format(directory="other", more="", train="train.xyz", start="start.xyz"))
    start = place / "start.xyz"
    for arguments, words in (
        (("md", place / "m.gapy", start, "-o", other, "--overwrite"), "holds result.json"),
        (("tune", place / "train.xyz", "-o", other, "--overwrite"), "holds FIT.toml"),
        (("learn", loop), "holds test.csv"),
        (("demo", "-o", other), "holds FIT.toml, which is not of a demo"),
        (("md", place / "m.gapy", start, "-o", start), "Not a directory"),
        (("evaluate", place / "m.gapy", start, "--plots", start), "Not a directory"),
        (("demo", "-o", start), "Not a directory"),
    ):
        assert words in refused(cli, place, *arguments)


@pytest.mark.parametrize(
    "stated",
    [
        {"more": 'store = "train.db"', "train": "train.db"},
        {"more": 'store = "loop.toml"'},
        {"directory": ".", "train": "labels.db"},
        {"directory": ".", "start": "labels.db"},
    ],
)
def test_a_loop_keeps_its_inputs(cli, place, stated):
    frames = labelled_frames(2, seed=4)
    for atoms in frames:
        energy, forces = atoms.info["REF_energy"], atoms.arrays["REF_forces"]
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    for name in ("train.db", "labels.db"):
        write(place / name, frames)
    values = {"directory": "learn", "more": "", "train": "train.xyz", "start": "start.xyz"}
    loop = place / "loop.toml"
    loop.write_text(LOOP.format(**values | stated))
    assert "is an input" in refused(cli, place, "learn", loop)
