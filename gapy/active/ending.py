"""When a loop ends, and in what words."""

from __future__ import annotations

from gapy.active.policy import Budget, Stop


def why(loop) -> tuple[str, str]:
    """(status, reason) of a loop that is to end; empty texts for one that goes on."""
    labels = loop.budget.labels
    if labels is not None and len(loop.keys) >= labels:
        return "budget", f"all {labels} labels of the budget are used"
    if all(w.explorer.finished is not None for w in loop.walkers):
        return "learned", "every explorer has finished"
    if all(w.is_quiet(loop.stop) for w in loop.walkers):
        return "learned", f"no flag in the last {_quiet(loop.stop)} of any walker"
    if not loop.in_time():
        return "budget", out_of_time(loop.budget)
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
