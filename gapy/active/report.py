"""The report of a loop: one HTML file with its pictures inside."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gapy._support.drawing import png
from gapy.active import checkpoint as names
from gapy.active import pictures
from gapy.validation.report_page import Picture, Section, Table, page
from gapy.validation.structure_pictures import structures

logger = logging.getLogger("gapy.active")
LONG_TEXT = 80
HASH = re.compile("[0-9a-f]{64}")


def write(files, store, settings: dict, status: str, reason: str) -> Path | None:
    """Write report.html into the loop's directory; None, and a word, without matplotlib.

    How and when the loop ended, errors found and on the test set, the labelled structures, the
    pictures, the requests that gave no label, and all settings. `settings` is plain data.
    """
    if importlib.util.find_spec("matplotlib") is None:
        logger.warning("no report: matplotlib is not installed (pip install 'gapy[plot]')")
        return None
    rows, failures = store.rows(), store.rows("failure")
    loop, test = (pictures.rows_of(files.path / name) for name in (names.LOOP_CSV, names.TEST_CSV))
    sections = (
        Section("How it went", facts=tuple(_counts(loop, len(failures), status, reason))),
        Section("Errors", facts=tuple(_errors(rows, test))),
        Section(
            "Labelled structures",
            table=_structures(rows),
            pictures=_drawn("Where the model was most wrong", _worst(rows)),
        ),
        Section("Found errors", pictures=tuple(_pictures(rows, loop, test, settings))),
        Section("Requests without a label", table=_failures(failures)),
        Section("Settings", facts=tuple(_flat(settings))),
    )
    text = page(files.path.resolve().name, "gapy learn", sections)
    return files.replace(names.REPORT, text.encode())


def _pictures(rows, loop: list[dict], test: list[dict], settings: dict) -> Iterable[Picture]:
    """Those that there is something to show in, each with its numbers."""
    threshold = settings["policy"]["max_force_std"]
    found = [r for r in rows if "error_max" in r]
    columns = (("sigma_max", "sigma (eV/A)"), ("error_max", "largest error (eV/A)"))
    columns += (("error_rms", "RMSE (eV/A)"),)
    for title, ax, numbers in (
        (
            "Found force error against the predicted sigma",
            pictures.found_errors(rows, threshold),
            {title: [float(r[key]) for r in found] for key, title in columns},
        ),
        ("Labels over time", pictures.labels_over_time(loop), _columns(loop)),
        ("Errors on the test set", pictures.learning_curve(test), _columns(test)),
    ):
        if ax is not None:
            yield Picture(title, png(ax.figure), numbers)


def _columns(rows: list[dict]) -> dict[str, list[str]]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _worst(rows) -> dict:
    """Structures with the largest force errors, under their captions."""
    found = sorted((r for r in rows if "error_max" in r), key=lambda r: -r.error_max)
    return {
        f"{r.walker}, request {r.request}: {r.error_max:.2g} eV/A": r.toatoms() for r in found[:3]
    }


def _drawn(caption: str, named: dict) -> tuple[Picture, ...]:
    return (Picture(caption, png(structures(named))),) if named else ()


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


def _structures(rows) -> Table | None:
    """One line for each walker, origin and composition, in the order of the first label."""
    groups: dict[tuple, list] = {}
    for row in rows:
        groups.setdefault((row.walker, row.origin, row.formula), []).append(row)
    if not groups:
        return None
    head = ("walker", "asked because", "structure", "atoms", "labels", "temperature (K)")
    lines = []
    why = {"initial": "to begin with", "flag": "sigma was large", "start": "lost at its start"}
    for (walker, origin, formula), group in groups.items():
        kelvin = [r.temperature for r in group if "temperature" in r]
        span = f"{min(kelvin):.0f} to {max(kelvin):.0f}" if kelvin else ""
        lines.append(
            (walker, why.get(origin, origin), formula, str(group[0].natoms), str(len(group)), span)
        )
    return Table(head, tuple(lines))


def _failures(rows) -> Table:
    lines = ((str(r.request), r.walker, r.failure, r.data["reason"]) for r in rows)
    return Table(("request", "walker", "kind", "reason"), tuple(lines))


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
