"""A run that was stopped anywhere continues as if it had not been."""

import signal
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
import warm
from hypothesis import given, settings
from hypothesis import strategies as st
from md_calculators import (
    MemorylessEMT,
    UncertainEMT,
    assert_same_run,
    copper,
    final_state,
    log_columns,
    ring,
    springs,
)

from gapy.errors import GapyError
from gapy.md import ENSEMBLES, run_md
from gapy.structures.spins import with_signs


class Interrupted(Exception):
    pass


def stop_at(step):
    def callback(record, frame):
        if record.step == step:
            raise Interrupted

    return callback


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_restart_is_bit_identical(tmp_path, ensemble):
    """EMT keeps a neighbour list, so this also needs the reset of the calculator."""
    options = {
        "ensemble": ensemble,
        "timestep": 5.0,
        "temperature": 900.0,
        "traj_interval": 4,
        "checkpoint_interval": 10,
        "steps": 45,
    }
    if ensemble != "nve":
        options["temperature_end"] = 1500.0
    whole, parts, atoms = tmp_path / "whole", tmp_path / "parts", copper((2, 1, 1))
    run_md(atoms, UncertainEMT(), whole, **options)
    with pytest.raises(Interrupted):
        run_md(atoms, UncertainEMT(), parts, **options, callback=stop_at(18))
    with pytest.raises(Interrupted):
        run_md(atoms, UncertainEMT(), parts, **options, restart=True, callback=stop_at(33))
    # what a crash in the middle of a write leaves
    with open(parts / "md.csv", "a") as log:
        log.write("34,170.0,31")
    with open(parts / "md.extxyz", "a") as trajectory:
        trajectory.write('32\nLattice="7.2 0.0')
    result = run_md(atoms, UncertainEMT(), parts, **options, restart=True)
    assert result.n_steps == 45
    assert_same_run(whole, parts)
    assert len(ase.io.read(parts / "md.extxyz", ":")) == 13


@settings(max_examples=15, deadline=None)
@given(
    stop=st.integers(0, 29),
    log_interval=st.integers(1, 7),
    traj_interval=st.integers(1, 7),
    checkpoint_interval=st.integers(1, 12),
)
def test_any_interruption_any_interval(stop, log_interval, traj_interval, checkpoint_interval):
    options = {
        "log_interval": log_interval,
        "traj_interval": traj_interval,
        "checkpoint_interval": checkpoint_interval,
        "steps": 30,
    }
    atoms = ring(4)
    with tempfile.TemporaryDirectory() as name:
        whole, parts = Path(name, "whole"), Path(name, "parts")
        expected = run_md(atoms, springs(atoms), whole, **options)
        with pytest.raises(Interrupted):
            run_md(atoms, springs(atoms), parts, **options, callback=stop_at(stop))
        result = run_md(atoms, springs(atoms), parts, **options, restart=True)
        assert_same_run(whole, parts)
        assert result.mean_temperature == expected.mean_temperature
        assert result.max_force_std == expected.max_force_std


def test_killed_process(tmp_path):
    """SIGKILL gives no chance to close anything."""
    script = (
        "import os, signal, sys\n"
        "from md_calculators import ring, springs\n"
        "from gapy.md import run_md\n"
        "def kill(record, frame):\n"
        "    if record.step == 17:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "atoms = ring()\n"
        "options = {'steps': 30, 'checkpoint_interval': 5}\n"
        "run_md(atoms, springs(atoms), sys.argv[1], **options, callback=kill)\n"
    )
    arguments = [tmp_path / "killed"]
    killed = warm.Program(script, arguments, folder=tmp_path, output=tmp_path / "printed")
    assert killed.wait() == -signal.SIGKILL
    atoms = ring()
    options = {"steps": 30, "checkpoint_interval": 5}
    assert log_columns(tmp_path / "killed" / "md.csv")["step"][-1] == 17
    run_md(atoms, springs(atoms), tmp_path / "killed", **options, restart=True)
    run_md(atoms, springs(atoms), tmp_path / "whole", **options)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_trajectory_does_not_depend_on_the_checkpoints(tmp_path, ensemble):
    """A calculator without memory: saving the state must not disturb the dynamics."""
    options = {"ensemble": ensemble, "steps": 20, "timestep": 5.0}
    for interval in (3, 1000):
        directory = tmp_path / str(interval)
        run_md(copper(1), MemorylessEMT(), directory, checkpoint_interval=interval, **options)
    assert_same_run(tmp_path / "3", tmp_path / "1000")


def test_more_steps_and_no_steps(tmp_path):
    atoms = ring()
    ramp = {"temperature": 100.0, "temperature_end": 200.0, "traj_interval": 7, "log_interval": 4}
    run_md(atoms, springs(atoms), tmp_path, steps=50, **ramp)
    before = final_state(tmp_path)
    same = run_md(atoms, springs(atoms), tmp_path, steps=50, restart=True, **ramp)
    assert same.status == "finished"
    assert np.array_equal(before["positions"], final_state(tmp_path)["positions"])
    assert log_columns(tmp_path / "md.csv")["step"].tolist() == [*range(0, 49, 4), 50]

    result = run_md(atoms, springs(atoms), tmp_path, steps=80, restart=True, **ramp)
    log = log_columns(result.log_path)
    assert log["step"].tolist() == list(range(0, 81, 4))
    # the ramp spans the steps of the first call
    assert log["target_temperature_K"] == pytest.approx(
        np.minimum(100.0 + 2.0 * log["step"], 200.0)
    )
    frames = ase.io.read(result.trajectory_path, ":")
    assert [frame.info["step"] for frame in frames] == [*range(0, 78, 7), 80]
    with pytest.raises(GapyError, match="steps must be at least 80"):
        run_md(atoms, springs(atoms), tmp_path, steps=60, restart=True, **ramp)


def test_restart_names_the_settings_that_differ(tmp_path):
    atoms = ring()
    run_md(atoms, springs(atoms), tmp_path, steps=3, seed=1)
    with pytest.raises(
        GapyError, match=r"timestep: stored 1.0, given 2.0; seed: stored 1, given 5"
    ):
        run_md(atoms, springs(atoms), tmp_path, steps=6, seed=5, timestep=2.0, restart=True)


def test_restart_needs_the_same_atoms_and_calculator(tmp_path):
    atoms = ring()
    run_md(atoms, springs(atoms), tmp_path, steps=3)
    with pytest.raises(GapyError, match=r"atoms \(Ar9\) are not those of the run \(Ar8\)"):
        run_md(ring(9), springs(ring(9)), tmp_path, steps=6, restart=True)
    with pytest.raises(GapyError, match="it is another potential"):
        run_md(atoms, springs(atoms, stiffness=2.1), tmp_path, steps=6, restart=True)
    assert run_md(atoms, springs(atoms), tmp_path, steps=6, restart=True).n_steps == 6


def test_restart_from_nothing(tmp_path):
    with pytest.raises(GapyError, match="restart found no run"):
        run_md(ring(), springs(ring()), tmp_path / "typo", restart=True)
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 500]
)
def test_damaged_checkpoint(tmp_path, damage):
    run_md(ring(), springs(ring()), tmp_path, steps=3)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(GapyError, match="is damaged or no checkpoint"):
        run_md(ring(), springs(ring()), tmp_path, steps=6, restart=True)


def test_log_that_lost_rows(tmp_path):
    run_md(ring(), springs(ring()), tmp_path, steps=3)
    (tmp_path / "md.csv").write_text("step\n")
    with pytest.raises(GapyError, match="altered or lost"):
        run_md(ring(), springs(ring()), tmp_path, steps=6, restart=True)


def test_other_signs_of_moments_are_named(tmp_path):
    def start(signs):
        return with_signs(copper((1, 1, 1)), signs)

    order = [1, -1, 1, -1]
    options = {"temperature": 300.0, "ensemble": "nvt"}
    run_md(start(order), MemorylessEMT(), tmp_path, steps=2, **options)
    for other in ([1, 1, 1, 1], None):
        with pytest.raises(GapyError, match="other signs of magnetic moments than those of the"):
            run_md(start(other), MemorylessEMT(), tmp_path, steps=4, restart=True, **options)
    run_md(start(order), MemorylessEMT(), tmp_path, steps=4, restart=True, **options)
