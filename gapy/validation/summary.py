"""A validation in words and cells, for the page and for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gapy._support.tables import GPA, columns, number, with_bar
from gapy.validation.health.check import Check
from gapy.validation.suites import REFERENCE_FAILS, PropertyRow

ORDER = ("pass", "good", "fail", "failed", "off", "no reference", "not judged", "skipped")


def counted(verdicts: Iterable[str]) -> str:
    """How many of each: "24 pass, 2 fail"."""
    counts = Counter(verdicts)
    return ", ".join(f"{counts[name]} {name}" for name in ORDER if counts[name])


def check_cells(check: Check) -> tuple[str, ...]:
    """name, verdict, value, threshold, unit, note."""
    value = "" if check.value is None else f"{check.value:.3g}"
    threshold = "" if check.threshold is None else f"{check.threshold:g}"
    return check.name, check.verdict, value, threshold, check.unit, check.note


def row_cells(row: PropertyRow) -> tuple[str, ...]:
    """name, verdict, value, bar, reference, difference, unit, note."""
    value, bar = with_bar(row.value, row.std) if row.value is not None else ("", "")
    known, difference = ("" if x is None else f"{x:.5g}" for x in (row.reference, row.difference))
    return row.name, row.verdict, value, bar, known, difference, row.unit, row.note


def errors_cells(report) -> tuple[tuple[str, ...], ...]:
    """One row for each config_type of an evaluation, and one of all."""
    groups = {**report.by_config_type, "all": report.total}
    return tuple(
        (
            name, str(e.n_structures), str(e.n_atoms), number(e.energy_rmse, 1e3, 2),
            number(e.forces_rmse, 1.0, 4), number(e.stress_rmse, GPA, 3),
            number(e.mean_force_std, 1.0, 4),
        )
        for name, e in groups.items()
    )  # fmt: skip


def reasons(validation) -> list[str]:
    """Why checks and properties failed, and references, each reason once: "name: note"."""
    said = {c.note: c.name for c in reversed(validation.checks) if c.verdict == "fail"}
    for row in reversed(validation.rows):
        if row.note and (row.verdict == "failed" or REFERENCE_FAILS in row.note):
            said[row.note] = row.name
    return [f"{name}: {note}" for note, name in reversed(said.items())]


def verdict(validation) -> str:
    """In a word or two: "2 failed", "good", or "nothing judged" where nothing could fail."""
    if validation.failures:
        return f"{len(validation.failures)} failed"
    passed = {*(c.verdict for c in validation.checks), *(r.verdict for r in validation.rows)}
    return "good" if passed & {"pass", "good"} else "nothing judged"


def text(validation) -> str:
    """Tables of checks and properties for a terminal."""
    parts = [validation.source]
    if validation.checks:
        rows = [("health", "verdict", "value", "threshold", "unit")]
        rows += [check_cells(c)[:5] for c in validation.checks]
        parts.append(columns(rows))
    if validation.rows:
        rows = [("property", "verdict", "value", "+-", "reference", "difference", "unit")]
        rows += [row_cells(r)[:7] for r in validation.rows]
        parts.append(columns(rows))
    parts += reasons(validation)
    verdicts = [*(c.verdict for c in validation.checks), *(r.verdict for r in validation.rows)]
    return "\n".join([*parts, counted(verdicts)])
