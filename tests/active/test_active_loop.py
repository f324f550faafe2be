"""The loop as a whole: repeatable, resumable, within its budget, honest in its books."""

import csv
import hashlib
import shutil
from itertools import pairwise

import bad_calculators as bad
import numpy as np
import pytest
from active_calculators import cell, displaced, small_loop
from ase.calculators.emt import EMT

import gapy
from gapy.active import MD, Budget, Failure, Initial, Oracle, Policy, Stop, Store, learn
from gapy.active.display import Silent
from gapy.active.labels import Label
from gapy.active.oracle import OracleError
from gapy.errors import GapyError


def labels_of(directory):
    """(key, energy, forces) of every label in the order of the requests."""
    rows = Store(directory / "labels.db", directory.name).rows()
    return [(r.label_key, r.energy, r.forces.tobytes()) for r in rows]


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Told(Silent):
    """A display that keeps what it is told."""

    def __init__(self):
        self.updates, self.ticks = [], []

    def update(self, progress):
        self.updates.append(progress)

    def tick(self, progress):
        self.ticks.append(progress)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A loop that ran to its end with an oracle in a process: result, steps, and its display."""
    directory = tmp_path_factory.mktemp("finished") / "loop"
    steps = []

    def watch(walker, frame, verdict, version):
        steps.append((walker, frame.step, frame.max_force_std, verdict, version))

    display = Told()
    result = learn(directory, **small_loop(oracle=Oracle(EMT)), on_frame=watch, display=display)
    return result, steps, display


def test_it_learns(finished):
    result, *_ = finished
    assert result.status == "learned" and "finished" in result.reason
    assert result.n_steps == 200 and result.ps == pytest.approx(0.4)
    assert 3 < result.n_labels < 60 and result.n_versions > 2
    potential = gapy.load(result.model_path)
    atoms = cell(9)
    atoms.calc = EMT()
    assert np.abs(potential.evaluate(atoms).forces - atoms.get_forces()).max() < 0.5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_labels_and_model(finished, tmp_path):
    result, *_ = finished
    again = learn(tmp_path / "loop", **small_loop(oracle=Oracle(bad.Uneven, workers=3)))
    # Another oracle by name, so other keys; the same labels in whatever order they were done.
    assert again.model_hash == result.model_hash
    assert [x[1:] for x in labels_of(tmp_path / "loop")] == [
        x[1:] for x in labels_of(result.directory)
    ]


def test_a_display_is_told_how_far_the_loop_is(finished):
    result, steps, display = finished
    last = display.updates[-1]
    assert (last.version, last.n_labels, last.n_failures) == (
        result.n_versions, result.n_labels, result.n_failures,
    )  # fmt: skip
    assert last.share_without_label == result.share_without_label
    assert [p.sigma for p in display.ticks] == [s[2] for s in steps]
    # Each is of its moment.
    assert [p.tally.steps for p in display.ticks] == list(range(1, len(steps) + 1))


def test_another_seed_gives_others(finished, tmp_path):
    result, *_ = finished
    other = learn(tmp_path / "loop", **small_loop(seed=6), budget=Budget(labels=6))
    assert {x[1] for x in labels_of(other.directory)} != {x[1] for x in labels_of(result.directory)}


def test_every_label_has_its_provenance(finished):
    result, steps, _ = finished
    seen = {(w, s): (sigma, verdict, version) for w, s, sigma, verdict, version in steps}
    store = Store(result.directory / "labels.db", "loop")
    rows = store.rows()
    assert len(rows) == result.n_labels
    assert [r.request for r in rows] == sorted(r.request for r in rows)
    for row in rows:
        atoms = row.toatoms()
        reference = atoms.copy()
        reference.calc = EMT()
        np.testing.assert_array_equal(row.forces, reference.get_forces())
        assert row.energy == reference.get_potential_energy()
        assert "emt" in row.data["oracle"].lower() and row.seconds > 0
        if row.origin == "initial":
            continue
        sigma, _, version = seen[row.walker, row.step]
        assert row.sigma_max == sigma and row.model_version == version
        error = np.linalg.norm(row.data["predicted_forces"] - row.forces, axis=1)
        assert row.error_max == pytest.approx(error.max())
        assert row.time_ps == pytest.approx(row.step * 0.002)
    models = store.rows("model")
    assert [m.version for m in models] == list(range(1, result.n_versions + 1))
    path = result.directory / models[-1].model_file
    assert models[-1].model_hash.endswith(hashlib.sha256(path.read_bytes()).hexdigest())
    assert hashlib.sha256(result.model_path.read_bytes()).hexdigest() == result.model_hash
    assert models[-1].n_labels == result.n_labels


def test_logs_agree_with_the_store_and_the_result(finished):
    result, steps, _ = finished
    rows = table(result.directory / "labels.csv")
    assert len(rows) == result.n_labels + result.n_failures
    loop = table(result.directory / "loop.csv")
    assert int(loop[-1]["n_labels"]) == result.n_labels
    assert int(loop[-1]["total_steps"]) == result.n_steps == len(steps)
    asked = sum(r["origin"] == "flag" for r in rows)
    assert result.share_without_label == pytest.approx(1 - asked / result.n_steps)
    page = result.report_path.read_text()
    assert page.count("data:image/png;base64,") == 3  # no test set, no learning curve


def test_no_walker_is_labelled_twice_within_the_interval(finished):
    result, *_ = finished
    rows = [r for r in Store(result.directory / "labels.db", "loop").rows() if r.origin == "flag"]
    asked = [[r.step for r in rows if r.walker == name] for name in {r.walker for r in rows}]
    apart = [b - a for steps in asked for a, b in pairwise(steps)]
    assert apart and min(apart) >= 10


def test_a_threshold_far_below_the_first_model_still_gets_labels(tmp_path):
    """Every sigma is beyond it at first, and many are beyond abandon_force_std."""
    strict = small_loop(
        policy=Policy(max_force_std=0.001, batch=2), initial=Initial(rattles=1, rattle=0.01)
    )
    result = learn(tmp_path / "loop", **strict, budget=Budget(labels=12))
    assert result.status == "budget" and result.n_labels == 12


def test_a_budget_stops_and_a_larger_one_goes_on(tmp_path):
    first = learn(tmp_path / "loop", **small_loop(), budget=Budget(labels=8))
    assert first.status == "budget" and first.n_labels == 8
    second = learn(tmp_path / "loop", **small_loop(), resume=True)
    assert second.status == "learned" and second.n_labels >= 8
    again = learn(tmp_path / "loop", **small_loop(), resume=True)
    assert again.model_hash == second.model_hash and again.n_labels == second.n_labels


def test_wall_time_stops_between_steps_of_the_loop(tmp_path):
    result = learn(tmp_path / "loop", **small_loop(), budget=Budget(hours=1e-9), resume=False)
    assert result.status == "budget" and "h of this call" in result.reason
    assert result.n_labels == 0 and result.model_path is None
    with pytest.raises(GapyError, match="budget of 5 is less than the 6 initial"):
        learn(tmp_path / "other", **small_loop(), budget=Budget(labels=5))


def test_quiet_walkers_stop_the_loop(tmp_path):
    walkers = [MD(cell(), temperature=100, ps=50.0, timestep=2.0) for _ in range(2)]
    result = learn(
        tmp_path / "loop",
        **small_loop(explorers=walkers, policy=0.3, stop=Stop(quiet_ps=0.1)),
    )
    assert result.status == "learned" and "0.1 ps" in result.reason
    assert result.ps < 5.0


def test_a_ramp_is_quiet_only_when_all_its_temperatures_are():
    from gapy.active.walkers import Walker

    ramp = Walker("w", MD(cell(), temperature=100, temperature_end=600, ps=1.0))
    ramp.quiet = [1.0, 1.0, 1.0, 1.0, 0.0]
    assert not ramp.is_quiet(Stop(quiet_ps=0.5))
    ramp.quiet[-1] = 0.5
    assert ramp.is_quiet(Stop(quiet_ps=0.5)) and not ramp.is_quiet(Stop(quiet_steps=1))


def test_failures_are_recorded_and_the_loop_goes_on(tmp_path):
    result = learn(
        tmp_path / "loop", **small_loop(oracle=Oracle(bad.SometimesFails, max_failures=50))
    )
    assert result.status == "learned" and result.n_failures > 0 and result.n_labels > 0
    rows = Store(tmp_path / "loop" / "labels.db", "loop").rows("failure")
    assert len(rows) == result.n_failures
    assert all(r.failure == "error" and "not this one" in r.data["reason"] for r in rows)
    named = [r for r in table(tmp_path / "loop" / "labels.csv") if r["outcome"] == "error"]
    assert len(named) == result.n_failures and "not this one" in named[0]["reason"]
    assert "not this one" in result.report_path.read_text()


@pytest.mark.slow
def test_an_oracle_that_is_gone_stops_the_loop_and_resuming_goes_on(finished, tmp_path):
    permission = tmp_path / "licence"
    oracle = {
        "calculator": "bad_calculators.ReadsInput",
        "arguments": {"permission": str(permission)},
    }

    def run(**more):
        return learn(
            tmp_path / "loop", **small_loop(oracle=Oracle(**oracle, max_failures=2)), **more
        )

    with pytest.raises(OracleError, match=r"failed 2 times in a row.*no licence.*resume"):
        run()
    permission.write_text("yes")
    result = run(resume=True)
    assert result.status == "learned" and result.n_failures == 0
    assert result.model_hash == finished[0].model_hash


def test_a_program_that_is_not_there_stops_the_loop_at_once(tmp_path):
    start = displaced(1.2)
    with pytest.raises(OracleError, match=r"oracle is gone.*no-such-program"):
        learn(tmp_path / "loop", MD(start), bad.NoProgram, 0.1)
    assert not Store(tmp_path / "loop" / "labels.db", "loop").rows("failure")


def test_two_loops_cannot_share_a_directory(tmp_path):
    caught = []

    def second(*_):
        if not caught:
            with pytest.raises(GapyError, match="in use by another run") as error:
                learn(tmp_path / "loop", **small_loop(), resume=True)
            caught.append(error)

    learn(tmp_path / "loop", **small_loop(), budget=Budget(labels=8), on_frame=second)
    assert caught


def test_a_taken_directory_and_an_empty_one_are_refused(finished, tmp_path):
    with pytest.raises(GapyError, match=r"already holds a loop.*resume"):
        learn(finished[0].directory, **small_loop())
    with pytest.raises(GapyError, match="no loop to resume"):
        learn(tmp_path / "none", **small_loop(), resume=True)


def test_resuming_with_other_settings_names_them(finished, tmp_path):
    directory = tmp_path / "loop"
    shutil.copytree(finished[0].directory, directory)
    with pytest.raises(GapyError, match="policy: stored"):
        learn(directory, **small_loop(policy=Policy(max_force_std=0.07)), resume=True)
    with pytest.raises(GapyError, match="seed: stored 5, given 6"):
        learn(directory, **small_loop(seed=6), resume=True)
    for damaged in ("{", "3", "[]", "[" * 100_000, '{"format": 1, "a": {"__array__": 3}}'):
        (directory / "state.json").write_text(damaged)
        with pytest.raises(GapyError, match="damaged"):
            learn(directory, **small_loop(), resume=True)


def test_training_structures_replace_the_initial_ones(train_frames, tmp_path):
    result = learn(
        tmp_path / "loop",
        **small_loop(training=train_frames, test=train_frames[:5], test_every=2),
        budget=Budget(labels=3),
    )
    rows = table(result.directory / "labels.csv")
    assert [r["origin"] for r in rows] == ["flag"] * 3
    curve = table(result.directory / "test.csv")
    assert int(curve[0]["n_structures"]) == len(train_frames)
    assert int(curve[-1]["n_labels"]) == result.n_labels
    assert float(curve[-1]["forces_rmse_eV_per_A"]) < 1.0
    assert result.report_path.read_text().count("data:image/png;base64,") == 4


def test_nothing_is_learned_from_an_oracle_that_refuses_everything(tmp_path):
    start = displaced(1.2)
    initial = Initial(rattles=1, rattle=0.01)
    with pytest.raises(OracleError, match="none of the initial structures"):
        learn(tmp_path / "loop", MD(start), Oracle(bad.NaN, max_failures=9), 0.1, initial=initial)


def test_a_full_disk_stops_with_one_line_and_resuming_goes_on(finished, tmp_path, monkeypatch):
    """SQLite's own limit on the pages of a file gives its own "disk is full"."""
    import sqlite3

    connect = sqlite3.connect

    def small(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count = 18")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(GapyError, match=r"labels\.db cannot be used: .*full.*resume"):
        learn(tmp_path / "loop", **small_loop())
    monkeypatch.undo()
    result = learn(tmp_path / "loop", **small_loop(), resume=True)
    assert result.model_hash == finished[0].model_hash


def test_the_store_refuses_a_second_label_and_keeps_its_own_run(tmp_path):
    from gapy.active import Request

    request = Request.initial(cell(1), "w")
    label = Label(-1.0, np.zeros((4, 3)), np.zeros(6), 0.1)
    one, two = Store(tmp_path / "l.db", "one"), Store(tmp_path / "l.db", "two")
    one.add("12e4", 0, request, label, "{}")
    with pytest.raises(GapyError, match="twice"):
        one.add("12e4", 1, request, label, "{}")
    assert two.outcome("12e4") is None and len(two) == 0
    two.add("12e4", 0, request, Failure("timeout", "slow", 1.0), "{}")
    assert two.outcome("12e4").kind == "timeout" and two.n_failures == 1
    two.forget_failures(["12e4"])
    assert Store(tmp_path / "l.db", "two").outcome("12e4") is None
    again = Store(tmp_path / "l.db", "one").outcome("12e4")
    assert again.energy == -1.0 and again.stress.shape == (6,)
