"""What a reference may be: labelled structures, a table of numbers, or an ASE calculator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gapy._support.objects import CLASS, constructed
from gapy.errors import GapyError

KINDS = (
    "a file of labelled structures, a JSON table of numbers (names as in the report), a JSON table "
    'with the key "class" and the arguments of an ASE calculator, or the import path of one'
)

FILES = (".json", ".xyz", ".extxyz", ".traj", ".cif", ".db")
"""Ends of names that are of a file, and not an import path."""


@dataclass(frozen=True)
class Reference:
    """What to compare with, at most one of three.

    text: as the user named it. numbers: name of a row -> number. calculator: of ASE. labelled:
    files of labelled structures.
    """

    text: str = "none"
    numbers: Mapping[str, float] | None = None
    calculator: Any = None
    labelled: tuple[str, ...] = field(default=())

    @property
    def of_properties(self):
        """What properties are compared with: a calculator, numbers, or None."""
        return self.calculator if self.calculator is not None else self.numbers


def reference_of(given: str | None) -> Reference:
    """The reference that a text on the command line names.

    Raises GapyError for a table that is none, or what cannot be imported.
    """
    if given is None:
        return Reference()
    path = Path(given.partition("@")[0])
    if path.suffix == ".json" and path.is_file():
        return _of_table(given)
    if path.suffix == ".gapy" or (given and path.is_dir()):
        kind = "directory" if path.is_dir() else "model"
        raise GapyError(f"reference: expected {KINDS}, got {given}, a {kind}; name another")
    if is_file(given):
        return Reference(given, labelled=(given,))
    if "/" in given or "." not in given.strip(".") or path.suffix in FILES:
        raise GapyError(f"reference: expected {KINDS}, got {given!r}, which is no file; correct it")
    return Reference(given, calculator=_calculator(given, {}))


def is_file(given: str | None) -> bool:
    """Whether a reference is read from a file, which no output may replace."""
    return given is not None and Path(given.partition("@")[0]).is_file()


def _of_table(path: str) -> Reference:
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GapyError(f"reference: expected {KINDS}, got {path}: {error}; correct it") from error
    if isinstance(table, dict) and CLASS in table:
        arguments = {key: value for key, value in table.items() if key != CLASS}
        return Reference(path, calculator=_calculator(str(table[CLASS]), arguments))
    numbers = table.get("numbers", table) if isinstance(table, dict) else None
    if not isinstance(numbers, dict) or not numbers or not all(map(_is_number, numbers.values())):
        raise GapyError(
            f"reference: expected names and finite numbers in {path}, or under its key "
            f'"numbers", got {type(table).__name__}; write {{"eos a": 5.43, ...}}'
        )
    return Reference(path, numbers={str(name): float(x) for name, x in numbers.items()})


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def _calculator(path: str, arguments: dict):
    made = constructed(path, arguments, "reference")
    if not callable(getattr(made, "get_potential_energy", None)):
        raise GapyError(
            f"reference: expected what makes an ASE calculator, got {path!r}, which makes "
            f"{type(made).__name__}; correct it"
        )
    return made
