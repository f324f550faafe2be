"""The report of a loop: one HTML file with its pictures inside."""

from __future__ import annotations

import base64
import csv
import html
import importlib.metadata
import importlib.util
import logging
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

import gapy
from gapy._support.drawing import png
from gapy.active import checkpoint as names
from gapy.active import pictures

logger = logging.getLogger("gapy.active")
PACKAGES = ("ase", "dscribe", "numpy", "numba")
"""Whose versions decide what a loop does."""
LONG_TEXT = 80
HASH = re.compile("[0-9a-f]{64}")
STYLE = (
    "body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "div{overflow-x:auto}td,th{padding:.1em 1.2em .1em 0;text-align:left;vertical-align:top}"
    "td{overflow-wrap:anywhere}img{max-width:100%}p{color:#555}"
)


def write(files, store, settings: dict, status: str, reason: str) -> Path | None:
    """Write report.html into the loop's directory; None, and a word, without matplotlib.

    How and when the loop ended, errors found and on the test set, the labelled structures, the
    pictures, the requests that gave no label, and all settings. `settings` is plain data.
    """
    if importlib.util.find_spec("matplotlib") is None:
        logger.warning("no report: matplotlib is not installed (pip install 'gapy[plot]')")
        return None
    rows, failures = store.rows(), store.rows("failure")
    loop, test = (_table(files.path / name) for name in (names.LOOP_CSV, names.TEST_CSV))
    figures = [
        (
            "Found force error against the predicted sigma",
            pictures.found_errors(rows, settings["policy"]["max_force_std"]),
        ),
        ("Labels over time", pictures.labels_over_time(loop)),
        ("Errors on the test set", pictures.learning_curve(test)),
    ]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>gapy learn</title>",
        "<meta name='viewport' content='width=device-width'>",
        f"<style>{STYLE}</style>",
        f"<h1>{html.escape(files.path.resolve().name)}</h1>",
        f"<p>{html.escape(_made())}</p>",
        _section("How it went", _facts(_counts(loop, len(failures), status, reason))),
        _section("Errors", _facts(_errors(rows, test))),
        _section("Labelled structures", _rows(_structures(rows))),
    ]
    for title, figure in figures:
        if figure is not None:
            image = base64.b64encode(png(figure)).decode()
            parts.append(f"<h2>{title}</h2><img alt='{title}' src='data:image/png;base64,{image}'>")
    parts.append(_section("Requests without a label", _rows(_failures(failures))))
    parts.append(_section("Settings", _facts(_flat(settings))))
    return files.replace(names.REPORT, "\n".join(parts).encode())


# -- what is told ------------------------------------------------------------------------------


def _made() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")
    return f"gapy {gapy.__version__}, {when}; Python {platform.python_version()}, {versions}"


def _counts(loop: list[dict], n_failures: int, status: str, reason: str):
    yield "ended", f"{status}: {reason}"
    if not loop:
        return
    last = loop[-1]
    yield "labels", last["n_labels"]
    yield "requests without a label", str(n_failures)
    yield "fits of the model", last["version"]
    yield "steps", last["total_steps"]
    if float(last["total_ps"]):
        yield "simulated time", f"{float(last['total_ps']):.4g} ps"
    if last["share_without_label"]:
        yield "steps without a label", f"{100 * float(last['share_without_label']):.2f} %"
    yield "walkers sent back to their start", last["abandoned"]
    times = (("exploring", "explore"), ("labelling", "label"), ("updating", "update"))
    for what, column in (*times, ("anything else", "other")):
        yield f"time {what}", duration(float(last[f"{column}_s"]))


def duration(seconds: float) -> str:
    """A time as one reads it: 0.3 s, 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _errors(rows, test: list[dict]):
    found = [r for r in rows if "error_max" in r]
    if found:
        largest = np.array([r.error_max for r in found])
        rms = np.array([r.error_rms for r in found])
        energy = 1e3 * np.array([r.error_energy for r in found])
        yield "labels that a model had predicted", str(len(found))
        yield "force RMSE found there, median and largest", _pair(rms, "eV/Å")
        yield "largest force error of an atom there", _pair(largest, "eV/Å")
        yield "energy error there", _pair(energy, "meV/atom")
    if test:
        last = test[-1]
        for name, column, scale, unit in (
            ("energy RMSE on the test set", "energy_rmse_eV_per_atom", 1e3, "meV/atom"),
            ("force RMSE on the test set", "forces_rmse_eV_per_A", 1.0, "eV/Å"),
            ("mean force sigma on the test set", "mean_force_std_eV_per_A", 1.0, "eV/Å"),
        ):
            if last[column]:
                yield name, f"{scale * float(last[column]):.3g} {unit}"


def _pair(values: np.ndarray, unit: str) -> str:
    return f"{np.median(values):.3g}, {values.max():.3g} {unit}"


def _structures(rows) -> list[Sequence[str]]:
    """One line for each walker, origin and composition, in the order of the first label."""
    groups: dict[tuple, list] = {}
    for row in rows:
        groups.setdefault((row.walker, row.origin, row.formula), []).append(row)
    if not groups:
        return []
    lines = [("walker", "asked because", "structure", "atoms", "labels", "temperature (K)")]
    why = {"initial": "to begin with", "flag": "sigma was large", "start": "lost at its start"}
    for (walker, origin, formula), group in groups.items():
        kelvin = [r.temperature for r in group if "temperature" in r]
        span = f"{min(kelvin):.0f} to {max(kelvin):.0f}" if kelvin else ""
        lines.append(
            (walker, why.get(origin, origin), formula, str(group[0].natoms), str(len(group)), span)
        )
    return lines


def _failures(rows) -> list[Sequence[str]]:
    if not rows:
        return []
    lines = [(str(r.request), r.walker, r.failure, r.data["reason"]) for r in rows]
    return [("request", "walker", "kind", "reason"), *lines]


def _flat(value, name: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings as dotted names and values; those of their defaults that are None vanish."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for k, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{name} {k}")
    elif value is not None and value != {}:
        text = str(value)
        if HASH.fullmatch(text):
            text = f"SHA-256 {text[:12]}..."
        yield name, text if len(text) <= LONG_TEXT else text[: LONG_TEXT - 3] + "..."


# -- HTML --------------------------------------------------------------------------------------


def _section(title: str, table: str) -> str:
    return f"<h2>{title}</h2><div>{table}</div>" if table else ""


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    cells = [f"<tr><th>{html.escape(n)}</th><td>{html.escape(v)}</td></tr>" for n, v in facts]
    return "<table>" + "".join(cells) + "</table>" if cells else ""


def _rows(lines: list[Sequence[str]]) -> str:
    """A table whose first line is its head."""
    out = []
    for k, line in enumerate(lines):
        tag = "td" if k else "th"
        cells = "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in line)
        out.append(f"<tr>{cells}</tr>")
    return "<table>" + "".join(out) + "</table>" if out else ""


def _table(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
