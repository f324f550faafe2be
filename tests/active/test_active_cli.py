"""`gapy learn`: the file, the plan, and one line for everything that is wrong with it."""

import re
from pathlib import Path

import pytest
from active_calculators import cell
from ase.io import write

import gapy
from gapy.active import read_config
from gapy.active.config import LoopConfig

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/loop.toml"))
GOOD = """
directory = "out"
seed = 2
checkpoint-steps = 40

[oracle]
calculator = "ase.calculators.emt.EMT"

[model]
r-cut = 4.0
n-max = 3
l-max = 2
n-inducing = 30

[policy]
max-force-std = 0.1

[initial]
rattles = 2

[[explore]]
kind = "md"
start = "start.xyz"
temperature = 300
temperature-end = 900
ps = 0.1
timestep = 2.0

[[explore]]
kind = "swaps"
start = { class = "ase.build.bulk", name = "CuAl", crystalstructure = "rocksalt", a = 5.0 }
supercell = 2
steps = 5
"""


@pytest.fixture
def config(tmp_path):
    write(tmp_path / "start.xyz", cell(), format="extxyz")

    def make(old="", new="", text=GOOD):
        assert old in text
        path = tmp_path / "loop.toml"
        path.write_text(text.replace(old, new, 1))
        return path

    return make


def test_a_file_says_what_learn_gets(config):
    stated = read_config(config())
    assert isinstance(stated, LoopConfig) and stated.seed == 2 and stated.checkpoint_steps == 40
    assert [e.kind for e in stated.explorers] == ["md", "swaps"]
    assert stated.explorers[0].settings.temperature_end == 900
    assert len(stated.explorers[1].start) == 16
    assert stated.model.species == ["Al", "Cu"] and stated.model.r_cut == 4.0
    assert stated.policy.max_force_std == 0.1 and stated.directory.name == "out"


def test_dry_run_prints_the_plan_and_does_nothing(config, cli, tmp_path):
    result = cli("learn", config(), "--dry-run")
    assert result.code == 0 and result.err == ""
    for words in ("ase.calculators.emt.EMT", "300 to 900 K", "swaps", "0.1 eV/A", "55 steps"):
        assert words in result.out
    assert not (tmp_path / "out").exists()


def test_it_runs_and_resumes(config, cli, tmp_path):
    path = config()
    result = cli("learn", path)
    assert result.code == 0, result.err
    assert "every explorer has finished" in result.out and "model.gapy" in result.out
    assert gapy.load(tmp_path / "out" / "model.gapy").species == (13, 29)
    log = (tmp_path / "out" / "learn.log").read_text()
    shown = [line for line in result.err.splitlines() if " labels" in line]
    assert shown and all(line in log for line in shown) and result.out in log
    assert "already holds a loop" in cli("learn", path).error_line()
    assert (tmp_path / "out" / "learn.log").read_text() == log
    again = cli("learn", path, "--resume")
    assert again.code == 0 and again.out == result.out
    quiet = cli("learn", path, "--resume", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    other = config("seed = 2", "seed = 3")
    assert "seed: stored 2, given 3" in cli("learn", other, "--resume").error_line()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 2", "sead = 2", "did you mean seed?"),
        ("max-force-std", "max-force-sdt", "did you mean max_force_std"),
        ("r-cut = 4.0", "rcut = 4.0", "did you mean r_cut"),
        ("rattles = 2", "ratles = 2", "did you mean rattles"),
        ("temperature-end", "temperature-and", "[[explore]] 1 unknown key 'temperature_and'"),
        ("steps = 5", "stpes = 5", "[[explore]] 2 unknown key 'stpes'; did you mean steps"),
        ('kind = "swaps"', 'kind = "swap"', "did you mean swaps?"),
        ("ps = 0.1", 'ps = 0.1\nengine = "lamps"', "[[explore]] 1: engine: expected 'ase' or"),
        ("ps = 0.1", "ps = 0.1\nevery = 5", "[[explore]] 1: every: expected with engine 'lammps'"),
        ("steps = 5", 'steps = 5\nengine = "ase"', "[[explore]] 2 unknown key 'engine'"),
        ("[policy]", "[polcy]", "did you mean policy?"),
        ("[policy]\nmax-force-std = 0.1", "", "expected a table [policy]"),
        ("max-force-std = 0.1", "", "max_force_std"),
        ("max-force-std = 0.1", "max-force-std = -1", "max_force_std must be a finite number > 0"),
        ('calculator = "ase.calculators.emt.EMT"', "", "expected an import path"),
        ('calculator = "ase.calculators.emt.EMT"', 'calculator = "EMT"', "import path"),
        (".emt.EMT", ".emt.TME", "has no 'TME'"),
        ("ps = 0.1", 'ps = "0.1"', "ps must be"),
        ('start = "start.xyz"', 'start = "none.xyz"', "none.xyz"),
        ('start = "start.xyz"', "", "expected a file of structures"),
        ("ase.build.bulk", "ase.build.bulkk", "has no 'bulkk'"),
        ("a = 5.0", "a = 5.0, edge = 1", "refuses its arguments"),
        ("supercell = 2", "supercell = [2, 2]", "one number or three"),
        ("seed = 2", "seed = 2\nseed = 3", "TOML"),
        ("seed = 2", "checkpoint_steps = 2", "given twice"),
        ("rattles = 2", 'file = "none.xyz"', "none.xyz"),
        ("[initial]", "[test]\nfiel = 3\n[initial]", "did you mean file?"),
        ("[initial]", "[budget]\nlabels = 2\n[initial]", "budget of 2 is less than the 6"),
        ("[initial]", "[stop]\nquiet_ps = -1\n[initial]", "quiet_ps must be"),
        ("[initial]", '[model.e0]\nCu = "x"\n[initial]', "e0 of Cu"),
        ("l-max = 2", "l-max = 2\nzeta = 0", "zeta must be"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old, new, words, config, cli):
    assert words in cli("learn", config(old, new)).error_line()


def test_a_missing_file_is_one_line(cli, tmp_path):
    assert "none.toml" in cli("learn", tmp_path / "none.toml").error_line()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.parent.name)
def test_the_examples_can_be_read(path, cli):
    package = re.search(r'calculator = "(\w+)', path.read_text()).group(1)
    pytest.importorskip(package)
    result = cli("learn", path, "--dry-run")
    assert result.code == 0, result.err
    assert "at most" in result.out
