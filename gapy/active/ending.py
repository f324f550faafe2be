"""When a loop ends, and in what words."""

from __future__ import annotations

from collections.abc import Iterable

from gapy.active.parts import Schedule
from gapy.active.policy import Budget, Stop
from gapy.active.walkers import Walker


def why(
    schedule: Schedule, n_labels: int, walkers: Iterable[Walker], in_time: bool
) -> tuple[str, str]:
    """(status, reason) of a loop that is to end; empty texts for one that goes on.

    n_labels: admitted so far; in_time: whether this call may go on.
    """
    labels, walkers = schedule.budget.labels, list(walkers)
    if labels is not None and n_labels >= labels:
        return "budget", f"all {labels} labels of the budget are used"
    if all(w.explorer.finished is not None for w in walkers):
        return "learned", "every explorer has finished"
    if all(w.is_quiet(schedule.stop) for w in walkers):
        return "learned", f"no flag in the last {_quiet(schedule.stop)} of any walker"
    if not in_time:
        return "budget", out_of_time(schedule.budget)
    return "", ""


def out_of_time(budget: Budget) -> str:
    """The reason when the wall time is used up."""
    return f"the {budget.hours:g} h of this call are over"


def _quiet(stop: Stop) -> str:
    words = [
        f"{stop.quiet_ps:g} ps" if stop.quiet_ps else "",
        f"{stop.quiet_steps} steps" if stop.quiet_steps else "",
    ]
    return " or ".join(w for w in words if w)
