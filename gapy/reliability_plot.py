"""Picture of what the error bars are worth: reliability diagram and coverage curve."""

from __future__ import annotations

import numpy as np

from gapy.errors import GapyError
from gapy.plots import COLOURS, FAINT, INK, _figure, _plain_log_ticks, _saved
from gapy.reliability import COVERAGE, levels

MIN_GROUP = 30
"""Least number of atoms for a config_type to have its own coverage curve."""
N_POINTS = 201


def reliability(report, path=None):
    """Binned error against sigma, and observed against nominal coverage.

    Left: RMS force error of bins of equal numbers of atoms against their RMS sigma. Right: share
    of force components inside the central interval of every nominal level; the shaded area is
    the miscalibration area. Grey curves are the config_types. Above the diagonal error bars are
    too wide, below it too narrow.

    Arguments
    ---------
    report : gapy.evaluation.EvaluationReport
    path : where to save a PNG, or None

    Returns the matplotlib Figure.

    Raises
    ------
    GapyError : no forces, matplotlib is not installed, or the file cannot be written
    """
    if report.error_bars.reliability is None:
        raise GapyError("reliability: expected forces, got none; label the structures")
    figure = _figure(9.6, 4.6)
    left, right = figure.subplots(1, 2)
    _diagram(left, report.error_bars.reliability)
    _curves(right, report)
    return _saved(figure, path)


def _diagram(ax, bins) -> None:
    # A bin without any error or sigma (zero by symmetry) has no place on logarithmic axes.
    shown = [b for b in bins if b.rms_std > 0.0 and b.rms_error > 0.0]
    std, error = ([getattr(b, name) for b in shown] for name in ("rms_std", "rms_error"))
    span = np.array([0.7 * min([*std, *error], default=0.1), 1.4 * max([*std, *error], default=1)])
    ax.plot(span, span, color=INK, lw=0.9, label="error = sigma")
    ax.plot(std, error, "o-", color=COLOURS[0], ms=6, lw=1.2, label="bins of equal numbers")
    ax.set(xscale="log", yscale="log", xlim=span, ylim=span, aspect="equal")
    _plain_log_ticks(ax.xaxis)
    _plain_log_ticks(ax.yaxis)
    ax.set(xlabel="RMS sigma of the force (eV/Å)", ylabel="RMS error of the force (eV/Å)")
    ax.set_title(f"{sum(b.n_atoms for b in bins)} atoms in {len(bins)} bins", fontsize=10)
    ax.legend(frameon=False, fontsize=9, loc="upper left")


def _curves(ax, report) -> None:
    s = report.samples
    errors = s.forces_predicted - s.forces
    nominal = np.linspace(0.0, 1.0, N_POINTS)

    def observed(of):
        u = levels(errors[of], s.forces_std[of])
        return np.searchsorted(u, nominal, side="right") / len(u)

    names = [n for n in sorted(report.by_config_type) if (s.forces_group == n).sum() >= MIN_GROUP]
    for k, name in enumerate(names if len(names) > 1 else ()):
        label = "config_types" if k == 0 else None
        ax.plot(nominal, observed(s.forces_group == name), color=FAINT, lw=0.8, label=label)
    total = observed(np.ones(len(errors), dtype=bool))
    ax.plot(nominal, nominal, color=INK, lw=0.9, label="calibrated")
    ax.fill_between(nominal, nominal, total, color=COLOURS[0], alpha=0.15, linewidth=0)
    ax.plot(nominal, total, color=COLOURS[0], lw=1.5, label="observed")
    marks = _reported_levels()
    ax.plot(marks, np.interp(marks, nominal, total), "o", color=COLOURS[0], ms=5)
    ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.set(xlabel="nominal coverage", ylabel="share of force components inside")
    area = report.error_bars.miscalibration_area
    ax.set_title(f"miscalibration area {area:.3f}", fontsize=10)
    ax.legend(frameon=False, fontsize=9, loc="upper left")


def _reported_levels() -> np.ndarray:
    """Nominal levels of the coverages that are reported."""
    from scipy.special import erf

    return erf(np.array(list(COVERAGE.values())) / np.sqrt(2.0))
