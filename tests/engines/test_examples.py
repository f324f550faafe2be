"""The scripts of `examples/` run, in their quick modes, and find what they must."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import units

import gapy
from gapy.data import frames
from gapy.descriptors import smooth_soap

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")


def program(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it
    spec.loader.exec_module(module)
    return module


def run(name, *arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments), "--quick"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_melting_goes_on_where_it_was_ended(tmp_path):
    pytest.importorskip("lammps")
    if shutil.which("g++") is None:
        pytest.skip("no g++ here")
    structures = frames("si", "train")
    soap = smooth_soap(["Si"], r_cut=4.5, n_max=4, l_max=3)
    gp = gapy.SparseGPRegressor(soap, n_inducing=60, zeta=2).fit(structures)
    gp.potential_.save(tmp_path / "si.gapy")
    others = ("--others", tmp_path / "si.gapy", tmp_path / "si.gapy")
    first = run("melting_two_phases", tmp_path / "si.gapy", "-o", tmp_path / "m", *others)
    found = json.loads((tmp_path / "m/melting.json").read_text())
    assert len(found["members"]) == 2 and len(set(found["members"])) == 2
    # The model itself in the place of another one shifts nothing.
    np.testing.assert_allclose(found["others"], found["melting"], rtol=1e-12)
    (tmp_path / "m/round-1.json").unlink()
    kept = (tmp_path / "m/round-0.json").read_bytes()
    again = run("melting_two_phases", tmp_path / "si.gapy", "-o", tmp_path / "m", *others)
    assert (tmp_path / "m/round-0.json").read_bytes() == kept
    assert again.splitlines()[:3] == first.splitlines()[:3]
    assert (tmp_path / "m/round-1.json").exists()


def test_the_line_of_melting_crosses_zero_where_it_must():
    script = program("melting_two_phases")
    temperatures = [1300.0, 1400.0, 1500.0, 1650.0]
    rounds = [{"temperature": t, "slope": 0.02 * (t - 1450.0)} for t in temperatures]
    melting, error, gradient = script.crossing(rounds)
    assert (melting, gradient) == (pytest.approx(1450.0), pytest.approx(0.02))
    assert error < 1e-6
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        for r in rounds:
            r["slope"] = 0.02 * (r["temperature"] - 1450.0) + rng.normal(scale=0.4)
        found.append(script.crossing(rounds)[:2])
    spread, said = np.std([f[0] for f in found]), np.sqrt(np.mean([f[1] ** 2 for f in found]))
    assert said == pytest.approx(spread, rel=0.2)
    # 1 meV/atom more in the liquid than in the crystal, of a heat of 0.5 eV/atom
    moved = script.moved(1500.0, 0.5, {"liquid": [0.002], "crystal": [0.001]})
    assert moved == [pytest.approx(1503.0)]


@pytest.mark.slow
def test_path_integrals_find_the_energy_of_quantum_nuclei(tmp_path):
    pytest.importorskip("ipi")
    out = run("path_integrals_molecule", "-o", tmp_path / "p")
    found = json.loads((tmp_path / "p/kinetic.json").read_text())
    assert found["classical"] == pytest.approx(4.5 * units.kB * 300.0)
    assert found["kinetic"] > 2.0 * found["classical"]
    # Eight beads are far from the limit, and the anharmonic bonds a little below the harmonic ones.
    assert found["kinetic"] == pytest.approx(found["harmonic_beads"], rel=0.08)
    assert "vibrations: " in out and found["largest_force_std"] > 0.0


def test_harmonic_modes_have_their_limits():
    script = program("path_integrals_molecule")
    stiff = np.array([0.0, 0.4 / script.HBAR])  # 0.4 eV beside a free mode
    exact = script.harmonic(stiff, 300.0)
    kt = units.kB * 300.0
    assert exact == pytest.approx(0.5 * kt + 0.1, rel=1e-4)  # its ground state: hbar w / 4
    assert script.harmonic(stiff, 300.0, 1) == pytest.approx(kt)  # one bead is classical
    assert script.harmonic(stiff, 300.0, 4096) == pytest.approx(exact, rel=1e-4)
    energies = [script.harmonic(stiff, 300.0, p) for p in (4, 8, 16, 32)]
    assert energies == sorted(energies) and energies[-1] < exact


def test_water_is_labelled_by_the_derivative_of_its_energy():
    script = program("path_integrals_molecule")
    minimum, *others = script.water(5, np.random.default_rng(0))
    assert abs(minimum.info["REF_energy"]) < 1e-3
    assert np.abs(minimum.arrays["REF_forces"]).max() < 0.2
    for atoms in others:
        assert np.abs(atoms.arrays["REF_forces"].sum(axis=0)).max() < 1e-6  # translation
        torque = np.cross(atoms.positions, atoms.arrays["REF_forces"]).sum(axis=0)
        assert np.abs(torque).max() < 1e-6
