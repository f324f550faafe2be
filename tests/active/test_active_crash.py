"""SIGKILL at random moments: nothing lost, nothing stored twice, the same model in the end."""

import importlib.util
import random
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "active" / "crash.py"
KILLS = 5


@pytest.mark.slow
def test_a_killed_loop_ends_like_an_undisturbed_one(tmp_path):
    if not SCRIPT.exists():
        pytest.skip("the benchmarks are not here")
    spec = importlib.util.spec_from_file_location("crash", SCRIPT)
    crash = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(crash)
    small = {"labels": 16, "ps": 0.5, "checkpoint": 30}
    config = crash.prepare(tmp_path / "reference", **small)
    subprocess.run([*crash.COMMAND, str(config)], check=True, capture_output=True)
    reference = crash.contents(config.parent)
    assert reference["labels"] > 6
    config = crash.prepare(tmp_path / "killed", **small)
    kills, lost = crash.disturbed(config, KILLS, random.Random(), longest=3.5)
    assert kills > 0 and lost == 0
    assert crash.contents(config.parent) == reference
    made = crash.calls(config.parent)
    assert made["structures"] == reference["labels"]
    # Only a calculation that a kill cut off, or kept from being stored, is begun again.
    assert made["begun"] <= reference["labels"] + 2 * kills
