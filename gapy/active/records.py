"""Rows of the loop's log files, and the comparison of two loops' settings."""

from __future__ import annotations

import csv
import io
import math

from gapy.active import checkpoint as names
from gapy.active.labels import Label, label_error
from gapy.active.parts import Progress
from gapy.active.walkers import Tally
from gapy.errors import GapyError

LABEL_COLUMNS = (
    "request", "outcome", "origin", "walker", "explorer", "step", "time_ps", "temperature_K",
    "model_version", "sigma_max_eV_per_A", "error_max_eV_per_A", "error_rms_eV_per_A",
    "oracle_seconds", "total_steps", "total_ps", "reason",
)  # fmt: skip
LOOP_COLUMNS = (
    "version", "n_labels", "total_steps", "total_ps", "flagged_steps", "duplicates", "abandoned",
    "share_without_label", "sigma_max_eV_per_A",
    "explore_s", "label_s", "update_s", "other_s",
)  # fmt: skip
TEST_COLUMNS = (
    "n_structures", "n_labels", "energy_rmse_eV_per_atom", "forces_rmse_eV_per_A",
    "mean_force_std_eV_per_A",
)  # fmt: skip
COLUMNS = {
    names.LABELS_CSV: LABEL_COLUMNS,
    names.LOOP_CSV: LOOP_COLUMNS,
    names.TEST_CSV: TEST_COLUMNS,
}


def header(columns) -> bytes:
    """The first line of a log."""
    return _line(columns)


def label_row(number: int, request, outcome, tally: Tally) -> bytes:
    """One request and what came of it; `tally`: of the loop until then."""
    error = label_error(outcome, request.forces) if isinstance(outcome, Label) else None
    return _line(
        (
            number,
            "label" if isinstance(outcome, Label) else outcome.kind,
            request.origin,
            request.walker,
            request.explorer,
            request.step,
            request.time_ps,
            request.temperature,
            request.model_version,
            request.max_force_std,
            *(error or (None, None)),
            outcome.seconds,
            tally.steps,
            tally.ps,
            getattr(outcome, "reason", ""),
        )
    )


def loop_row(progress: Progress) -> bytes:
    """Where the loop stands."""
    t = progress.tally
    return _line(
        (
            progress.version, progress.n_labels, t.steps, t.ps, t.flagged, t.duplicates,
            t.abandoned, progress.share_without_label, progress.sigma,
            *(progress.seconds[k] for k in ("explore", "label", "update", "other")),
        )
    )  # fmt: skip


def test_row(n_structures: int, n_labels: int, errors) -> bytes:
    """One point of the learning curve: errors of a model that knows so many structures."""
    return _line(
        (
            n_structures,
            n_labels,
            errors.energy_rmse,
            errors.forces_rmse,
            errors.mean_force_std,
        )
    )


def require_same(stored: dict, given: dict, path) -> None:
    """GapyError that names what differs between a loop and the settings it is resumed with."""
    differing = [
        f"{name}: stored {_short(stored.get(name))}, given {_short(given.get(name))}"
        for name in sorted(stored.keys() | given.keys())
        if name != "threads" and stored.get(name) != given.get(name)
    ]
    if differing:
        raise GapyError(
            f"{path} holds a loop with other settings ({'; '.join(differing)}); resume it with the "
            "same ones (budget, stop and workers may change) or choose another directory"
        )


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _line(values) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_cell(v) for v in values])
    return text.getvalue().encode()


def _cell(value):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
