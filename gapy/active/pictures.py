"""Pictures of a loop, for its report; each returns matplotlib Axes, or None without anything to
show, and draws into `ax` where that is given."""

from __future__ import annotations

import csv

import numpy as np

from gapy._support.drawing import ALARM, COLOURS, INK, axes, legend_above, plain_log_ticks

SIZE = (6.6, 4.0)
WIDE = 5.0
"""Ratio of the largest value to the smallest above which an axis is logarithmic."""


def rows_of(table) -> list[dict]:
    """The rows of a CSV file with a header; rows stay what they are."""
    if isinstance(table, list):
        return table
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def found_errors(rows, max_force_std: float, *, ax=None):
    """Force errors found at each label against the sigma that was predicted there."""
    found = [(r.sigma_max, r.error_max, r.error_rms) for r in rows if "error_max" in r]
    if not found:
        return None
    sigma, largest, rms = np.array(found).T
    ax = axes(ax, *SIZE)
    ax.axvline(max_force_std, color=ALARM, lw=1.0, ls="--", label="max_force_std")
    ends = np.array([min(sigma.min(), max_force_std), max(sigma.max(), max_force_std)])
    ends *= (0.8, 1.25)
    ax.plot(ends, ends, "-", color=INK, lw=0.9, label="error = sigma")
    ax.plot(sigma, largest, "^", color=COLOURS[1], ms=5, label="largest error of an atom")
    ax.plot(sigma, rms, "o", color=COLOURS[0], ms=4, label="RMSE per component")
    ax.set(xscale="log", yscale="log", xlim=ends)
    ax.set(xlabel="largest predicted force sigma (eV/Å)", ylabel="force error found (eV/Å)")
    plain_log_ticks(ax.xaxis, ax.yaxis)
    legend_above(ax, *ax.get_legend_handles_labels(), ncols=2)
    return ax


def labels_over_time(loop, *, ax=None):
    """Labels against simulated time, or against steps where nothing has a time.

    loop : the loop.csv of a loop, or its rows
    """
    loop = rows_of(loop)
    if not loop:
        return None
    in_time = any(float(row["total_ps"]) for row in loop)
    x = [float(row["total_ps" if in_time else "total_steps"]) for row in loop]
    ax = axes(ax, *SIZE)
    ax.step(x, [int(row["n_labels"]) for row in loop], where="post", color=COLOURS[0])
    ax.set(
        xlabel="simulated time of all walkers (ps)" if in_time else "steps of all walkers",
        ylabel="labels",
        ylim=(0, None),
    )
    return ax


def learning_curve(test, *, ax=None):
    """Errors on the test set against the number of labelled structures.

    test : the test.csv of a loop, or its rows
    """
    test = rows_of(test)
    curves = [
        (column, style, label)
        for column, style, label in (
            ("forces_rmse_eV_per_A", {"color": COLOURS[0], "marker": "o"}, "force RMSE"),
            ("mean_force_std_eV_per_A", {"color": COLOURS[1], "marker": "^"}, "mean sigma"),
        )
        if test and all(row[column] for row in test)
    ]
    if not curves:
        return None
    ax = axes(ax, *SIZE)
    n = [int(row["n_structures"]) for row in test]
    values = []
    for column, style, label in curves:
        y = [float(row[column]) for row in test]
        ax.plot(n, y, lw=1.2, ms=5, label=label, **style)
        values += y
    ax.set(xlabel="labelled structures", ylabel="force (eV/Å)")
    if min(values) > 0.0 and max(values) > WIDE * min(values):
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)
    else:
        ax.set_ylim(0, None)
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend_above(ax, *ax.get_legend_handles_labels())
    return ax
