"""The demo at a reduced size: every step runs, every file is there, every figure is measured."""

import json
import re

import numpy as np
import pytest
from ase.io import read

import gapy
from gapy import data
from gapy.cli.demo_steps import Plan, run_demo

SMALL = Plan(
    r_cut=4.5, n_max=4, l_max=3, n_inducing=60, steps=20, heating_steps=400, hottest=20000.0
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Directory and printed lines of a demo on a third of the data."""
    directory = tmp_path_factory.mktemp("demo") / "gapy-demo"
    frames, lines = data.frames, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "gapy.cli.demo_steps.data.frames", lambda name, split: frames(name, split)[::3]
        )
        patch.setattr("builtins.print", lambda *parts, sep=" ", **_: lines.append(sep.join(parts)))
        run_demo(directory, threads=1, plan=SMALL)
    return directory, "\n".join(lines)


def test_files(demo):
    directory, _ = demo
    names = {p.name for p in directory.iterdir()}
    assert names == {
        "si.gapy", "start.xyz", "test.xyz", "md", "md-heating",
        "parity.png", "sigma-error.png", "md-timeline.png",
    }  # fmt: skip
    assert len(read(directory / "start.xyz")) == 64
    assert 5.2 < read(directory / "start.xyz").cell[0, 0] / 2 < 5.6


def test_cold_run_finishes_and_heating_is_stopped(demo):
    directory, text = demo
    cold = json.loads((directory / "md/result.json").read_text())
    heated = json.loads((directory / "md-heating/result.json").read_text())
    assert cold["status"] == "finished" and heated["status"] == "flagged"
    assert heated["max_force_std"] > cold["max_force_std"]
    assert "finished: all 20 steps done" in text and "flagged: force uncertainty" in text


def test_printed_errors_are_those_of_the_saved_model(demo):
    directory, text = demo
    structures = gapy.read_structures(directory / "test.xyz")
    report = gapy.evaluate(gapy.load(directory / "si.gapy"), structures)
    assert f"{report.total.forces_rmse:.4f}" in text
    assert f"{1e3 * report.total.energy_rmse:.2f}" in text
    threshold = SMALL.margin * np.percentile(report.samples.forces_std, SMALL.percentile)
    assert f"exceeds {threshold:.2f} eV/A" in text


def test_lines_to_type_next_work(demo, cli, tmp_path):
    _, text = demo
    commands = re.findall(r"^  gapy ((?:info|evaluate|md) .*(?:\n      .*)?)$", text, re.MULTILINE)
    assert [c.split()[0] for c in commands] == ["info", "evaluate", "md"]
    for command in commands:
        words = command.replace("\\\n", " ").split()
        words = [str(tmp_path / w) if w in ("errors.json", "md-600K") else w for w in words]
        if words[0] == "md":
            words[words.index("--steps") + 1] = "2"
        assert cli(*words).code == 0


def test_command(cli, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr("gapy.cli.demo_steps.run_demo", lambda *a, **k: seen.append((a, k)))
    assert cli("demo", "-o", tmp_path / "d", "--threads", 1).code == 0
    assert seen == [((str(tmp_path / "d"),), {"threads": 1})]
    assert "threads" in cli("demo", "--threads", 0).error_line()
