"""Physics of the ensembles, and what a finished run leaves behind."""

import json

import ase.io
import numpy as np
import pytest
from ase import units
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from md_calculators import UncertainEMT, copper, log_columns, ring, springs

from gapy.md import kinetics, run_md


def test_nve_conserves_energy_and_momentum(tmp_path):
    atoms = copper((2, 1, 1))
    result = run_md(
        atoms, EMT(), tmp_path, ensemble="nve", steps=300, timestep=2.0, temperature=400.0
    )
    log = log_columns(result.log_path)
    energy, potential = log["total_energy_eV"], log["potential_energy_eV"]
    assert np.ptp(energy) < 5e-3 * np.ptp(potential)
    slope = np.polyfit(log["time_fs"], energy, 1)[0]
    assert abs(slope) * 1000.0 / len(atoms) < 1e-4  # eV/atom/ps
    assert np.allclose(result.atoms.get_momenta().sum(axis=0), 0.0, atol=1e-10)


def test_nve_error_falls_with_the_square_of_the_timestep(tmp_path):
    """The same stretch of time, the step halved: velocity Verlet is of second order."""
    atoms = ring()
    spread = []
    for timestep, steps in ((4.0, 200), (2.0, 400)):
        result = run_md(
            atoms,
            springs(atoms),
            tmp_path / f"{timestep}",
            ensemble="nve",
            steps=steps,
            timestep=timestep,
        )
        spread.append(np.std(log_columns(result.log_path)["total_energy_eV"]))
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("ensemble", ["nvt", "nvt-bussi"])
def test_thermostats_reach_the_temperature(tmp_path, ensemble):
    """Few atoms, so that a wrong number of degrees of freedom (3N for 3N - 3) would show."""
    atoms = ring(5)
    result = run_md(
        atoms,
        springs(atoms),
        tmp_path,
        ensemble=ensemble,
        steps=3000,
        timestep=4.0,
        thermostat_time=20.0,
        log_interval=10,
        traj_interval=1000,
        checkpoint_interval=1000,
    )
    assert result.mean_temperature == pytest.approx(300.0, rel=0.06)
    if ensemble == "nvt":
        potential = log_columns(result.log_path)["potential_energy_eV"][100:]
        # 3 free modes have no spring; BAOAB samples the others without bias
        assert potential.mean() == pytest.approx(0.5 * 12 * units.kB * 300.0, rel=0.12)


@pytest.mark.parametrize("ensemble", ["nvt", "nvt-bussi"])
def test_temperature_ramp(tmp_path, ensemble):
    atoms = ring(40)
    result = run_md(
        atoms,
        springs(atoms),
        tmp_path,
        ensemble=ensemble,
        temperature=100.0,
        temperature_end=900.0,
        steps=800,
        timestep=4.0,
        thermostat_time=20.0,
        checkpoint_interval=1000,
    )
    log = log_columns(result.log_path)
    assert log["target_temperature_K"] == pytest.approx(np.linspace(100.0, 900.0, 801))
    lag = log["temperature_K"] - log["target_temperature_K"]
    assert abs(lag[200:].mean()) < 40.0


@pytest.mark.parametrize(("strain", "pressure"), [(0.97, None), (1.0, 20.0)])
def test_npt_relaxes_to_the_pressure(tmp_path, strain, pressure):
    atoms = copper((2, 1, 1))
    atoms.set_cell(atoms.cell * strain, scale_atoms=True)
    result = run_md(
        atoms,
        EMT(),
        tmp_path,
        ensemble="npt",
        temperature=100.0,
        pressure=pressure,
        steps=150,
        timestep=4.0,
        barostat_time=75.0,
        thermostat_time=50.0,
    )
    log = log_columns(result.log_path)
    target = pressure or 0.0
    assert abs(log["pressure_GPa"][0] - target) > 8.0
    assert log["pressure_GPa"][75:].mean() == pytest.approx(target, abs=1.5)
    grown = log["volume_A3"][-1] > log["volume_A3"][0]
    assert grown == (strain < 1.0)
    assert result.atoms.cell.angles() == pytest.approx([90.0] * 3)


def test_trajectory_gives_back_energy_forces_and_sigma(tmp_path):
    atoms = copper()
    atoms.info["REF_energy"] = -1.0
    atoms.arrays["REF_forces"] = np.ones((32, 3))
    seen = []
    result = run_md(
        atoms,
        UncertainEMT(),
        tmp_path,
        steps=25,
        traj_interval=10,
        log_interval=7,
        callback=lambda record, frame: seen.append((record, frame)),
    )
    frames = ase.io.read(result.trajectory_path, ":")
    assert [frame.info["step"] for frame in frames] == [0, 10, 20, 25]
    assert [record.step for record, _ in seen] == list(range(26))
    for frame in frames:
        record, live = seen[frame.info["step"]]
        assert frame.get_potential_energy() == pytest.approx(live.get_potential_energy(), abs=1e-7)
        assert frame.get_potential_energy() == pytest.approx(record.potential_energy_eV)
        assert np.allclose(frame.get_forces(), live.get_forces(), atol=1e-7)
        fresh = frame.copy()
        fresh.calc = EMT()
        assert np.allclose(frame.get_forces(), fresh.get_forces(), atol=1e-5)
        assert np.allclose(
            frame.arrays["forces_std"], 0.01 + 0.1 * abs(frame.get_forces()), atol=1e-7
        )
        assert frame.arrays["energies_std"].shape == (32,)
        # labels of the start structure would be false for every later frame
        assert "REF_energy" not in frame.info
        assert "REF_forces" not in frame.arrays
    log = log_columns(result.log_path)
    assert log["step"].tolist() == [0, 7, 14, 21, 25]
    sigma = np.sqrt(np.mean(frames[-1].arrays["forces_std"] ** 2, axis=1))
    assert log["max_force_std_eV_per_A"][-1] == pytest.approx(sigma.max(), abs=1e-7)
    assert log["mean_force_std_eV_per_A"][-1] == pytest.approx(sigma.mean(), abs=1e-7)
    assert log["max_energy_std_eV"][-1] == pytest.approx(
        frames[-1].arrays["energies_std"].max(), abs=1e-7
    )
    assert (log["wall_time_s"] > 0.0).all()


def test_result_and_its_summary(tmp_path):
    atoms = ring()
    before = atoms.copy()
    records = []
    result = run_md(
        atoms,
        springs(atoms),
        tmp_path,
        steps=30,
        timestep=2.0,
        callback=lambda record, frame: records.append(record),
    )
    assert atoms == before
    assert atoms.calc is None
    assert not atoms.has("momenta")
    assert (result.status, result.n_steps, result.time_fs) == ("finished", 30, 60.0)
    assert result.mean_temperature == pytest.approx(np.mean([r.temperature_K for r in records]))
    assert result.max_force_std == max(r.max_force_std_eV_per_A for r in records)
    summary = json.loads((tmp_path / "result.json").read_text())
    assert summary["status"] == "finished"
    assert summary["mean_temperature"] == result.mean_temperature
    assert summary["frame_path"] is None
    assert not list(tmp_path.glob("*.tmp"))


def test_without_uncertainty_sigma_is_unknown(tmp_path):
    result = run_md(copper(1), EMT(), tmp_path, steps=2)
    assert np.isnan(log_columns(result.log_path)["max_force_std_eV_per_A"]).all()
    assert np.isnan(result.max_force_std)
    assert json.loads((tmp_path / "result.json").read_text())["max_force_std"] is None


def test_start_velocities(tmp_path):
    atoms = ring(2000)
    kinetics.draw_velocities(atoms, 300.0, np.random.default_rng(3))
    assert np.allclose(atoms.get_momenta().sum(axis=0), 0.0, atol=1e-8)
    assert kinetics.temperature(atoms, keeps_momentum=True) == pytest.approx(300.0, rel=0.06)
    # equipartition between light and heavy atoms
    energies = (atoms.get_momenta() ** 2).sum(axis=1) / (2.0 * atoms.get_masses())
    assert energies[:1000].mean() == pytest.approx(energies[1000:].mean(), rel=0.12)


def test_given_velocities_are_used(tmp_path):
    atoms = ring()
    momenta = np.random.default_rng(0).normal(size=(8, 3))
    atoms.set_momenta(momenta)
    result = run_md(atoms, springs(atoms), tmp_path / "nve", ensemble="nve", steps=0)
    assert np.array_equal(result.atoms.get_momenta(), momenta)
    result = run_md(atoms, springs(atoms), tmp_path / "bussi", ensemble="nvt-bussi", steps=0)
    assert np.allclose(result.atoms.get_momenta().sum(axis=0), 0.0, atol=1e-12)


def test_drift_of_the_whole_is_not_heat():
    atoms = ring()
    atoms.set_velocities(np.full((8, 3), 0.1))
    assert kinetics.temperature(atoms, keeps_momentum=True) == pytest.approx(0.0, abs=1e-8)
    assert kinetics.temperature(atoms, keeps_momentum=False) == atoms.get_temperature()


def test_seed_decides(tmp_path):
    def positions(name, seed):
        atoms = ring()
        return run_md(atoms, springs(atoms), tmp_path / name, steps=20, seed=seed).atoms.positions

    first = positions("a", 1)
    assert np.array_equal(first, positions("b", 1))
    assert not np.allclose(first, positions("c", 2))


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "nvt-bussi"])
def test_fixed_atoms_stay(tmp_path, ensemble):
    atoms = ring()
    atoms.set_constraint(FixAtoms([0, 3]))
    result = run_md(atoms, springs(atoms), tmp_path, ensemble=ensemble, steps=50)
    moved = np.linalg.norm(result.atoms.positions - atoms.positions, axis=1) > 0.0
    assert moved.tolist() == [i not in (0, 3) for i in range(8)]
    read = ase.io.read(result.trajectory_path)
    assert read.constraints[0].index.tolist() == [0, 3]
