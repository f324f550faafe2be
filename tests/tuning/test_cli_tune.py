"""`gapy tune` and the automatic choice of `gapy fit` on the command line."""

import json
import tomllib

import pytest

import gapy
from gapy.descriptors import auto_soap

SMALL = ("--n-max", "2", "--l-max", "1", "--n-inducing", "8")


def test_tune_writes_a_fit_that_works(cli, train_xyz, tmp_path):
    out = tmp_path / "tune"
    result = cli("tune", train_xyz, "-o", out, "--r-cut", "3.5,4.5", *SMALL, "--seed", 2)
    assert result.code == 0 and result.err == ""
    names = {p.name for p in out.iterdir()}
    assert names == {"results.json", "results.csv", "FIT.toml", "pareto.png", "tune.log"}
    settings = tomllib.loads((out / "FIT.toml").read_text())
    assert settings["train"] == [str(train_xyz)] and settings["seed"] == 2
    assert settings["r-cut"] in (3.5, 4.5) and settings["n-inducing"] == 8
    fitted = cli("fit", "--config", out / "FIT.toml", "-o", tmp_path / "m.gapy")
    assert fitted.code == 0 and "chosen from the data" not in fitted.out
    soap = gapy.load(tmp_path / "m.gapy").terms[0].descriptor.settings()
    assert (soap["r_cut"], soap["n_max"], soap["l_max"]) == (settings["r-cut"], 2, 1)
    # The command that is printed gives the same model.
    command = next(line for line in result.out.splitlines() if "--r-cut" in line).split()
    command[command.index("MODEL.gapy")] = str(tmp_path / "n.gapy")
    assert cli(*command[1:]).code == 0
    assert (tmp_path / "n.gapy").read_bytes() == (tmp_path / "m.gapy").read_bytes()


def test_tune_goes_on_and_refuses_other_settings(cli, train_xyz, tmp_path):
    run = ("tune", train_xyz, "-o", tmp_path / "t", "--r-cut", "4.0", "--zeta", "2,3", *SMALL)
    assert cli(*run).code == 0
    rows = json.loads((tmp_path / "t/results.json").read_text())["rows"]
    again = cli(*run)
    assert again.code == 0
    assert json.loads((tmp_path / "t/results.json").read_text())["rows"] == rows
    assert "another search" in cli(*run, "--seed", 1).error_line()
    assert cli(*run, "--seed", 1, "--overwrite").code == 0


def test_tune_with_lists_in_the_configuration(cli, train_xyz, tmp_path):
    config = tmp_path / "fit.toml"
    config.write_text(
        f'train = "{train_xyz}"\nr-cut = 4.0\nn_max = [2, 3]\nl_max = 1\nn-inducing = 8\n'
        "sigma-forces = 0.02\n[e0]\nCu = 0.1\nAl = 0.2\n[noise.alloy]\nforces = 0.3\n"
    )
    out = tmp_path / "t"
    result = cli("tune", "--config", config, "-o", out, "--zeta", "2", "--criterion", "likelihood")
    assert result.code == 0
    tried = {
        (r["r_cut"], r["n_max"], r["zeta"])
        for r in json.loads((out / "results.json").read_text())["rows"]
    }
    assert tried == {(4.0, 2, 2), (4.0, 3, 2)}
    settings = tomllib.loads((out / "FIT.toml").read_text())
    assert settings["sigma-forces"] == 0.02 and settings["noise"] == {"alloy": {"forces": 0.3}}
    assert settings["e0"] == {"Cu": 0.1, "Al": 0.2}
    assert cli("fit", "--config", out / "FIT.toml", "-o", tmp_path / "m.gapy").code == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--r-cut", "4,wide"], "--r-cut: expected numbers separated by commas"),
        (["--n-max", "2.5"], "--n-max: expected numbers separated by commas"),
        (["--n-max", "0"], "n_max: expected whole numbers of at least 1"),
        (["--criterion", "best"], "criterion"),
        (["--budget-us", "-1"], "budget_us"),
        (["--l-max", "30", "--n-max", "2"], "none could be fitted"),
        (["--config", "none.toml"], "none.toml"),
    ],
)
def test_bad_tune(cli, train_xyz, tmp_path, flags, words):
    line = cli("tune", train_xyz, "-o", tmp_path / "t", "--r-cut", "4.0", *flags).error_line()
    assert words in line


def test_tune_needs_structures_and_a_directory(cli, train_xyz, tmp_path):
    assert "train: expected" in cli("tune", "-o", tmp_path).error_line()
    assert "give -o DIR" in cli("tune", train_xyz).error_line()
    assert "expected a directory" in cli("tune", train_xyz, "-o", train_xyz).error_line()


# -- gapy fit without a cutoff -------------------------------------------------------------------


def test_fit_chooses_and_says_why(cli, train_xyz, train_frames, tmp_path):
    model = tmp_path / "m.gapy"
    result = cli("fit", train_xyz, "-o", model, "--n-max", 2, "--l-max", 1)
    assert result.code == 0 and result.err == ""
    chosen = auto_soap(train_frames, n_max=2, l_max=1)
    (line,) = (line for line in result.out.splitlines() if "chosen from the data" in line)
    assert f"r_cut {chosen.r_cut:g} A ({chosen.reasons['r_cut']})" in line
    assert "n_max" not in line and "l_max" not in line
    term = gapy.load(model).terms[0]
    assert term.descriptor.settings()["r_cut"] == chosen.r_cut
    assert "n_inducing Al 36 Cu 36 (36 Al atoms, 36 Cu atoms)" in line


def test_a_given_number_of_points_wins(cli, train_xyz, tmp_path):
    flags = ("--n-max", 2, "--l-max", 1, "--n-inducing", "Al=3,Cu=5")
    result = cli("fit", train_xyz, "-o", tmp_path / "m.gapy", *flags)
    assert result.code == 0 and "n_inducing" not in result.out
    assert [len(x) for x in gapy.load(tmp_path / "m.gapy").terms[0].inducing] == [3, 5]


def test_a_given_cutoff_keeps_the_fixed_settings(cli, train_xyz, tmp_path):
    result = cli("fit", train_xyz, "-o", tmp_path / "m.gapy", "--r-cut", 3.5, "--n-inducing", 8)
    assert result.code == 0 and "chosen from the data" not in result.out
    soap = gapy.load(tmp_path / "m.gapy").terms[0].descriptor.settings()
    settings = (soap["r_cut"], soap["n_max"], soap["l_max"], soap["sigma"])
    assert settings == (3.5, 8, 8, 0.5) and soap["compression"]["mode"] == "off"
