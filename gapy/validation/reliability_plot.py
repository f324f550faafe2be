"""Picture of what the error bars are worth: reliability diagram and coverage curve."""

from __future__ import annotations

import numpy as np

from gapy._support.drawing import (
    COLOURS,
    FAINT,
    INK,
    panels,
    plain_log_ticks,
    saved,
    side_legend,
)
from gapy.errors import GapyError
from gapy.validation.plots import judged_atoms, nothing_to_judge
from gapy.validation.reliability import COVERAGE, levels

MIN_GROUP = 30
"""Least number of atoms for a config_type to have its own coverage curve."""
N_NAMED = 5
"""config_types with a colour and a name, those whose error bars are worst; more are a tangle."""
N_POINTS = 201


def reliability(report, path=None, *, ax=None):
    """Binned error against sigma, and observed against nominal coverage.

    Left: RMS force error of bins of equal numbers of atoms against their RMS sigma. Right: share
    of force components inside the central interval of every nominal level; the shaded area is
    the miscalibration area. Above the diagonal error bars are too wide, below it too narrow.
    Dashed curves are the config_types with the largest miscalibration areas, grey ones the rest.
    Atoms whose force is zero by symmetry are left out, as in `report.error_bars`.

    Arguments
    ---------
    report : gapy.validation.evaluation.EvaluationReport
    path : where to save a PNG of the whole figure, or None
    ax : two matplotlib Axes to draw into; by default those of a new figure

    Returns the Axes (bins, coverage).

    Raises
    ------
    GapyError : no forces, matplotlib is not installed, the file cannot be written, or another
        number of Axes is given
    """
    if not report.error_bars.n_judged:
        raise GapyError("reliability: " + nothing_to_judge(report))
    left, right = drawn = panels(ax, 2, 11.4, 4.8)
    _diagram(left, report)
    _curves(right, report)
    inside = None if ax is None else right
    side_legend(right.figure, *right.get_legend_handles_labels(), inside=inside)
    saved(right.figure, path)
    return drawn


def _diagram(ax, report) -> None:
    bins = report.error_bars.reliability
    # A bin without any error or sigma has no place on logarithmic axes.
    shown = [b for b in bins if b.rms_std > 0.0 and b.rms_error > 0.0]
    std, error = ([getattr(b, name) for b in shown] for name in ("rms_std", "rms_error"))
    span = np.array([0.7 * min([*std, *error], default=0.1), 1.4 * max([*std, *error], default=1)])
    ax.plot(span, span, color=INK, lw=0.9, label="error = sigma")
    label = f"{len(bins)} bins of equal numbers"
    ax.plot(std, error, "o-", color=COLOURS[0], ms=6, lw=1.2, label=label)
    ax.set(xscale="log", yscale="log", xlim=span, ylim=span, aspect="equal")
    plain_log_ticks(ax.xaxis, ax.yaxis)
    ax.set(xlabel="RMS sigma of the force (eV/Å)", ylabel="RMS error of the force (eV/Å)")
    ax.set_title(judged_atoms(report), fontsize=10)
    ax.legend(frameon=False, fontsize=9, loc="upper left")


def _curves(ax, report) -> None:
    nominal = np.linspace(0.0, 1.0, N_POINTS)

    def observed(name=None):
        u = levels(*report.samples.judged(name))
        return np.searchsorted(u, nominal, side="right") / len(u)

    total = observed()
    ax.plot(nominal, nominal, color=INK, lw=0.9, label="calibrated")
    ax.fill_between(nominal, nominal, total, color=COLOURS[0], alpha=0.15, linewidth=0)
    ax.plot(nominal, total, color=COLOURS[0], lw=2.0, label="all atoms")
    marks = _reported_levels()
    ax.plot(marks, np.interp(marks, nominal, total), "o", color=COLOURS[0], ms=5)
    named, others = _groups(report.error_bars_by_config_type)
    for k, name in enumerate(others):
        label = f"{len(others)} others" if k == 0 else None
        ax.plot(nominal, observed(name), color=FAINT, lw=0.8, zorder=1, label=label)
    for k, name in enumerate(named):
        area = report.error_bars_by_config_type[name].miscalibration_area
        label = f"{name} (area {area:.2f})"
        ax.plot(nominal, observed(name), color=COLOURS[1 + k], lw=1.1, ls="--", label=label)
    ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.set(xlabel="nominal coverage", ylabel="share of force components inside")
    area = report.error_bars.miscalibration_area
    ax.set_title(f"miscalibration area {area:.3f}", fontsize=10)


def _groups(bars) -> tuple[list[str], list[str]]:
    """config_types that are named, the worst first, and those that are not."""
    large = [name for name, b in bars.items() if b.n_judged >= MIN_GROUP]
    if len(large) < 2:
        return [], []
    worst = sorted(large, key=lambda name: -bars[name].miscalibration_area)
    return worst[:N_NAMED], worst[N_NAMED:]


def _reported_levels() -> np.ndarray:
    """Nominal levels of the coverages that are reported."""
    from scipy.special import erf

    return erf(np.array(list(COVERAGE.values())) / np.sqrt(2.0))
