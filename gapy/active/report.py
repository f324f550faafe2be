"""The report of a loop: one HTML file with its pictures inside."""

from __future__ import annotations

import base64
import csv
import html
import importlib.util
import io
import logging
from pathlib import Path

import numpy as np

from gapy.active import state as names

logger = logging.getLogger("gapy.active")
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"  # Okabe and Ito


def write(files, store, max_force_std: float) -> Path | None:
    """Write report.html into the loop's directory; None, and a word, without matplotlib.

    Found error against predicted sigma at each label, labels over time, the learning curve if
    there is a test set, and the requests that gave no label.
    """
    if importlib.util.find_spec("matplotlib") is None:
        logger.warning("no report: matplotlib is not installed (pip install 'gapy[plot]')")
        return None
    rows = store.rows()
    figures = [
        ("Found force error against the predicted sigma", _errors(rows, max_force_std)),
        ("Labels over time", _labels(_table(files.path / names.LOOP_CSV))),
        ("Errors on the test set", _curve(_table(files.path / names.TEST_CSV))),
    ]
    parts = [
        "<!doctype html><meta charset='utf-8'><title>gapy learn</title>",
        "<style>body{font:15px sans-serif;max-width:52em;margin:2em auto}"
        "td,th{padding:0 1em 0 0;text-align:left}img{max-width:100%}</style>",
        f"<h1>{html.escape(files.path.name)}</h1>",
        *_counts(_table(files.path / names.LOOP_CSV), store),
    ]
    for title, figure in figures:
        if figure is not None:
            parts.append(
                f"<h2>{title}</h2><img alt='{title}' src='data:image/png;base64,{figure}'>"
            )
    parts += _failures(store.rows("failure"))
    return files.replace(names.REPORT, "\n".join(parts).encode())


def _counts(loop: list[dict], store) -> list[str]:
    if not loop:
        return []
    last = loop[-1]
    shown = {
        "labels": last["n_labels"],
        "requests without a label": store.n_failures,
        "fits of the model": last["version"],
        "steps": last["total_steps"],
        "simulated time, ps": last["total_ps"],
        "share of steps without a label": last["share_without_label"],
        "walkers sent back to their start": last["abandoned"],
        "seconds exploring / labelling / updating / other": " / ".join(
            last[k] for k in ("explore_s", "label_s", "update_s", "other_s")
        ),
    }
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in shown.items()
    )
    return ["<table>", *cells, "</table>"]


def _failures(rows) -> list[str]:
    if not rows:
        return []
    lines = (
        f"<tr><td>{row.request}</td><td>{html.escape(row.walker)}</td>"
        f"<td>{html.escape(row.failure)}</td><td>{html.escape(row.data['reason'])}</td></tr>"
        for row in rows
    )
    head = "<tr><th>request</th><th>walker</th><th>kind</th><th>reason</th></tr>"
    return ["<h2>Requests without a label</h2><table>", head, *lines, "</table>"]


def _errors(rows, max_force_std: float) -> str | None:
    found = [(r.sigma_max, r.error_max, r.error_rms) for r in rows if "error_max" in r]
    if not found:
        return None
    sigma, largest, rms = np.array(found).T
    axes = _axes()
    axes.plot(sigma, largest, "o", color=ORANGE, label="largest error of an atom", ms=4)
    axes.plot(sigma, rms, "o", color=BLUE, label="RMSE per component", ms=4)
    ends = np.array([min(sigma.min(), max_force_std), sigma.max()])
    axes.plot(ends, ends, "-", color="0.5", label="error = sigma")
    axes.axvline(max_force_std, color="0.7", ls="--", label="max_force_std")
    axes.set(
        xlabel="largest predicted force sigma, eV/Å",
        ylabel="found force error, eV/Å",
        xscale="log",
        yscale="log",
    )
    return _png(axes)


def _labels(loop: list[dict]) -> str | None:
    if not loop:
        return None
    in_time = any(float(row["total_ps"]) for row in loop)
    x = [float(row["total_ps" if in_time else "total_steps"]) for row in loop]
    axes = _axes()
    axes.step(x, [int(row["n_labels"]) for row in loop], where="post", color=BLUE)
    axes.set(
        xlabel="simulated time of all walkers, ps" if in_time else "steps of all walkers",
        ylabel="labels",
    )
    return _png(axes, legend=False)


def _curve(test: list[dict]) -> str | None:
    if not test:
        return None
    axes = _axes()
    n = [int(row["n_structures"]) for row in test]
    for column, color, label in (
        ("forces_rmse_eV_per_A", BLUE, "force RMSE"),
        ("mean_force_std_eV_per_A", GREEN, "mean predicted sigma"),
    ):
        if all(row[column] for row in test):
            axes.plot(n, [float(row[column]) for row in test], "o-", color=color, label=label)
    axes.set(xlabel="labelled structures", ylabel="eV/Å", yscale="log")
    return _png(axes)


def _axes():
    # Without pyplot: no global state, no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def _png(axes, legend: bool = True) -> str:
    if legend:
        axes.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    axes.figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def _table(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
