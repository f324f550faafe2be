"""Baselines of whole structures through the command line: fit, evaluate, md, info, learn."""

import json

import pytest
from ase.build import bulk
from ase.io import write

import gapy
from gapy.baselines import ASECalculator, Dispersion

SMALL_FIT = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
LOOP = """
directory = "out"
[oracle]
calculator = "ase.calculators.emt.EMT"
[model]
r-cut = 4.0
n-max = 2
l-max = 2
n-inducing = 20
{table}
[policy]
max-force-std = 0.1
[initial]
rattles = 2
[[explore]]
kind = "md"
start = "start.xyz"
temperature = 300
ps = 0.02
timestep = 2.0
"""


@pytest.fixture
def start(tmp_path):
    path = tmp_path / "start.xyz"
    write(path, bulk("Cu", a=3.8, cubic=True), format="extxyz")
    return path


@pytest.fixture
def loop(tmp_path, start):
    """A loop with tables of baselines."""

    def make(table):
        path = tmp_path / "loop.toml"
        path.write_text(LOOP.format(table=table))
        return path

    return make


@pytest.fixture
def fitted(cli, train_xyz, tmp_path):
    """What `gapy fit` says with tables of baselines, and its model."""

    def make(tables):
        config, model = tmp_path / "fit.toml", tmp_path / "m.gapy"
        config.write_text(tables)
        return cli("fit", train_xyz, "-o", model, "--config", config, *SMALL_FIT), model

    return make


def test_dispersion(cli, fitted, loop, start, test_xyz, tmp_path):
    pytest.importorskip("dftd3")
    table = '[baseline.dispersion]\nmethod = "d3bj"\nfunctional = "pbe"\n'
    result, model = fitted(table)
    assert result.code == 0, result.err
    line = "dispersion functional=pbe method=d3bj"
    assert "baseline dispersion" in result.out and "method=d3bj functional=pbe" in result.out
    assert gapy.load(model).baselines[1] == Dispersion()
    assert line in cli("info", model).out
    assert cli("evaluate", model, test_xyz, "--json", tmp_path / "e.json").code == 0
    assert json.loads((tmp_path / "e.json").read_text())["energy_rmse"] < 0.5
    run = cli("md", model, start, "-o", tmp_path / "run", "--steps", 3)
    assert run.code == 0, run.err
    result = cli("learn", loop("[model.baseline.dispersion]"))
    assert result.code == 0, result.err
    assert Dispersion() in gapy.load(tmp_path / "out" / "model.gapy").baselines


@pytest.mark.parametrize(
    ("kind", "lines", "said"),
    [
        (
            "coulomb",
            "charges = { Cu = 0.2, Al = -0.2 }\nbackground = true\n",
            "charges: Al -0.2, Cu 0.2 sigma: Al 1, Cu 1 background=True",
        ),
        (
            "qeq",
            "electronegativity = { Cu = 4.5, Al = 4.1 }\nhardness = { Cu = 13.0, Al = 11.0 }\n",
            "background=False",
        ),
    ],
)
def test_charges(cli, fitted, loop, start, test_xyz, train_xyz, tmp_path, kind, lines, said):
    result, model = fitted(f"[baseline.{kind}]\n{lines}")
    assert result.code == 0, result.err
    assert f"baseline {kind}" in result.out and said in result.out
    made = gapy.load(model).baselines[1]
    assert made.kind == kind and kind in cli("info", model).out
    assert cli("evaluate", model, test_xyz, "--json", tmp_path / "e.json").code == 0
    assert json.loads((tmp_path / "e.json").read_text())["energy_rmse"] < 0.5
    assert cli("inspect", train_xyz, "--model", model).code == 0
    run = cli("md", model, start, "-o", tmp_path / "run", "--steps", 3)
    assert run.code == 0, run.err
    result = cli("learn", loop(f"[model.baseline.{kind}]\n{lines}"))
    assert result.code == 0, result.err
    assert made in gapy.load(tmp_path / "out" / "model.gapy").baselines


def test_charges_of_the_wrong_species_are_one_line(fitted):
    result, _ = fitted("[baseline.coulomb]\ncharges = { Na = 1.0 }\n")
    assert "baseline coulomb: expected atoms of Na, got" in result.error_line()
    result, _ = fitted("[baseline.qeq]\n[baseline.coulomb]\ncharges = { Cu = 0.0, Al = 0.0 }\n")
    assert "electrostatics once, got it from qeq and coulomb" in result.error_line()


def test_an_unknown_functional_is_one_line(fitted):
    pytest.importorskip("dftd3")
    result, _ = fitted('[baseline.dispersion]\nfunctional = "nonsense"\n')
    assert "functional: expected one that dftd3 has" in result.error_line()


def test_a_calculator_needs_trust(cli, fitted, loop, start, test_xyz, train_xyz, tmp_path):
    table = 'path = "ase.calculators.emt.EMT"\narguments = { asap_cutoff = false }\n'
    made = ASECalculator("ase.calculators.emt.EMT", {"asap_cutoff": False})
    result, model = fitted(f"[baseline.calculator]\n{table}")
    assert result.code == 0, result.err
    assert "baseline calculator" in result.out and "path=ase.calculators.emt.EMT" in result.out
    for line in (
        ("evaluate", model, test_xyz),
        ("info", model),
        ("inspect", train_xyz, "--model", model),
        ("md", model, start, "-o", tmp_path / "run", "--steps", 3),
    ):
        assert "would import ase.calculators.emt.EMT" in cli(*line).error_line()
        trusted = cli(*line, "--trust")
        assert trusted.code == 0, trusted.err
    assert "calculator arguments: asap_cutoff False path=ase" in cli("info", model, "--trust").out
    assert "trust: of no model" in cli("inspect", train_xyz, "--trust").error_line()
    path = loop(f"[model.baseline.calculator]\n{table}")
    result = cli("learn", path)
    assert result.code == 0, result.err
    assert cli("learn", path, "--resume").code == 0
    learnt = gapy.load(tmp_path / "out" / "model.gapy", trust=True)
    assert learnt.baselines[1] == made
