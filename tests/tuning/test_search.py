"""The search: what is tried, kept, resumed, refused and recommended."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from gapy.errors import GapyError
from gapy.tuning import Candidate, attempts, front, search, tune
from gapy.tuning.picture import pareto
from gapy.tuning.results import Row
from gapy.tuning.scores import Score

PNG = b"\x89PNG\r\n\x1a\n"
GUESS = {"r_cut": 4.0, "n_max": 2, "l_max": 1, "zeta": 2, "n_inducing": 8, "sigma": 0.5}
LISTS = {"r_cut": [3.5, 4.0], "n_max": [2, 3]}


def run(frames, directory=None, **options):
    return tune(frames, directory, **({"lists": LISTS, "guess": GUESS} | options))


def errors(tuning):
    return {(r.stage, r.candidate): (r.energy_rmse, r.forces_rmse) for r in tuning.rows}


@pytest.fixture(scope="module")
def tuned(train_frames, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tune")
    return run(train_frames, directory), directory


def test_all_combinations_are_tried_and_written(tuned):
    tuning, directory = tuned
    tried = {(r.candidate.r_cut, r.candidate.n_max) for r in tuning.rows if r.stage == "coarse"}
    assert tried == {(3.5, 2), (3.5, 3), (4.0, 2), (4.0, 3)}
    assert len(tuning.final) == 4
    held = json.loads((directory / "results.json").read_text())
    assert held["settings"]["lists"] == LISTS and len(held["rows"]) == len(tuning.rows) == 8
    with open(directory / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["forces_rmse"]) for r in rows] == [r.forces_rmse for r in tuning.rows]
    assert float(rows[0]["us_per_atom"]) > 0.0


def test_errors_repeat_to_the_last_bit(tuned, train_frames):
    again = run(train_frames, report=lambda row: None)
    assert errors(again) == errors(tuned[0])


def test_the_recommended_one_is_cheap_and_nearly_the_best(tuned):
    tuning, _ = tuned
    best = min(r.error for r in tuning.final)
    near = [r for r in tuning.final if r.error <= 1.03 * best]
    assert tuning.recommended == min(near, key=lambda r: r.us_per_atom)
    assert tuning.recommended in tuning.front
    for row in tuning.front:
        assert not any(
            r.error < row.error and r.us_per_atom < row.us_per_atom for r in tuning.final
        )


def test_a_killed_search_goes_on(tuned, train_frames, tmp_path, monkeypatch):
    original, calls = attempts.score, []

    def killed_in_the_third(*arguments, **options):
        calls.append(arguments[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(attempts, "score", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(train_frames, tmp_path)
    assert len(json.loads((tmp_path / "results.json").read_text())["rows"]) == 2
    resumed = run(train_frames, tmp_path)
    # All 18 structures take part in both rounds, so that the last one needs no fits of its own.
    assert len(calls) == 3 + 2
    assert errors(resumed) == errors(tuned[0])
    again = run(train_frames, tmp_path)
    assert len(calls) == 5 and again.rows == resumed.rows


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"criterion": "likelihood"}, "criterion was"),
        ({"lists": {"zeta": [1]}}, "lists was"),
        ({"options": {"sigma_forces": 0.2}}, "options was"),
    ],
)
def test_results_of_another_search_are_refused(tuned, train_frames, options, words):
    tuning, directory = tuned
    before = (directory / "results.json").read_bytes()
    with pytest.raises(GapyError, match=words):
        run(train_frames, directory, **options)
    assert (directory / "results.json").read_bytes() == before
    assert len(tuning.rows) == 8


def test_other_data_are_refused_and_overwriting_is_possible(train_frames, tmp_path):
    one = {"lists": {"n_max": [2, 3]}}
    run(train_frames, tmp_path, **one)
    with pytest.raises(GapyError, match="data_sha256"):
        run(train_frames[:-1], tmp_path, **one)
    tuning = run(train_frames[:-1], tmp_path, overwrite=True, **one)
    assert {r.n_structures for r in tuning.rows} == {17}


def test_damaged_results_are_refused(train_frames, tmp_path):
    (tmp_path / "results.json").write_text('{"settings": {}}')
    with pytest.raises(GapyError, match="expected the results of a search"):
        run(train_frames, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(GapyError, match="expected a directory"):
        run(train_frames, tmp_path / "file")


def test_a_candidate_that_cannot_be_fitted_is_noted(train_frames, tmp_path):
    tuning = run(train_frames, tmp_path, lists={"l_max": [1, 30]})
    (failed,) = (r for r in tuning.rows if r.candidate.l_max == 30)
    assert "l_max" in failed.note and failed.error is None
    assert tuning.recommended.candidate.l_max == 1
    with pytest.raises(GapyError, match="none could be fitted"):
        run(train_frames, lists={"l_max": [30, 31]})


@pytest.mark.parametrize(
    ("failure", "noted"),
    [
        (np.nan, "no finite error"),
        (np.linalg.LinAlgError("not positive definite"), "not positive definite"),
    ],
)
def test_a_fit_that_breaks_down_is_noted_and_the_search_goes_on(
    train_frames, tmp_path, known, monkeypatch, failure, noted
):
    whole = attempts.score

    def broken(candidate, *arguments, **options):
        if candidate.n_max == 3 and isinstance(failure, Exception):
            raise failure
        found, potential = whole(candidate, *arguments, **options)
        return (replace(found, forces_rmse=failure) if candidate.n_max == 3 else found), potential

    monkeypatch.setattr(attempts, "score", broken)
    tuning = run(train_frames, tmp_path)
    notes = {r.note for r in tuning.rows if r.candidate.n_max == 3}
    assert len(notes) == 1 and noted in notes.pop()
    assert {r.candidate.n_max for r in tuning.final} == {2}


def test_more_points_than_atoms_are_fitted_once(train_frames, monkeypatch):
    original, calls = attempts.score, []

    def counted(*arguments, **options):
        calls.append(arguments[0])
        return original(*arguments, **options)

    monkeypatch.setattr(attempts, "score", counted)
    tuning = run(train_frames, lists={"n_inducing": [500, 1000]})
    assert len(calls) == 1 and len(tuning.final) == 2
    assert len({r.error for r in tuning.final}) == 1


def test_energies_alone_are_judged_by_energies(train_frames):
    frames = [a.copy() for a in train_frames]
    for atoms in frames:
        del atoms.arrays["REF_forces"], atoms.info["REF_stress"]
    tuning = run(frames, lists={"n_max": [2, 3]})
    assert tuning.target == "energy"
    assert tuning.recommended.error == tuning.recommended.energy_rmse


# -- an error that is known, in the place of fits ------------------------------------------------

BEST = Candidate(4.6, 0.4, 6, 4, 4, 1000)


def known_error(c: Candidate) -> float:
    far = [
        3.0 * (c.r_cut - BEST.r_cut) / BEST.r_cut,
        2.0 * (c.sigma - BEST.sigma) / BEST.sigma,
        0.05 * (c.n_max - BEST.n_max),
        0.05 * (c.l_max - BEST.l_max),
        0.1 * (c.zeta - BEST.zeta),
    ]
    return 0.1 * (1.0 + float(np.dot(far, far))) * (1.0 + 20.0 / c.n_inducing)


def known_cost(c: Candidate) -> float:
    return c.n_max * (c.l_max + 1) * c.n_inducing * c.r_cut**3 / 1e5


@pytest.fixture
def known(monkeypatch):
    """Scores and costs by formula; the list of (candidate, structures) that were asked for."""
    calls = []

    def score(candidate, species, structures, criterion, **options):
        calls.append((candidate, len(structures)))
        return Score(0.001, known_error(candidate), 1.0, 0.0), candidate

    monkeypatch.setattr(attempts, "score", score)
    monkeypatch.setattr(attempts, "force_cost", lambda c, atoms: (known_cost(c), known_cost(c)))
    return calls


@pytest.mark.filterwarnings("ignore:.*same structure", "ignore:.*more")
def test_default_search_finds_the_neighbourhood_of_the_best(train_frames, known):
    tuning = tune(train_frames * 10, n_coarse=60)
    stages = [r.stage for r in tuning.rows]
    assert stages == sorted(stages, key=["coarse", "fine", "final"].index)
    assert stages.count("coarse") == 12 + 4  # those at the first cutoff also with mu1nu1
    assert stages.count("final") == len(set(known[-9:])) == 2 * search.N_LAST + 1
    assert {n for _, n in known} == {60, 180}
    best = tuning.recommended.candidate
    assert abs(best.r_cut - BEST.r_cut) < 0.4 and best.sigma == 0.4
    assert known_error(best) < 1.2 * known_error(BEST)
    # The first guess takes part in the last round, and points are judged there.
    assert tuning.guess in {r.candidate for r in tuning.final}
    assert len({r.candidate.n_inducing for r in tuning.final}) == 2
    assert len(known) == len(set(known))


@pytest.mark.parametrize("fixed", [{"zeta": [6]}, {"r_cut": [5.0], "n_inducing": [50]}])
def test_a_single_value_is_kept_and_the_others_are_searched(train_frames, known, fixed):
    tune(train_frames, n_coarse=10, lists=fixed)
    for name, (value,) in fixed.items():
        assert {getattr(c, name) for c, _ in known} == {value}
    assert len({c.sigma for c, _ in known}) == 3 and len({c.n_max for c, _ in known}) == 3


def test_budget_is_kept_and_used(train_frames, known):
    free = tune(train_frames, n_coarse=10)
    half = 0.5 * free.recommended.us_per_atom
    tuning = tune(train_frames, n_coarse=10, budget_us=half)
    assert tuning.recommended.us_per_atom <= half
    assert tuning.recommended.error == min(r.error for r in tuning.final if r.us_per_atom <= half)
    assert tuning.recommended.error >= min(r.error for r in free.final)
    with pytest.raises(GapyError, match=r"budget_us: no candidate within 0\.001 us/atom"):
        tune(train_frames, budget_us=0.001)


def test_another_budget_uses_the_same_results(train_frames, known, tmp_path):
    tune(train_frames, tmp_path, n_coarse=10)
    before = len(known)
    tune(train_frames, tmp_path, n_coarse=10, budget_us=100.0)
    coarse = [c for c, n in known[before:] if n == 10]
    assert len(coarse) < before / 2


def test_survivors_are_near_the_front():
    def row(error, cost):
        return Row("coarse", 1, Candidate(cost, 0.5, 1, 1, 1, 1), error=error, us_per_atom=cost)

    rows = [row(0.1, 30.0), row(0.2, 10.0), row(0.21, 11.0), row(0.4, 12.0), row(0.3, 5.0)]
    kept = front.survivors(lambda c: c.r_cut, rows, 4, criterion="loo", budget_us=None)
    assert [r.error for r in kept] == [0.1, 0.2, 0.3, 0.21]
    cheap = front.survivors(lambda c: c.r_cut, rows, 4, criterion="loo", budget_us=11.0)
    assert [r.error for r in cheap] == [0.2, 0.3, 0.21]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"criterion": "guess"}, "criterion: expected one of loo"),
        ({"target": "stress"}, "target: expected one of"),
        ({"budget_us": 0.0}, "budget_us: expected a positive number"),
        ({"holdout": 0.9}, "holdout: expected a fraction"),
        ({"n_coarse": 1}, "n_coarse: expected a whole number"),
        ({"lists": {"delta": [1.0]}}, "delta: expected one of"),
        ({"lists": {"r_cut": []}}, "r_cut: expected at least one value"),
        ({"lists": {"r_cut": [-1.0]}}, "r_cut: expected positive numbers"),
        ({"lists": {"n_max": [2.5]}}, "n_max: expected whole numbers"),
        ({"lists": {"compression": ["zip"]}}, "compression: expected off"),
        ({"options": {"seed": 1}}, "options: expected none called seed"),
    ],
)
def test_bad_arguments(train_frames, options, words):
    with pytest.raises(GapyError, match=words):
        tune(train_frames, **options)


# -- picture ------------------------------------------------------------------------------------


def test_picture(tuned, tmp_path):
    tuning, _ = tuned
    ax = pareto(tuning, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(PNG)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["last round"].get_ydata()) == [r.error for r in tuning.final]
    assert list(lines["recommended"].get_xdata()) == [tuning.recommended.us_per_atom]
