"""The estimate of a fit: what it scales, what it leaves, and how it reads on the command line."""

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.fit import estimate as estimating
from gapy.fit.estimate import Estimate, estimate


def regressor(**options):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=6, zeta=2, **options)


@pytest.fixture
def small_part(monkeypatch):
    """Samples so small that a part of the structures fills them."""
    monkeypatch.setattr(estimating, "ROW_BYTES", 8 * 12 * 4 * 10)


def test_a_part_answers_for_all(small_part):
    frames = labelled_frames(30, seed=2)
    n_atoms = sum(map(len, frames))
    found = estimate(regressor(optimize=True), frames)
    assert list(found.seconds) == [
        "components", "points", "labels", "learning, solving, calibration"
    ]  # fmt: skip
    assert found.n_atoms == pytest.approx(n_atoms, rel=0.01)
    assert found.total == pytest.approx(sum(found.seconds.values())) and found.took > 0.0
    assert found.memory_bytes > 1e8
    assert 0.0 < found.sample_seconds <= found.seconds["labels"] * 1.01


def test_what_grows_with_the_atoms(small_part, monkeypatch):
    """Times are taken from a clock of the test: a second for each look at it."""
    now = iter(range(1000))
    monkeypatch.setattr(estimating.time, "perf_counter", lambda: float(next(now)))
    frames = labelled_frames(30, seed=2)
    n_atoms = sum(map(len, frames))
    one, ten = (estimate(regressor(), frames, atoms=a * n_atoms) for a in (1, 10))
    for name in ("points", "labels"):
        assert one.seconds[name] > 1.5  # a part took one
        assert ten.seconds[name] == pytest.approx(10 * one.seconds[name])
    for name in ("components", "learning, solving, calibration"):
        assert ten.seconds[name] == one.seconds[name] == 1.0
    assert ten.memory_bytes >= one.memory_bytes


def test_workers_share_what_grows():
    seconds = {"components": 1.0, "points": 10.0, "labels": 100.0, "solving": 5.0}
    found = Estimate(seconds, 1e9, 0.5, 40_000, 1.0)  # ten parts, nine merges
    assert found.total == 116.0
    assert found.on_workers(1) == pytest.approx(6.0 + 110.0 + 4.5)
    assert found.on_workers(2) == pytest.approx(6.0 + 57.25)
    assert found.on_workers(1000) == found.on_workers(10)  # no more than parts
    again = replace(found, sample_seconds=3.0)  # by one process
    assert again.on_workers(2) == pytest.approx(found.on_workers(2) + 3.0)
    assert again.total == found.total


def test_what_is_refused():
    frames = labelled_frames(4, seed=2)
    with pytest.raises(GapyError, match="atoms: expected at least the"):
        estimate(regressor(), frames, atoms=3)


def test_command_line(cli, train_xyz, tmp_path):
    options = ["--r-cut", "4", "--n-max", "3", "--l-max", "2", "--n-inducing", "6"]
    out = cli("fit", train_xyz, "-o", tmp_path / "a.gapy", *options, "--estimate", "--workers", 2)
    assert out.code == 0 and not (tmp_path / "a.gapy").exists()
    numbers = dict(line.rsplit(maxsplit=2)[:2] for line in out.out.splitlines())
    for name in ("labels", "in all, one process", "on 2 workers", "memory", "the estimate took"):
        assert np.isfinite(float(numbers[name.strip()]))
    more = cli(
        "fit", train_xyz, "-o", tmp_path / "a.gapy", *options, "--estimate", "--atoms", 10**7
    )
    assert more.code == 0 and re.search(r"^atoms +10000000$", more.out, re.MULTILINE)
    idle = cli("fit", train_xyz, "-o", tmp_path / "a.gapy", *options, "--atoms", 10**7)
    assert "atoms: has no effect without estimate" in idle.error_line()
