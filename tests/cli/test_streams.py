"""The program as a shell runs it: closed, full and abandoned streams, `python -m gapy`."""

import os
import subprocess
import sys

import pytest

import gapy

GAPY = (sys.executable, "-m", "gapy")
WRONG = ("tune", "none.xyz", "-o", "none", "--zeta", "x")
"""An error that is found before anything large is imported."""


def shell(words: str, *arguments) -> subprocess.CompletedProcess:
    """`gapy ARGUMENTS` followed by `words` of the shell."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {words}', "bash", *GAPY, *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_module_is_the_program():
    done = shell("", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gapy {gapy.__version__}\n", "")
    assert "Usage: gapy " in shell("", "--help").stdout


@pytest.mark.parametrize("command", ["info", "--help"])
def test_closed_standard_output(model_file, command):
    arguments = (command, model_file) if command == "info" else (command,)
    done = shell(">&-", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("gapy: error: standard output is closed")
    assert done.stderr.count("\n") == 1


def test_closed_standard_output_costs_no_work(train_xyz, tmp_path):
    assert shell(">&-", "fit", train_xyz, "-o", tmp_path / "m.gapy").returncode == 2
    assert not (tmp_path / "m.gapy").exists()


def test_closed_standard_error(model_file):
    assert shell("2>&-", *WRONG).returncode == 2
    done = shell("2>&- </dev/null", "info", model_file)
    assert done.returncode == 0 and "species" in done.stdout
    done = shell("2>&- >&-", "info", model_file)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_abandoned_pipe(model_file):
    done = shell("| head -0; exit ${PIPESTATUS[0]}", "info", model_file)
    assert done.returncode in (0, 1) and done.stderr == ""
    done = shell("2>&1 | true; exit ${PIPESTATUS[0]}", *WRONG)
    assert done.returncode == 2 and done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_standard_output(model_file):
    done = shell(">/dev/full", "info", model_file)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr


def test_a_name_that_is_no_text(model_file, tmp_path):
    """Bytes that are not UTF-8 are printed by their numbers."""
    name = os.fsencode(tmp_path) + b"/\xff"
    done = subprocess.run(
        [*GAPY, "md", model_file, name + b".xyz", "-o", name], capture_output=True, timeout=120
    )
    assert done.returncode == 2 and b"udcff" in done.stderr
