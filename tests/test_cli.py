"""The command line: what it does, and one line with exit code 2 for every kind of bad input."""

import json
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

import gapy
from gapy.cli import app

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)


def run_python(code: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# -- the program --------------------------------------------------------------------------------


def test_help_and_version(cli):
    for arguments in ((), ("--help",), ("fit", "--help"), ("md", "-h")):
        result = cli(*arguments)
        assert result.code == 0 and "Usage: gapy" in result.out and result.err == ""
    assert cli("--version").out == f"gapy {gapy.__version__}\n"


def test_help_imports_nothing_heavy():
    done = run_python(
        "import gapy.cli, sys; print([m for m in ('numpy', 'ase') if m in sys.modules])"
    )
    assert done.stdout == "[]\n"


def test_entry_point_exits_with_the_code_and_no_traceback(tmp_path):
    done = run_python("from gapy.cli import main; main()", "info", tmp_path / "none.gapy")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "none.gapy" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bogus"], "bogus"),
        (["fit", "--no-such-flag"], "--no-such-flag"),
        (["fit", "--r-cut", "wide"], "--r-cut"),
        (["info"], "model"),
        (["md", "a.gapy", "b.xyz"], "--output"),
    ],
)
def test_bad_usage(cli, arguments, words):
    # Versions of typer differ in MODEL and model.
    assert words in cli(*arguments).error_line().lower()


def test_interrupt(cli, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gapy.modelfile.read", interrupt)
    result = cli("info", "any.gapy")
    assert result.code == 130 and result.err == "gapy: error: interrupted\n"


def test_flags_of_the_contract_exist():
    flags = {c.callback.__name__: c.callback for c in app.registered_commands}
    assert set(flags) == {"fit", "tune", "evaluate", "md", "learn", "inspect", "info", "demo"}
    fit = set(flags["fit"].__annotations__)
    assert fit >= {
        "train", "output", "r_cut", "n_max", "l_max", "sigma", "zeta", "n_inducing", "seed",
        "threads", "energy_key", "forces_key", "stress_key", "e0", "config",
    }  # fmt: skip


# -- fit ----------------------------------------------------------------------------------------


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


# -- structures that cannot be used -------------------------------------------------------------


def _write(path, atoms: Atoms) -> None:
    write(path, atoms, format="extxyz")


def _no_labels(path, atoms):
    _write(path, bulk("Cu", cubic=True))


def _nan_position(path, atoms):
    atoms.positions[1, 2] = np.nan
    _write(path, atoms)


def _nan_force(path, atoms):
    atoms.arrays["REF_forces"][1, 2] = np.nan
    _write(path, atoms)


def _nan_energy(path, atoms):
    atoms.info["REF_energy"] = np.nan
    _write(path, atoms)


def _flat_cell(path, atoms):
    cell = atoms.cell.array.copy()
    cell[2] = cell[1]
    atoms.set_cell(cell)
    _write(path, atoms)


def _zero_cell(path, atoms):
    text = 'Lattice="0 0 0 0 0 0 0 0 0" Properties=species:S:1:pos:R:3 REF_energy=1 pbc="T T T"'
    path.write_text(f"1\n{text}\nCu 0 0 0\n")


def _coincident(path, atoms):
    atoms.positions[1] = atoms.positions[0] + 0.001
    _write(path, atoms)


def _empty(path, atoms):
    path.write_text("")


def _text(path, atoms):
    path.write_text("this is no structure\n")


def _torn(path, atoms):
    _write(path, atoms)
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")


BAD_FILES = [
    (_no_labels, "REF_energy"),
    (_nan_position, "positions expected finite numbers"),
    (_nan_force, "forces expected finite numbers"),
    (_nan_energy, "energy expected finite numbers"),
    (_flat_cell, "cell expected independent vectors"),
    (_zero_cell, "cell"),
    (_coincident, "apart"),
    (_empty, "empty file"),
    (_text, "bad.xyz"),
    (_torn, "bad.xyz"),
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
    _write(tmp_path / "gold.xyz", atoms)
    for command in (("evaluate",), ("md", "-o", tmp_path / "md")):
        line = cli(command[0], model_file, tmp_path / "gold.xyz", *command[1:]).error_line()
        assert "Au" in line
    assert not (tmp_path / "md").exists()


def test_doubtful_structures_warn_in_one_line_and_go_on(cli, model_file, test_frames, tmp_path):
    write(tmp_path / "twice.xyz", [test_frames[0], test_frames[0]], format="extxyz")
    result = cli("evaluate", model_file, tmp_path / "twice.xyz")
    assert result.code == 0
    assert result.err.startswith("gapy: warning: ") and result.err.count("\n") == 1


# -- models that cannot be used -----------------------------------------------------------------


@pytest.mark.parametrize("command", ["info", "evaluate", "md"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "tampered", "text"])
def test_bad_models(cli, command, damage, model_file, test_xyz, tmp_path):
    model = tmp_path / "bad.gapy"
    data = model_file.read_bytes()
    if damage == "truncated":
        model.write_bytes(data[: len(data) // 2])
    elif damage == "tampered":
        model.write_bytes(data.replace(b'"zeta": 4', b'"zeta": 3'))
    elif damage == "text":
        model.write_text("not a model")
    more = {"info": (), "evaluate": (test_xyz,), "md": (test_xyz, "-o", tmp_path / "md")}[command]
    assert "bad.gapy" in cli(command, model, *more).error_line()


# -- evaluate -----------------------------------------------------------------------------------


def test_evaluate_reads_other_keys_and_draws(cli, model_file, test_frames, tmp_path):
    frames = [a.copy() for a in test_frames]
    for atoms in frames:
        atoms.info["e"] = atoms.info.pop("REF_energy")
        atoms.arrays["f"] = atoms.arrays.pop("REF_forces")
        del atoms.info["REF_stress"]
    write(tmp_path / "other.xyz", frames, format="extxyz")
    keys = ("--energy-key", "e", "--forces-key", "f")
    result = cli("evaluate", model_file, tmp_path / "other.xyz", *keys, "--plots", tmp_path / "p")
    assert result.code == 0 and "stress (GPa)            -" in result.out
    drawn = {p.name for p in (tmp_path / "p").iterdir()}
    assert drawn == {"parity.png", "sigma-error.png", "reliability.png"}


def test_evaluate_refuses_an_unwritable_json(cli, model_file, test_xyz, tmp_path):
    for path in (tmp_path / "no/out.json", tmp_path, "/dev/full"):
        assert str(path) in cli("evaluate", model_file, test_xyz, "--json", path).error_line()


def test_evaluate_takes_an_error_threshold(cli, model_file, test_xyz, tmp_path):
    out = tmp_path / "out.json"
    run = ("evaluate", model_file, test_xyz, "--json", out, "--error-threshold")
    result = cli(*run, 0.05)
    assert result.code == 0 and "AUROC" in result.out and "error bars of" in result.out
    values = json.loads(out.read_text())
    assert values["error_threshold"] == 0.05 and 0.0 <= values["auroc"] <= 1.0
    assert "error_threshold: expected a positive number" in cli(*run, 0).error_line()


def test_reader_that_leaves(model_file, test_xyz):
    """`gapy evaluate ... | head -1` ends quietly."""
    code = "from gapy.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "evaluate", str(model_file), str(test_xyz)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 1


# -- md -----------------------------------------------------------------------------------------


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
        (["--pressure", "1"], "pressure"),
        (["--restart"], "restart found no run"),
        (["--restart", "--overwrite"], "exclude"),
    ],
)
def test_bad_md_settings(cli, model_file, start, tmp_path, flags, words):
    assert words in cli("md", model_file, start, "-o", tmp_path / "r", *flags).error_line()


@pytest.mark.parametrize(
    ("make", "words"),
    [(_nan_position, "finite"), (_flat_cell, "cell"), (_coincident, "apart"), (_empty, "empty")],
)
def test_bad_start(cli, model_file, tmp_path, train_frames, make, words):
    make(tmp_path / "bad.xyz", train_frames[0].copy())
    line = cli("md", model_file, tmp_path / "bad.xyz", "-o", tmp_path / "run").error_line()
    assert words in line
    assert not (tmp_path / "run").exists()


def test_start_must_be_one_frame(cli, model_file, start, tmp_path):
    line = cli("md", model_file, f"{start}@:", "-o", tmp_path / "run").error_line()
    assert "selects 2" in line


def test_reduced_model_states_its_error(cli, train_xyz, tmp_path):
    model = tmp_path / "reduced.gapy"
    size = ("--r-cut", "4", "--n-max", "3", "--l-max", "2", "--n-inducing", "40")
    assert cli("fit", train_xyz, "-o", model, *size, "--force-tolerance", "0.05").code == 0
    shown = cli("info", model)
    assert shown.code == 0
    assert "reduced" in shown.out and "of the exact ones" in shown.out
    assert "eV/atom" in shown.out.split("reduced")[1].split("log marginal")[0]
