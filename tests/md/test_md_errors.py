"""Bad input and a hostile disk: one GapyError, with the remedy."""

import resource

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixBondLength
from md_calculators import UncertainEMT, copper, log_columns, ring, springs

from gapy.errors import GapyError
from gapy.md import run_md


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": "nvp"}, "ensemble must be one of nve, nvt, nvt-bussi, npt, got 'nvp'"),
        ({"temperature": -1.0}, "temperature must be a finite number > 0 in K, got -1.0"),
        ({"temperature": "300"}, "temperature must be"),
        ({"ensemble": "nve", "temperature": np.nan}, "temperature must be .* >= 0 in K, got nan"),
        ({"temperature_end": 0.0}, "temperature_end must be"),
        ({"ensemble": "nve", "temperature_end": 500.0}, "temperature_end needs a thermostat"),
        ({"timestep": 0.0}, "timestep must be a finite number > 0 in fs"),
        ({"thermostat_time": np.inf}, "thermostat_time must be"),
        ({"pressure": 1.0}, "pressure is used by ensemble 'npt' only"),
        ({"ensemble": "npt", "pressure": np.nan}, "pressure must be a finite number in GPa"),
        ({"ensemble": "npt"}, "needs a cell periodic in three directions"),
        ({"steps": -1}, "steps must be a whole number >= 0"),
        ({"steps": 10.5}, "steps must be a whole number"),
        ({"seed": -1}, "seed must be"),
        ({"log_interval": 0}, "log_interval must be a whole number >= 1"),
        ({"traj_interval": True}, "traj_interval must be"),
        ({"max_force_std": 0.0}, "max_force_std must be a finite number > 0 in eV/A"),
        ({"max_temperature": -5.0}, "max_temperature must be"),
        ({"restart": True, "overwrite": True}, "restart and overwrite exclude each other"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    atoms = ring()
    with pytest.raises(GapyError, match=message):
        run_md(atoms, springs(atoms), tmp_path / "run", **options)
    assert not (tmp_path / "run" / "md.csv").exists()


def test_atoms_that_cannot_be_run(tmp_path):
    with pytest.raises(GapyError, match="atoms is empty"):
        run_md(Atoms(), springs(ring()), tmp_path)
    atoms = ring()
    atoms.set_constraint(FixAtoms(range(8)))
    with pytest.raises(GapyError, match="every atom is fixed"):
        run_md(atoms, springs(atoms), tmp_path)
    with pytest.raises(GapyError, match="needs at least two atoms"):
        run_md(ring(1), springs(ring(1)), tmp_path, ensemble="nvt-bussi")
    atoms = ring()
    atoms.set_constraint(FixBondLength(0, 1))
    with pytest.raises(GapyError, match="the constraint FixBondLength"):
        run_md(atoms, springs(atoms), tmp_path)
    atoms = copper()
    atoms.set_constraint(FixAtoms([0]))
    with pytest.raises(GapyError, match="'npt' cannot move a cell with fixed atoms"):
        run_md(atoms, UncertainEMT(), tmp_path, ensemble="npt")


def test_npt_needs_stress(tmp_path):
    atoms = copper()
    with pytest.raises(GapyError, match="calculator Springs cannot give what ensemble 'npt' needs"):
        run_md(atoms, springs(atoms), tmp_path, ensemble="npt")


def test_directory_with_a_run(tmp_path):
    atoms = ring()
    run_md(atoms, springs(atoms), tmp_path, steps=9)
    with pytest.raises(GapyError, match=r"already holds a run .*restart.*overwrite"):
        run_md(atoms, springs(atoms), tmp_path, steps=4)
    (tmp_path / "notes.txt").write_text("kept")
    result = run_md(atoms, springs(atoms), tmp_path, steps=4, overwrite=True)
    assert log_columns(result.log_path)["step"].tolist() == [0, 1, 2, 3, 4]
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_two_runs_in_one_directory(tmp_path):
    atoms = ring()
    messages = []

    def second(record, frame):
        if record.step == 2:
            with pytest.raises(GapyError, match="in use by another run") as caught:
                run_md(atoms, springs(atoms), tmp_path, overwrite=True)
            messages.append(caught.value)

    assert run_md(atoms, springs(atoms), tmp_path, steps=4, callback=second).n_steps == 4
    assert len(messages) == 1


def test_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GapyError, match="cannot be used: Not a directory"):
        run_md(ring(), springs(ring()), tmp_path / "file" / "run")


def test_full_disk_then_restart(tmp_path):
    """A limit on the size of files stands for a disk that fills up in the middle of a row."""
    atoms = ring()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(GapyError, match="File too large; free space"):
            run_md(atoms, springs(atoms), tmp_path, steps=500, checkpoint_interval=20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    result = run_md(
        atoms, springs(atoms), tmp_path, steps=500, checkpoint_interval=20, restart=True
    )
    assert log_columns(result.log_path)["step"].tolist() == list(range(501))
    frames = ase.io.read(result.trajectory_path, ":")
    assert [frame.info["step"] for frame in frames] == list(range(0, 501, 10))
