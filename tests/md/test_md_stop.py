"""Stopping by itself: uncertainty, nonsense numbers, runaway temperature."""

import json
import logging

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from md_calculators import (
    Breaking,
    UncertainEMT,
    assert_same_run,
    copper,
    log_columns,
    ring,
    springs,
)

from gapy.errors import GapyError
from gapy.md import run_md

HEATING = {"temperature": 50.0, "temperature_end": 2000.0, "thermostat_time": 20.0, "steps": 400}


def rms_sigma(frame):
    return np.sqrt(np.mean(frame.arrays["forces_std"] ** 2, axis=1))


def test_heats_until_the_flag_goes_up(tmp_path, caplog):
    options = {**HEATING, "log_interval": 7, "traj_interval": 9, "timestep": 3.0}
    with caplog.at_level(logging.WARNING, logger="gapy.md"):
        result = run_md(copper(), UncertainEMT(), tmp_path, max_force_std=0.15, **options)
    assert result.status == "flagged"
    assert 0 < result.n_steps < 400
    assert result.reason in caplog.text

    frame = ase.io.read(tmp_path / "flagged.extxyz")
    assert result.frame_path == tmp_path / "flagged.extxyz"
    sigma = rms_sigma(frame)
    offenders = np.flatnonzero(sigma > 0.15)
    assert sorted(atom.index for atom in result.flagged_atoms) == offenders.tolist()
    worst = result.flagged_atoms[0]
    assert (worst.index, worst.symbol) == (sigma.argmax(), "Cu")
    assert worst.force_std == pytest.approx(sigma.max(), abs=1e-7)
    assert f"Cu{worst.index}" in result.reason
    assert f"at step {result.n_steps}" in result.reason
    assert frame.info["step"] == result.n_steps
    assert frame.info["reason"] == result.reason
    assert frame.info["max_force_std"] == 0.15
    assert np.ravel(frame.info["flagged_atoms"])[0] == worst.index
    assert frame.get_forces().shape == (32, 3)

    log = log_columns(result.log_path)
    assert log["step"][-1] == result.n_steps
    assert log["max_force_std_eV_per_A"][-1] > 0.15
    assert (log["max_force_std_eV_per_A"][:-1] <= 0.15).all()
    summary = json.loads((tmp_path / "result.json").read_text())
    assert summary["status"] == "flagged"
    assert summary["flagged_atoms"][0]["index"] == worst.index


def test_flagged_run_goes_on_with_a_higher_threshold(tmp_path):
    atoms = ring()
    options = {**HEATING, "log_interval": 7, "traj_interval": 9, "checkpoint_interval": 20}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_md(atoms, springs(atoms), whole, **options)
    first = run_md(atoms, springs(atoms), parts, max_force_std=0.05, **options)
    again = run_md(atoms, springs(atoms), parts, max_force_std=0.05, restart=True, **options)
    assert first.status == again.status == "flagged"
    assert first.n_steps == again.n_steps
    assert first.reason == again.reason
    last = run_md(atoms, springs(atoms), parts, max_force_std=50.0, restart=True, **options)
    assert last.status == "finished"
    assert_same_run(whole, parts)


def test_flag_at_the_start(tmp_path):
    atoms = copper()
    atoms.rattle(0.2, seed=0)
    result = run_md(atoms, UncertainEMT(), tmp_path, max_force_std=0.05)
    assert (result.status, result.n_steps) == ("flagged", 0)
    assert log_columns(result.log_path)["step"].tolist() == [0]


def test_threshold_without_uncertainty_is_refused_and_leaves_nothing(tmp_path):
    run_md(copper(1), EMT(), tmp_path, steps=2)
    before = (tmp_path / "md.csv").read_bytes()
    with pytest.raises(GapyError, match="max_force_std needs a calculator with forces_std"):
        run_md(copper(1), EMT(), tmp_path, max_force_std=0.1, overwrite=True)
    assert (tmp_path / "md.csv").read_bytes() == before


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_no_numbers(tmp_path, value):
    atoms = ring()
    frames = []
    result = run_md(
        atoms,
        Breaking(atoms.positions, 15, value),
        tmp_path,
        ensemble="nve",
        timestep=2.0,
        checkpoint_interval=1000,
        callback=lambda record, frame: frames.append(frame),
    )
    assert result.status == "exploded"
    assert f"forces became infinite or not a number at step {result.n_steps + 1}" in result.reason
    assert result.n_steps == len(frames) - 1
    good = ase.io.read(tmp_path / "last_good.extxyz")
    assert good.info["step"] == result.n_steps
    assert np.allclose(good.positions, frames[-1].positions, atol=1e-7)
    assert np.isfinite(good.get_forces()).all()
    assert np.array_equal(result.atoms.get_forces(), frames[-1].get_forces())
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "exploded"


def test_runaway_temperature(tmp_path):
    atoms = ring()
    stiff = springs(atoms, stiffness=2000.0)
    result = run_md(atoms, stiff, tmp_path / "default", ensemble="nve", timestep=20.0)
    assert result.status == "exploded"
    assert "above the limit max_temperature = 10000 K" in result.reason
    result = run_md(
        atoms, springs(atoms), tmp_path / "own", temperature=600.0, max_temperature=650.0
    )
    assert result.status == "exploded"
    assert "max_temperature = 650 K" in result.reason


def test_start_that_is_no_number(tmp_path):
    atoms = ring()
    with pytest.raises(GapyError, match="the start cannot be run: forces became"):
        run_md(atoms, Breaking(atoms.positions, 0, np.nan), tmp_path)
