"""A directory made for a run that is refused goes again; one with anything in it stays."""

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from gapy.errors import GapyError
from gapy.md import run_md
from gapy.md.files import LOCK, RunDirectory


def refused(directory):
    with pytest.raises(GapyError, match="max_force_std"):
        run_md(bulk("Cu", cubic=True), EMT(), directory, max_force_std=1.0)


def test_nothing_is_left_of_a_refused_run(tmp_path):
    refused(tmp_path / "a" / "b" / "run")
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays(tmp_path):
    (tmp_path / "here").mkdir()
    refused(tmp_path / "here")
    refused(tmp_path / "here" / "run")
    assert [p.name for p in (tmp_path / "here").iterdir()] == [LOCK]


def test_a_run_that_began_stays(tmp_path):
    with pytest.raises(KeyboardInterrupt), RunDirectory(tmp_path / "run") as files:
        files.replace("result.json", b"{}")
        raise KeyboardInterrupt
    assert (tmp_path / "run" / "result.json").exists()


def test_an_empty_run_that_ended_well_keeps_its_lock(tmp_path):
    with RunDirectory(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / LOCK).exists()


def test_a_lock_that_was_removed_is_no_lock(tmp_path, monkeypatch):
    """The second run opened the lock's file just before the first one, refused, removed it."""
    monkeypatch.setattr("gapy.md.files.fcntl.flock", lambda file, how: (tmp_path / LOCK).unlink())
    with pytest.raises(GapyError, match="try again"), RunDirectory(tmp_path):
        pass


def test_nul_in_the_name():
    with pytest.raises(GapyError, match="NUL"):
        RunDirectory("a\0b")
