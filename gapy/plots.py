"""Pictures of errors, error bars and MD runs; matplotlib is an extra, imported when first used."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from gapy.errors import GapyError
from gapy.files import write_whole

# Okabe and Ito's colours, distinct also to the colour-blind.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
INK, FAINT, ALARM = "#222222", "#BBBBBB", "#C00000"
MARKERS = ("o", "^", "s", "D")
LOG_COLUMNS = (
    "time_fs",
    "temperature_K",
    "target_temperature_K",
    "potential_energy_eV",
    "max_force_std_eV_per_A",
    "mean_force_std_eV_per_A",
)
N_SCATTER = 20_000
"""Points of a cloud that are drawn, the same ones each time; more only blacken it."""
SYMMETRY = 1e-6
"""Force errors below it (eV/A) are zero by symmetry, not by merit, and tell nothing of sigma."""
N_BINS, MIN_BIN = 12, 12
"""Bins of sigma, and the least number of atoms in one: the RMS of fewer says little."""


def parity(report, path=None):
    """Predicted against reference energies and forces, coloured by config_type.

    Arguments
    ---------
    report : gapy.evaluation.EvaluationReport
    path : where to save a PNG, or None

    Returns the matplotlib Figure. Energies are eV/atom less e0, forces eV/A per component.

    Raises
    ------
    GapyError : matplotlib is not installed, the file cannot be written, or nothing is labelled
    """
    s, total = report.samples, report.total
    panels = []
    if len(s.energy):
        title = f"energies: RMSE {1e3 * total.energy_rmse:.2f} meV/atom"
        label = "energy less free atoms (eV/atom)"
        panels.append((title, label, s.energy, s.energy_predicted, s.energy_group))
    if len(s.forces):
        group = np.repeat(s.forces_group, 3)
        title = f"forces: RMSE {total.forces_rmse:.3f} eV/Å"
        label = "force component (eV/Å)"
        forces = (s.forces.ravel(), s.forces_predicted.ravel())
        panels.append((title, label, *forces, group))
    if not panels:
        raise GapyError("parity: expected energies or forces, got neither; label the structures")
    figure = _figure(4.6 * len(panels) + 1.4, 4.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    names = sorted(report.by_config_type)
    for ax, (title, quantity, label, predicted, group) in zip(axes, panels):
        span = [min(label.min(), predicted.min()), max(label.max(), predicted.max())]
        margin = 0.04 * (span[1] - span[0]) or 1.0
        span = [span[0] - margin, span[1] + margin]
        ax.plot(span, span, color=INK, lw=0.8, zorder=1)
        for k, name in enumerate(names):
            take = _thinned(np.flatnonzero(group == name))
            ax.scatter(
                label[take],
                predicted[take],
                s=12 if len(label) < 2000 else 5,
                color=COLOURS[k % len(COLOURS)],
                marker=MARKERS[k // len(COLOURS) % len(MARKERS)],
                alpha=0.7 if len(label) < 2000 else 0.4,
                linewidths=0,
                rasterized=True,
                label=name,
            )
        ax.set(xlim=span, ylim=span, aspect="equal")
        ax.set(xlabel=f"reference {quantity}", ylabel=f"predicted {quantity}")
        ax.set_title(title, fontsize=10)
    _legend(figure, axes[0], len(names))
    return _saved(figure, path)


def sigma_against_error(report, path=None):
    """Force error of each atom against its calibrated sigma, log-log, with binned RMS errors.

    The error of an atom is the root mean square over x, y and z, as sigma is. An honest error bar
    has its bins on the diagonal. Atoms whose force is zero by symmetry are left out. Arguments,
    result and errors as in `parity`.
    """
    s = report.samples
    if not len(s.forces):
        raise GapyError("sigma_against_error: expected forces, got none; label the structures")
    error = np.sqrt(((s.forces_predicted - s.forces) ** 2).mean(axis=1))
    drawn = (error > SYMMETRY) & (s.forces_std > 0.0)
    sigma, error = s.forces_std[drawn], error[drawn]
    if not len(sigma):
        raise GapyError(
            "sigma_against_error: expected force errors above zero, got none; add structures whose "
            "forces are not zero by symmetry"
        )
    figure = _figure(5.6, 5.0)
    ax = figure.subplots()
    take = _thinned(np.arange(len(sigma)))
    ax.scatter(sigma[take], error[take], s=5, color=FAINT, linewidths=0, rasterized=True)
    span = np.array([0.6 * sigma.min(), 1.6 * sigma.max()])
    ax.plot(span, span, color=INK, lw=0.9, label="error = sigma")
    ax.plot(span, 2 * span, color=INK, lw=0.7, ls=":", label="error = 2 sigma")
    centres, rms = _bins(sigma, error)
    ax.plot(centres, rms, "o-", color=COLOURS[0], ms=6, lw=1.2, label="RMS error in bins of sigma")
    ax.set(xscale="log", yscale="log", xlim=span)
    _plain_log_ticks(ax.xaxis)
    _plain_log_ticks(ax.yaxis)
    ax.set_ylim(max(np.percentile(error, 0.5), 1e-3 * rms.max()) * 0.7, 1.5 * error.max())
    ax.set(xlabel="sigma of the force (eV/Å)", ylabel="error of the force (eV/Å)")
    title = f"{len(sigma)} atoms"
    if report.forces_std_spearman is not None:
        title += f", rank correlation {report.forces_std_spearman:.2f}"
    ax.set_title(title, fontsize=10)
    ax.legend(frameon=True, edgecolor="none", fontsize=9, loc="upper left")
    return _saved(figure, path)


def md_timeline(logs, path=None, *, max_force_std: float | None = None, labels: Sequence = ()):
    """Temperature, force sigma and potential energy of an MD run over time.

    Arguments
    ---------
    logs : the md.csv of a run, or several that are drawn one after the other
    path : where to save a PNG, or None
    max_force_std : threshold to draw, eV/A
    labels : names of the runs

    Raises
    ------
    GapyError : matplotlib is not installed, a log cannot be read, or the file cannot be written
    """
    logs = [logs] if not isinstance(logs, list | tuple) else list(logs)
    runs = [_read_log(log) for log in logs]
    figure = _figure(8.0, 6.6)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.3, 1])
    offset = 0.0
    for k, run in enumerate(runs):
        time = (run["time_fs"] + offset) / 1000.0  # ps
        top.plot(time, run["temperature_K"], color=COLOURS[1], lw=0.9)
        top.plot(time, run["target_temperature_K"], color=INK, lw=0.9, ls="--")
        middle.plot(time, run["max_force_std_eV_per_A"], color=COLOURS[0], lw=1.1)
        middle.plot(time, run["mean_force_std_eV_per_A"], color=COLOURS[5], lw=0.9)
        bottom.plot(time, run["potential_energy_eV"], color=COLOURS[2], lw=0.9)
        if k:
            for ax in (top, middle, bottom):
                ax.axvline(time[0], color=FAINT, lw=0.9, zorder=0)
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
    _legend_above(top, top.lines[:2], ["atoms", "thermostat"])
    handles, names = middle.lines[:2], ["largest of all atoms", "mean"]
    if max_force_std is not None:
        handles = [*handles, middle.axhline(max_force_std, color=ALARM, lw=1.0, ls="--")]
        names.append(f"threshold {max_force_std:.3g} eV/Å")
    _legend_above(middle, handles, names)
    middle.set(ylabel="sigma of the force (eV/Å)", ylim=(0, None))
    bottom.set(ylabel="potential energy (eV)", xlabel="time (ps)")
    bottom.ticklabel_format(axis="y", useOffset=False)
    figure.align_ylabels()
    return _saved(figure, path)


def _figure(width: float, height: float):
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise GapyError(
            'plots: expected matplotlib, it is not installed; pip install "gapy[plot]"'
        ) from error
    # Without pyplot there is no global state, no display and nothing to close.
    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def _saved(figure, path):
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    if path is not None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        write_whole(path, buffer.getvalue())
    return figure


def _legend(figure, ax, n_names: int) -> None:
    handles, names = ax.get_legend_handles_labels()
    legend = figure.legend(
        handles, names, loc="outside right center", frameon=False, fontsize=8, markerscale=2.0,
        ncols=1 + n_names // 24,
    )  # fmt: skip
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)


def _legend_above(ax, handles, names) -> None:
    ax.legend(
        handles, names, frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.98),
        ncols=len(names), borderpad=0.1,
    )  # fmt: skip


def _thinned(index: np.ndarray) -> np.ndarray:
    if len(index) <= N_SCATTER:
        return index
    return np.random.default_rng(0).choice(index, N_SCATTER, replace=False)


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


def _plain_log_ticks(axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _read_log(log) -> dict[str, np.ndarray]:
    try:
        with open(log, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError("no rows")
        return {name: np.array([float(row[name]) for row in rows]) for name in LOG_COLUMNS}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GapyError(f"{log}: expected the md.csv of a run, got: {error!r}") from error
