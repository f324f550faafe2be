"""Pareto picture of a search: error against the cost of a force call."""

from __future__ import annotations

from gapy._support.drawing import ALARM, COLOURS, FAINT, axes, plain_log_ticks, saved
from gapy.errors import GapyError

LABELS = {
    ("likelihood", None): "minus log likelihood per label",
    ("loo", "forces"): "left-out force error, RMSE (eV/Å)",
    ("loo", "energy"): "left-out energy error, RMSE (eV/atom)",
    ("holdout", "forces"): "held-out force error, RMSE (eV/Å)",
    ("holdout", "energy"): "held-out energy error, RMSE (eV/atom)",
}

WIDE = 5.0
"""Ratio of the largest error to the smallest above which their axis is logarithmic."""


def pareto(tuning, path=None, *, ax=None):
    """Error against cost of all candidates, the front of the last round and the recommendation.

    Grey: the first rounds, on a part of the structures, whose errors are larger. Arguments:
    gapy.tuning.Tuning; where to save a PNG of the whole figure, or None; matplotlib Axes to draw
    into, by default those of a new figure. Returns the Axes.

    Raises
    ------
    GapyError : matplotlib is not installed, or the file cannot be written
    """
    if not tuning.final:
        raise GapyError("pareto: expected rows of the last round, got none; finish the search")
    ax = axes(ax, 7.0, 5.0)
    early = [r for r in tuning.rows if r.stage != "final" and r.error is not None]
    if early:
        ax.plot(*_xy(early), "o", color=FAINT, ms=4, label="first rounds, part of the data")
    ax.plot(*_xy(tuning.front), "-", color=COLOURS[0], lw=1.2, label="Pareto front")
    ax.plot(*_xy(tuning.final), "o", color=COLOURS[0], ms=6, label="last round")
    best = tuning.recommended
    ax.plot(*_xy([best]), "*", color=COLOURS[1], ms=16, label="recommended", zorder=4)
    if tuning.budget_us is not None:
        ax.axvline(tuning.budget_us, color=ALARM, lw=1.0, ls="--", label="budget")
    c = best.candidate
    ax.set_title(
        f"recommended: {c.r_cut:g} Å, sigma {c.sigma:g} Å, n_max {c.n_max}, l_max {c.l_max}, "
        f"zeta {c.zeta}, {c.n_inducing} points",
        fontsize=9,
    )
    ax.set(xscale="log", xlabel="force call (us/atom)")
    ax.set_ylabel(LABELS[tuning.criterion, None if _likely(tuning) else tuning.target])
    plain_log_ticks(ax.xaxis)
    errors = [r.error for r in (*early, *tuning.final)]
    if not _likely(tuning) and max(errors) > WIDE * min(errors):
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)
    ax.legend(frameon=False, fontsize=8)
    saved(ax.figure, path)
    return ax


def _likely(tuning) -> bool:
    return tuning.criterion == "likelihood"


def _xy(rows):
    return [r.us_per_atom for r in rows], [r.error for r in rows]
