"""What a walker does with flags, told by an explorer whose sigmas are written down beforehand."""

import numpy as np
from active_calculators import cell

from gapy.active import Explorer, Frame, Policy
from gapy.active.walkers import Tally, Walker


class Scripted(Explorer):
    """Shows the given sigmas, one after the other; counts its returns."""

    kind = "scripted"

    def __init__(self, sigmas):
        super().__init__(cell())
        self.sigmas = sigmas
        self.returns = -1

    def restart(self):
        super().restart()
        self.returns += 1

    def advance(self):
        if self.step >= len(self.sigmas):
            self.finished = "done"
            return None
        sigma = self.sigmas[self.step]
        self.step += 1
        n = len(self.atoms)
        return Frame(
            atoms=self.atoms,
            energy=0.0,
            forces=np.zeros((n, 3)),
            forces_std=np.full(n, sigma),
            step=self.step,
            time_ps=0.0,
            broken=None if np.isfinite(sigma) else "two atoms met",
        )


def explored(sigmas, known=lambda request: False, steps=100, last_label=None, **policy):
    explorer = Scripted(sigmas)
    explorer.begin(np.random.default_rng(0))
    walker, tally = Walker("w", explorer), Tally()
    walker.last_label = last_label
    policy = Policy(**{"max_force_std": 0.1, "abandon_force_std": 1.0, **policy})
    request = walker.explore(
        steps, policy.judge, policy, 1, known, tally, lambda walker, frame, verdict: None
    )
    return request, walker, tally


def test_the_first_flag_is_answered():
    request, walker, tally = explored([0.05, 0.05, 0.2, 0.5])
    assert request.step == 3 and tally.steps == 3 and tally.flagged == 1
    assert walker.quiet == [0.0]


def test_patience_finds_the_most_uncertain_one():
    request, _, tally = explored([0.05, 0.2, 0.3, 0.05, 0.15, 0.9], patience=3)
    assert request.step == 3 and tally.steps == 5
    request, walker, _ = explored([0.05, 0.2, 0.4, 2.0], patience=10)
    assert request.step == 3 and walker.explorer.returns == 1  # what came before it went too far
    request, _, _ = explored([0.05, 0.2, 0.1], patience=10)
    assert request.step == 2  # the schedule ended before the patience


def test_flags_too_soon_after_a_label_are_passed_over():
    request, _, tally = explored([0.2] * 20, min_interval=10, last_label=0)
    assert request.step == 10 and tally.flagged == 10


def test_a_walker_too_far_gone_returns_and_the_frontier_is_labelled():
    request, walker, tally = explored([0.2, 0.3, 5.0], min_interval=10, last_label=0)
    assert request.step == 2 and walker.explorer.returns == 1 and tally.abandoned == 1
    request, walker, _ = explored([0.05, 5.0])
    assert request is None and walker.explorer.returns == 1


def test_a_walker_that_only_returns_is_retired():
    walker = None
    explorer = Scripted([5.0] * 10)
    explorer.begin(np.random.default_rng(0))
    walker = Walker("w", explorer)
    policy = Policy(max_force_std=0.1, max_abandons=3)
    asked = []
    for _ in range(3):
        assert explorer.finished is None
        asked.append(walker.explore(9, policy.judge, policy, 1, None, Tally(), lambda *_: None))
        if asked[-1] is not None:
            walker.requested(asked[-1])
    assert "3 returns" in explorer.finished
    # Lost at its start twice: a label there, but no more returns than before.
    assert asked[0] is None and asked[1].origin == "start" and asked[2] is None


def test_a_broken_structure_is_never_asked_for():
    request, walker, _ = explored([np.inf])
    assert request is None
    walker.explorer.sigmas += [np.inf]
    policy = Policy(max_force_std=0.1)
    assert walker.explore(9, policy.judge, policy, 1, None, Tally(), lambda *_: None) is None
    assert walker.returns == 2


def test_near_duplicates_are_counted_and_not_asked_for():
    request, walker, tally = explored([0.2] * 5, known=lambda request: True, min_interval=2)
    assert request is None and tally.duplicates == 3 and walker.last_label == 5


def test_quiet_steps_are_counted_since_the_last_flag():
    _, walker, _ = explored([0.2, 0.05, 0.05, 0.05], known=lambda request: True)
    assert walker.quiet == [3.0]
