"""When to label, which of several structures, and when there is nothing more to learn."""

import numpy as np
import pytest
from active_calculators import cell
from hypothesis import given
from hypothesis import strategies as st

from gapy.active import Budget, Frame, Initial, Policy, Request, Stop
from gapy.active.diversity import NEW_SHARE, Environments
from gapy.descriptors import as_descriptor, smooth_soap
from gapy.errors import GapyError
from gapy.gp.pivoted_cholesky import pivots_of


def frame(sigma, **more):
    atoms = cell()
    std = np.full(len(atoms), 0.01)
    std[1] = sigma
    return Frame(
        atoms=atoms,
        energy=0.0,
        forces=np.zeros((len(atoms), 3)),
        forces_std=std,
        step=1,
        time_ps=0.0,
        **more,
    )


def request(seed, sigma=0.2, worst=0):
    atoms = cell(seed)
    made = Request.initial(atoms, "w").to_dict()
    std = np.full(len(atoms), 0.01)
    std[worst] = sigma
    return Request(**{**made, "forces_std": std})


def test_verdicts():
    policy = Policy(max_force_std=0.1, abandon_force_std=0.5)
    assert policy.judge(frame(0.1)) == "ok"
    assert policy.judge(frame(0.11)) == "flag"
    assert policy.judge(frame(0.51)) == "abandon"
    assert policy.judge(frame(0.0, broken="nan")) == "abandon"
    assert policy.judge(frame(float("nan"))) == "abandon"
    assert policy.judge(frame(0.06), factor=2.0) == "flag"
    assert policy.judge(frame(0.3), factor=2.0) == "flag"  # abandoned by sigma alone


@given(st.lists(st.floats(0.0, 20.0), max_size=20))
def test_the_factor_is_at_least_one_and_forgets(ratios):
    policy = Policy(max_force_std=0.1, adapt=4)
    assert policy.factor(ratios) >= 1.0
    assert policy.factor([*ratios, 1.0, 1.0, 1.0, 1.0]) == 1.0
    assert policy.factor([3.0] * 50) == pytest.approx(3.0)
    assert policy.factor([]) == 2.0
    assert policy.factor([0.0, 0.0]) == pytest.approx(np.sqrt(2 * 4 / 4))
    assert Policy(max_force_std=0.1, adapt=0).factor(ratios) == 1.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Policy(max_force_std=0.0), "max_force_std"),
        (lambda: Policy(max_force_std="0.1"), "max_force_std"),
        (lambda: Policy(max_force_std=0.1, abandon_force_std=0.1), "abandon_force_std"),
        (lambda: Policy(max_force_std=0.1, batch=0), "batch"),
        (lambda: Policy(max_force_std=0.1, min_interval=-1), "min_interval"),
        (lambda: Budget(labels=0), "labels"),
        (lambda: Budget(hours=-1), "hours"),
        (lambda: Stop(quiet_ps=0), "quiet_ps"),
        (lambda: Stop(quiet_steps=1.5), "quiet_steps"),
        (lambda: Initial(rattles=-1), "rattles"),
        (lambda: Initial(strain=float("nan")), "strain"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(GapyError, match=words):
        make()


def test_pivots_are_those_of_the_cholesky_factorisation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 8)) * np.array([3, 1, 2, 5, 1, 1])[:, None]
    kernel = x @ x.T
    chosen = pivots_of(kernel, 3, NEW_SHARE)
    assert chosen[0] == int(np.argmax(np.diag(kernel)))
    # The second maximises the Schur complement after the first: computed densely.
    p = chosen[0]
    left = np.diag(kernel - np.outer(kernel[:, p], kernel[p]) / kernel[p, p])
    assert chosen[1] == int(np.argmax(left))


def test_repeats_within_a_batch_are_left_out():
    kernel = np.ones((3, 3)) * 0.99 + 0.01 * np.eye(3)
    assert (
        len(pivots_of(kernel, 3, NEW_SHARE)) == 1
    )  # 1 - 0.98 of the variance is explained, below NEW_SHARE
    assert NEW_SHARE > 0.02
    assert len(pivots_of(0.5 * np.ones((3, 3)) + 0.5 * np.eye(3), 3, NEW_SHARE)) == 3
    assert pivots_of(np.eye(3), 3, NEW_SHARE) == [0, 1, 2]


@pytest.fixture(scope="module")
def environments():
    soap = as_descriptor(smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2))
    known = Environments([soap])
    known.add(cell(1))
    known.add(cell(2))
    return known


def test_near_duplicates_are_recognised(environments):
    assert environments.distance(request(1)) < 1e-6
    assert environments.distance(request(7)) > 0.002
    turned = request(1).to_dict()
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turned["positions"] = turned["positions"] @ rotation
    turned["cell"] = turned["cell"] @ rotation
    assert environments.distance(Request(**turned)) < 1e-6


def test_batches_are_diverse(environments):
    a, b, c = request(11), request(12, sigma=0.3), request(11, sigma=0.25)
    chosen, duplicates = environments.choose([a, b, c, request(1)], 4, 0.001)
    assert duplicates == 1
    assert b in chosen and c in chosen and a not in chosen  # a is c with a smaller sigma
    only, _ = environments.choose([a, b, c], 1, 0.001)
    assert only == [b]


def test_an_unknown_species_is_far_from_everything():
    soap = as_descriptor(smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2))
    assert Environments([soap]).distance(request(1)) == pytest.approx(np.sqrt(2.0))


def test_initial_structures_differ_and_repeat_with_the_seed():
    starts = [("a", cell()), ("b", cell()), ("c", cell(3))]
    first = Initial(rattles=3).requests(starts, seed=1)
    again = Initial(rattles=3).requests(starts, seed=1)
    other = Initial(rattles=3).requests(starts, seed=2)
    assert len(first) == 2 * 4  # b is a
    for x, y in zip(first, again, strict=True):
        np.testing.assert_array_equal(x.positions, y.positions)
    assert not np.array_equal(first[1].positions, other[1].positions)
    assert len({x.positions.tobytes() for x in first}) == len(first)
    assert all(x.origin == "initial" and x.forces_std is None for x in first)


def test_stop_rule_counts_each_kind_of_explorer_by_its_own_measure():
    stop = Stop(quiet_ps=2.0, quiet_steps=100)
    assert stop.wanted(True) == 2.0 and stop.wanted(False) == 100
    assert Stop().wanted(True) is None
