"""`gapy fit`: settings from flags and files, and its output."""

import json

import pytest

import gapy

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)


def test_fit_evaluate_info(cli, train_xyz, test_xyz, tmp_path):
    model, out = tmp_path / "m.gapy", tmp_path / "out.json"
    fitted = cli("fit", train_xyz, "-o", model, *SMALL, "--sigma-forces", 0.02, "--seed", 3)
    assert fitted.code == 0 and fitted.err == ""
    assert "errors on the training structures" in fitted.out and str(model) in fitted.out
    evaluated = cli("evaluate", model, test_xyz, "--json", out)
    assert evaluated.code == 0 and "forces (eV/A)" in evaluated.out and "alloy" in evaluated.out
    values = json.loads(out.read_text())
    assert values["n_structures"] == 9 and values["forces_rmse"] < values["forces_spread"]
    info = json.loads(cli("info", model, "--json").out)
    assert info["species"] == ["Al", "Cu"] and info["noise"]["forces"] == 0.02
    assert info["metadata"]["seed"] == 3 and info["n_inducing"] == [{"Al": 8, "Cu": 8}]
    text = cli("info", model).out
    assert "zeta 4" in text and "labels of alloy" in text and info["sha256"] in text


def test_fit_again_gives_the_same_bytes(cli, train_xyz, tmp_path):
    for name, threads in (("a", 1), ("b", 2)):
        cli("fit", train_xyz, "-o", tmp_path / name, *SMALL, "--threads", threads)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_config_file_and_flags_over_it(cli, train_xyz, tmp_path):
    config = tmp_path / "fit.toml"
    config.write_text(
        f'train = "{train_xyz}"\noutput = "{tmp_path / "c.gapy"}"\nr-cut = 4\nn_max = 2\n'
        "l_max = 1\nzeta = 2\nstress = false\nn_inducing = {Al = 5, Cu = 6}\n"
        "[e0]\nCu = 0.1\nAl = 0.2\n[noise.alloy]\nforces = 0.3\n"
    )
    assert cli("fit", "--config", config, "--zeta", 3).code == 0
    potential = gapy.load(tmp_path / "c.gapy")
    assert potential.terms[0].zeta == 3
    assert [len(x) for x in potential.terms[0].inducing] == [5, 6]
    assert potential.noise.sigma("forces", "alloy") == 0.3
    assert potential.e0 == {13: 0.2, 29: 0.1}
    assert "stress" not in potential.metadata["n_labels"]["alloy"]


def test_inducing_points_per_species_as_a_flag(cli, train_xyz, tmp_path):
    model = tmp_path / "m.gapy"
    assert cli("fit", train_xyz, "-o", model, *SMALL, "--n-inducing", "Al=4,Cu=7").code == 0
    assert [len(x) for x in gapy.load(model).terms[0].inducing] == [4, 7]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("r_cutt = 4", "unknown key 'r_cutt'; did you mean r_cut?"),
        ("frobnicate = 4", "unknown key 'frobnicate'; known are"),
        ("r_cut = 4\nr-cut = 5", "'r-cut' is given twice"),
        ("r_cut = 'four'", "r-cut: expected a positive number, got 'four'"),
        ("n_max = 2.5", "n-max: expected a whole number"),
        ("stress = 1", "stress: expected true or false"),
        ("output = 3", "output: expected text"),
        ("train = [1]", "train: expected names of files"),
        ("[noise.alloy]\nforce = 0.1", "force"),
        ("noise = 3", "noise"),
        ("r_cut = ", "expected TOML"),
    ],
)
def test_bad_config(cli, train_xyz, tmp_path, text, words):
    config = tmp_path / "fit.toml"
    config.write_text(text)
    train = () if "train" in text else (train_xyz,)
    output = () if "output" in text else ("-o", tmp_path / "m.gapy")
    assert words in cli("fit", *train, *output, "--config", config).error_line()


def test_missing_config(cli, tmp_path):
    assert "none.toml" in cli("fit", "--config", tmp_path / "none.toml").error_line()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--r-cut", "-1"], "r-cut"),
        (["--r-cut", "nan"], "r-cut"),
        (["--n-max", "0"], "n-max"),
        (["--zeta", "0"], "zeta"),
        (["--seed", "-1"], "seed"),
        (["--threads", "0"], "threads"),
        (["--sigma-energy", "0"], "sigma-energy"),
        (["--n-inducing", "0"], "n-inducing"),
        (["--n-inducing", "many"], "n-inducing"),
        (["--n-inducing", "Al=5"], "n_inducing"),
        (["--selection", "best"], "selection"),
        (["--compression", "zip"], "compression"),
        (["--e0", "guess"], "e0"),
        (["--e0", "Xx=1"], "Xx"),
        (["--energy-key", "nope"], "'nope' expected in some frame"),
        (["--virial-key", "nope"], "'nope' expected in some frame"),
        (["--l-max", "30"], "l_max"),
    ],
)
def test_bad_settings(cli, train_xyz, tmp_path, flags, words):
    model = tmp_path / "m.gapy"
    line = cli("fit", train_xyz, "-o", model, "--r-cut", 4, "--n-max", 2, *flags).error_line()
    assert words in line
    assert not model.exists()


def test_output_is_looked_at_before_the_fit(cli, train_xyz, tmp_path):
    assert "give -o" in cli("fit", train_xyz).error_line()
    assert "No such file" in cli("fit", train_xyz, "-o", tmp_path / "no/m.gapy").error_line()
    assert "directory" in cli("fit", train_xyz, "-o", tmp_path).error_line()


def test_full_disk(cli, train_xyz):
    line = cli("fit", train_xyz, "-o", "/dev/full", *SMALL).error_line()
    assert "No space left on device" in line


def test_reduced_model_states_its_error(cli, train_xyz, tmp_path):
    model = tmp_path / "reduced.gapy"
    size = ("--r-cut", "4", "--n-max", "3", "--l-max", "2", "--n-inducing", "40")
    assert cli("fit", train_xyz, "-o", model, *size, "--force-tolerance", "0.05").code == 0
    shown = cli("info", model)
    assert shown.code == 0
    assert "reduced" in shown.out and "of the exact ones" in shown.out
    assert "eV/atom" in shown.out.split("reduced")[1].split("log marginal")[0]


def test_zeta_by_left_out_errors_where_it_is_left_open(cli, tmp_path):
    from ase.io import write
    from helpers import labelled_frames

    many, few = tmp_path / "many.xyz", tmp_path / "few.xyz"
    frames = labelled_frames(90, seed=4)
    write(many, frames, format="extxyz")
    write(few, frames[:12], format="extxyz")
    small = ("-o", tmp_path / "m.gapy", "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
    out = cli("fit", many, *small).out
    (line,) = (line for line in out.splitlines() if line.startswith("zeta "))
    zeta = gapy.load(tmp_path / "m.gapy").terms[0].zeta
    assert line.startswith(f"zeta {zeta} by left-out errors of 13 structures with 16 points: 2: ")
    assert "meV/atom" in line and "; 3: " in line and "gain" in line
    assert "must gain 3 % and 3 standard errors" in line
    assert line in cli("fit", many, *small, "--seed", 0).out.splitlines()
    assert "zeta 2: too few labelled structures" in cli("fit", few, *small).out
    given = cli("fit", many, *small, "--zeta", 3, "--terms", "soap").out
    assert "left-out errors" not in given and gapy.load(tmp_path / "m.gapy").terms[0].zeta == 3
