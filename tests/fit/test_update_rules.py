"""What an update does when, what it refuses, and what a failed one leaves."""

import numpy as np
import pytest
from ase import Atoms
from sklearn.exceptions import NotFittedError
from update_helpers import (
    NEW,
    OLD,
    copied,
    frames,
    predictions,
    regressor,
    same,
    settings,
    statistic_of,
    with_statistic,
)

from gapy.errors import GapyError, SpeciesError
from gapy.fit.checkpoint import save_state
from gapy.fit.update import UpdateSettings, update
from gapy.gp.terms import normalised


def test_updates_do_not_depend_on_threads(fitted):
    one, two = copied(fitted), copied(fitted)
    two.threads = 2
    for gp in (one, two):
        update(gp, NEW[:2], settings=settings())
        update(gp, NEW[2:], settings=settings(prune=0.02))
    assert same(one.potential_, two.potential_)


def test_the_schedule_calibrates_and_optimises_when_due(fitted):
    gp, calls = copied(fitted), []
    choices = settings(calibrate_every=2, optimise_every=3)
    done = []
    for k in range(3):
        before = gp.potential_.calibration
        report = update(gp, NEW[k : k + 1], settings=choices, optimise=calls.append)
        done.append((report.calibrated, report.optimised))
        assert (gp.potential_.calibration != before) == (k == 1)
    assert done == [(False, False), (True, False), (True, True)] and calls == [gp]


def test_by_default_the_noise_is_learnt_from_the_labels(fitted):
    gp = copied(fitted)
    plain = copied(fitted)
    update(plain, NEW, settings=settings())
    assert update(gp, NEW, settings=settings(optimise_every=1)).optimised
    assert gp.potential_.noise != plain.potential_.noise
    assert gp.log_marginal_likelihood() > plain.log_marginal_likelihood()


def test_a_species_that_the_descriptor_knows_can_come_later():
    gp = regressor(e0="fit").fit(frames(6, seed=6, symbols=("Si",)))
    e0 = dict(gp.e0_)
    assert gp.potential_.species == (14,)
    report = update(gp, NEW, settings=settings(columns="sampled"))
    assert report.added["C"] > 0 and gp.potential_.species == (6, 14)
    assert gp.e0_[14] == e0[14] and gp.e0_[6] != 0.0
    exact = with_statistic(gp, statistic_of(gp, [*frames(6, seed=6, symbols=("Si",)), *NEW]))
    for got, wanted in zip(predictions(gp), predictions(exact)):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_a_new_species_needs_a_point():
    gp = regressor(e0="zero").fit(frames(4, seed=6, symbols=("Si",)))
    with pytest.raises(SpeciesError, match="C is new and needs an inducing point"):
        update(gp, NEW, settings=settings(max_points=0))
    other = Atoms("Ge2", [[0, 0, 0], [0, 0, 2.4]], cell=[9, 9, 9], pbc=True)
    other.info["REF_energy"] = 1.0
    with pytest.raises(SpeciesError, match="Ge"):
        update(gp, [other])


def test_a_failed_update_leaves_the_regressor_as_it_was(fitted):
    gp, untouched = copied(fitted), copied(fitted)

    def fails(_):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        update(gp, NEW, settings=settings(optimise_every=1), optimise=fails)
    assert gp.n_structures_ == 12 and gp.training_.n_updates == 0
    for one in (gp, untouched):
        update(one, NEW[:2], settings=settings())
    assert same(gp.potential_, untouched.potential_)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"threshold": 0.0}, "threshold: expected a share of the prior variance"),
        ({"threshold": "x"}, "threshold"),
        ({"max_points": 1.5}, "max_points: expected an integer"),
        ({"columns": "guessed"}, "columns: expected one of sampled, projected, exact"),
        ({"sample_rows": 0.0}, "sample_rows"),
        ({"prune": -1.0}, "prune"),
        ({"calibrate_every": -1}, "calibrate_every"),
        ({"optimise_every": True}, "optimise_every"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(GapyError, match=message):
        UpdateSettings(**options)


def test_bad_arguments_are_named(fitted):
    gp = copied(fitted)
    with pytest.raises(NotFittedError):
        update(regressor(), NEW)
    with pytest.raises(GapyError, match=r"old: expected the structures .* got None"):
        update(gp, NEW, settings=settings(columns="exact"))
    with pytest.raises(GapyError, match="old: expected the 12 structures"):
        update(gp, NEW, settings=settings(columns="exact"), old=OLD[1:])
    with pytest.raises(GapyError, match="expected at least one"):
        update(gp, [])
    gp.noise_overrides = {"a": {"forces": object()}}
    with pytest.raises(GapyError, match="noise_overrides: expected a number"):
        save_state(gp, "never")


def test_candidates_seen_before_become_points(fitted):
    """An environment that did not pass a high threshold becomes a point when searched again."""
    gp = copied(fitted)
    report = update(gp, NEW[:1], settings=settings(max_points=0))
    assert not report.added
    again = copied(gp)
    without = update(gp, OLD[:1], settings=settings())
    report = update(again, OLD[:1], settings=settings(), candidates=NEW[:1])
    assert sum(report.added.values()) > sum(without.added.values())
    term = again.training_.terms[0]
    x_nd = normalised(term.descriptor.create(NEW[0]))
    known = np.concatenate(term.inducing)
    assert (known @ x_nd.T).max() == pytest.approx(1.0, abs=1e-12)
