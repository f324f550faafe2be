"""The command line: help, usage, models, readers that leave."""

import json
import subprocess
import sys

import pytest
from ase.io import write

import gapy
from gapy.cli import app


def run_python(code: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


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
        (["lammps", "a.gapy"], "--input"),
    ],
)
def test_bad_usage(cli, arguments, words):
    # Versions of typer differ in MODEL and model.
    assert words in cli(*arguments).error_line().lower()


def test_interrupt(cli, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gapy.model.modelfile.read", interrupt)
    result = cli("info", "any.gapy")
    assert result.code == 130 and result.err == "gapy: error: interrupted\n"


def test_flags_of_the_contract_exist():
    flags = {c.callback.__name__: c.callback for c in app.registered_commands}
    assert set(flags) == {
        "fit", "tune", "evaluate", "validate", "predict", "relax", "eos", "elastic", "phonons",
        "suggest", "md", "lammps", "ipi", "learn", "inspect", "info", "demo",
    }  # fmt: skip
    fit = set(flags["fit"].__annotations__)
    assert fit >= {
        "train", "output", "r_cut", "n_max", "l_max", "sigma", "zeta", "n_inducing", "seed",
        "threads", "energy_key", "forces_key", "stress_key", "e0", "config",
    }  # fmt: skip


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
