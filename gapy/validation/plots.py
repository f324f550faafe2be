"""Pictures of errors, error bars and MD runs, in matplotlib Axes; matplotlib is an extra."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from gapy._support.drawing import (
    ALARM,
    COLOURS,
    FAINT,
    INK,
    axes,
    cloud,
    legend_above,
    markers,
    panels,
    plain_log_ticks,
    saved,
    side_legend,
    style,
)
from gapy.errors import GapyError

LOG_COLUMNS = (
    "time_fs",
    "temperature_K",
    "target_temperature_K",
    "potential_energy_eV",
    "max_force_std_eV_per_A",
    "mean_force_std_eV_per_A",
)
N_BINS, MIN_BIN = 12, 12
"""Bins of sigma, and the least number of atoms in one: the RMS of fewer says little."""


def parity(report, path=None, *, ax=None):
    """Predicted against reference energies and forces, coloured by config_type.

    Arguments
    ---------
    report : gapy.validation.evaluation.EvaluationReport
    path : where to save a PNG of the whole figure, or None
    ax : matplotlib Axes to draw into, one for each kind of label; by default those of a new figure

    Returns the Axes (energies, forces) of the labels that there are. Energies are eV/atom less e0,
    forces eV/A per component; titles count the points.

    Raises
    ------
    GapyError : matplotlib is not installed, the file cannot be written, nothing is labelled, or
        another number of Axes is given
    """
    s, total = report.samples, report.total
    shown = []
    if len(s.energy):
        title = f"{len(s.energy)} energies: RMSE {1e3 * total.energy_rmse:.2f} meV/atom"
        label = "energy less free atoms (eV/atom)"
        shown.append((title, label, s.energy, s.energy_predicted, s.energy_group))
    if len(s.forces):
        group = np.repeat(s.forces_group, 3)
        title = f"{s.forces.size} force components: RMSE {total.forces_rmse:.3f} eV/Å"
        label = "force component (eV/Å)"
        forces = (s.forces.ravel(), s.forces_predicted.ravel())
        shown.append((title, label, *forces, group))
    if not shown:
        raise GapyError("parity: expected energies or forces, got neither; label the structures")
    drawn = panels(ax, len(shown), 4.6 * len(shown) + 1.4, 4.6)
    names = sorted(report.by_config_type)
    styles = {name: style(k) for k, name in enumerate(names)}
    for one, (title, quantity, label, predicted, group) in zip(drawn, shown):
        span = [min(label.min(), predicted.min()), max(label.max(), predicted.max())]
        margin = 0.04 * (span[1] - span[0]) or 1.0
        span = [span[0] - margin, span[1] + margin]
        one.plot(span, span, color=INK, lw=0.8, zorder=1)
        one.set(xlim=span, ylim=span, aspect="equal")
        _clouds(one, label, predicted, group, styles)
        one.set(xlabel=f"reference {quantity}", ylabel=f"predicted {quantity}")
        one.set_title(title, fontsize=10)
    inside = None if ax is None else drawn[-1]
    side_legend(drawn[0].figure, markers(styles.values()), names, inside=inside)
    saved(drawn[0].figure, path)
    return drawn


def _clouds(ax, label, predicted, group, styles) -> None:
    """One cloud for each group, the smallest on top: a small group hides little of a large one."""
    counts = {name: int((group == name).sum()) for name in styles}
    for name in sorted(styles, key=counts.get, reverse=True):
        if counts[name]:
            of = group == name
            size = 16 if counts[name] < 300 else 8
            colour, marker = styles[name].values()
            artist = cloud(ax, label[of], predicted[of], colour=colour, marker=marker, size=size)
            artist.set_label(name)


def sigma_against_error(report, path=None, *, ax=None):
    """Force error of each atom against its calibrated sigma, log-log, with binned RMS errors.

    The error of an atom is the root mean square over x, y and z, as sigma is. An honest error bar
    has its bins on the diagonal. Atoms whose force is zero by symmetry are left out, as in
    `report.error_bars`; errors too small to matter are drawn at the lower edge. Arguments and
    errors as in `parity`, with one Axes, which is returned.
    """
    if not report.error_bars.n_judged:
        raise GapyError("sigma_against_error: " + nothing_to_judge(report))
    errors, sigma = report.samples.judged()
    error = np.sqrt((errors**2).mean(axis=1))
    if not error.any() or not sigma.any():
        raise GapyError(
            "sigma_against_error: expected force errors and sigmas above zero, got none; add "
            "structures that the model does not know by heart"
        )
    sigma = np.maximum(sigma, sigma[sigma > 0.0].min())
    ax = axes(ax, 5.6, 5.0)
    span = np.array([0.6 * sigma.min(), 1.6 * sigma.max()])
    centres, rms = _bins(sigma, error)
    floor = 0.7 * max(np.percentile(error, 0.5), 1e-3 * rms.max())
    ax.set(xscale="log", yscale="log", xlim=span, ylim=(floor, 1.5 * error.max()))
    cloud(ax, sigma, np.maximum(error, floor), colour=FAINT, size=5, alpha=1.0, log=True)
    ax.plot(span, span, color=INK, lw=0.9, label="error = sigma")
    ax.plot(span, 2 * span, color=INK, lw=0.7, ls=":", label="error = 2 sigma")
    ax.plot(centres, rms, "o-", color=COLOURS[0], ms=6, lw=1.2, label="RMS error in bins of sigma")
    ax.set(xlim=span, ylim=(floor, 1.5 * error.max()))
    plain_log_ticks(ax.xaxis, ax.yaxis)
    ax.set(xlabel="sigma of the force (eV/Å)", ylabel="error of the force (eV/Å)")
    rank = report.forces_std_spearman
    what = "" if rank is None else f", rank correlation {rank:.2f}"
    ax.set_title(judged_atoms(report, what), fontsize=10)
    ax.legend(frameon=True, edgecolor="none", fontsize=9, loc="lower right")
    saved(ax.figure, path)
    return ax


def judged_atoms(report, what: str = "") -> str:
    """Title of a picture of error bars: how many atoms are in it, and how many are not."""
    bars = report.error_bars
    text = f"{bars.n_judged} atoms{what}"
    if bars.n_symmetric:
        text += f"\n{bars.n_symmetric} left out, their force is zero by symmetry"
    return text


def nothing_to_judge(report) -> str:
    """Why there are no atoms for a picture of error bars, and the remedy."""
    if report.error_bars.n_symmetric:
        return (
            "expected atoms to judge, but all forces are zero by symmetry; add structures without"
        )
    return "expected forces, got none; label the structures"


def md_timeline(
    logs, path=None, *, max_force_std: float | None = None, labels: Sequence = (), ax=None
):
    """Temperature, force sigma and potential energy of an MD run over time.

    Arguments
    ---------
    logs : the md.csv of a run, or several that are drawn one after the other
    path : where to save a PNG, or None
    max_force_std : threshold to draw, eV/A
    labels : names of the runs
    ax : three matplotlib Axes to draw into; by default those of a new figure

    Returns the Axes (temperature, sigma, energy).

    Raises
    ------
    GapyError : matplotlib is not installed, a log cannot be read, the file cannot be written, or
        another number of Axes is given
    """
    logs = [logs] if not isinstance(logs, list | tuple) else list(logs)
    runs = [_read_log(log) for log in logs]
    grid = {"nrows": 3, "ncols": 1, "sharex": True, "height_ratios": [1, 1.3, 1]}
    top, middle, bottom = drawn = panels(ax, 3, 8.0, 6.6, **grid)
    offset = 0.0
    for k, run in enumerate(runs):
        time = (run["time_fs"] + offset) / 1000.0  # ps
        top.plot(time, run["temperature_K"], color=COLOURS[1], lw=0.9)
        top.plot(time, run["target_temperature_K"], color=INK, lw=0.9, ls="--")
        middle.plot(time, run["max_force_std_eV_per_A"], color=COLOURS[0], lw=1.1)
        middle.plot(time, run["mean_force_std_eV_per_A"], color=COLOURS[5], lw=0.9)
        bottom.plot(time, run["potential_energy_eV"], color=COLOURS[2], lw=0.9)
        if k:
            for one in drawn:
                one.axvline(time[0], color=FAINT, lw=0.9, zorder=0)
        if k < len(labels):
            top.annotate(
                labels[k],
                (time[0], 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=9,
            )
        offset += run["time_fs"][-1]
    top.set_ylabel("temperature (K)")
    legend_above(top, top.lines[:2], ["atoms", "thermostat"])
    handles, names = middle.lines[:2], ["largest of all atoms", "mean"]
    if max_force_std is not None:
        handles = [*handles, middle.axhline(max_force_std, color=ALARM, lw=1.0, ls="--")]
        names.append(f"threshold {max_force_std:.3g} eV/Å")
    legend_above(middle, handles, names)
    middle.set(ylabel="sigma of the force (eV/Å)", ylim=(0, None))
    bottom.set(ylabel="potential energy (eV)", xlabel="time (ps)")
    bottom.ticklabel_format(axis="y", useOffset=False)
    bottom.figure.align_ylabels()
    saved(bottom.figure, path)
    return drawn


def _bins(sigma: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RMS sigma and RMS error in bins of equal width on the logarithmic axis; sparse ones merge."""
    order = np.argsort(sigma, kind="stable")
    sigma, error = sigma[order], error[order]
    edges = np.geomspace(sigma[0], sigma[-1], N_BINS + 1)[1:-1]
    cuts = [0]
    for cut in np.searchsorted(sigma, edges):
        if cut - cuts[-1] >= MIN_BIN and len(sigma) - cut >= MIN_BIN:
            cuts.append(int(cut))
    parts = np.split(np.arange(len(sigma)), cuts[1:])
    rms = [[np.sqrt((v[p] ** 2).mean()) for p in parts] for v in (sigma, error)]
    return np.array(rms[0]), np.array(rms[1])


def _read_log(log) -> dict[str, np.ndarray]:
    try:
        with open(log, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError("no rows")
        return {name: np.array([float(row[name]) for row in rows]) for name in LOG_COLUMNS}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GapyError(f"{log}: expected the md.csv of a run, got: {error!r}") from error
