"""The table of a search: one row per candidate and round, on disk as soon as it is known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from gapy._support.files import write_whole
from gapy.errors import GapyError
from gapy.tuning.candidates import NAMES, Candidate

JSON, CSV = "results.json", "results.csv"
FORMAT = 2


@dataclass(frozen=True)
class Row:
    """One candidate in one round.

    stage: "coarse", "fine" (on n_structures of the data) or "final". energy_rmse eV/atom,
    forces_rmse eV/A, of unseen labels; log_likelihood per label; error: what is minimised;
    us_per_atom: time of a force call, one thread, and cost_ratio: the same over the reference
    work timed beside it; fit_seconds. What is unknown is None; `note` says why a fit failed.
    """

    stage: str
    n_structures: int
    candidate: Candidate
    energy_rmse: float | None = None
    forces_rmse: float | None = None
    log_likelihood: float | None = None
    error: float | None = None
    us_per_atom: float | None = None
    cost_ratio: float | None = None
    fit_seconds: float | None = None
    note: str = ""

    def to_dict(self) -> dict:
        """Plain values, the settings of the candidate among them."""
        out = {}
        for f in fields(self):
            value = getattr(self, f.name)
            out.update(value.to_dict() if f.name == "candidate" else {f.name: value})
        return out


def same_fit(candidate: Candidate, most: int) -> Candidate:
    """Equal for candidates that give the same model where a species has at most so many atoms."""
    return replace(candidate, n_inducing=min(candidate.n_inducing, most))


class Table:
    """Rows of a search and the directory they are kept in; None keeps them in memory.

    Raises
    ------
    GapyError : the directory holds results of other settings or data, or cannot be used
    """

    def __init__(self, directory, settings: Mapping, *, overwrite: bool = False):
        self.directory = None if directory is None else Path(directory)
        self.settings = json.loads(json.dumps(settings))
        self.rows: list[Row] = []
        if self.directory is None:
            return
        if self.directory.exists() and not self.directory.is_dir():
            raise GapyError(f"{self.directory}: expected a directory for results, got a file")
        self.directory.mkdir(parents=True, exist_ok=True)
        if not overwrite and (self.directory / JSON).exists():
            self._resume()
        self._write()

    def find(self, stage: str, n_structures: int, candidate: Candidate, most: int) -> Row | None:
        """The row of a candidate scored on so many structures, in this round or another one.

        More inducing points than there are atoms of a species, `most`, give the same model.
        """
        for row in self.rows:
            same = same_fit(row.candidate, most) == same_fit(candidate, most)
            if row.n_structures == n_structures and same:
                return replace(row, stage=stage, candidate=candidate)
        return None

    def add(self, row: Row) -> None:
        """Append a row and write both files, whole."""
        self.rows.append(row)
        self._write()

    def _resume(self) -> None:
        path = self.directory / JSON
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            settings, rows = held["settings"], [_row(values) for values in held["rows"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GapyError(
                f"{path}: expected the results of a search, got: {error!r}; choose another "
                "directory or overwrite it"
            ) from error
        names = [
            n for n in {**settings, **self.settings} if settings.get(n) != self.settings.get(n)
        ]
        if names:
            name = names[0]
            raise GapyError(
                f"{path}: these results are of another search: {name} was "
                f"{_short(settings.get(name))}, is {_short(self.settings.get(name))}; choose "
                "another directory or overwrite it"
            )
        self.rows = rows

    def _write(self) -> None:
        if self.directory is None:
            return
        rows = [row.to_dict() for row in self.rows]
        text = json.dumps({"settings": self.settings, "rows": rows}, indent=1, allow_nan=False)
        write_whole(self.directory / JSON, (text + "\n").encode())
        table = io.StringIO()
        writer = csv.DictWriter(table, list(Row("", 0, _EMPTY).to_dict()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.directory / CSV, table.getvalue().encode())


_EMPTY = Candidate(0.0, 0.0, 0, 0, 0, 0)


def _row(values: Mapping) -> Row:
    of = {name: values[name] for name in NAMES if name in values}
    candidate = Candidate(**{**of, "n_components": str(of["n_components"])})
    return Row(candidate=candidate, **{k: v for k, v in values.items() if k not in NAMES})


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
