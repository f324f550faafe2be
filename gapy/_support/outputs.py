"""Outputs that may be written: none of them is an input or another kind of file.

A shell turns `-o *.xyz` into an output and inputs: the first structure file would be replaced by a
model. So what exists is looked at before it is replaced, and before the work begins.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gapy._support.files import checked_path, is_device, require_directory, require_writable
from gapy.errors import GapyError


@dataclass(frozen=True)
class Kind:
    """What a command writes: its name, and whether an existing file is one."""

    name: str
    matches: Callable[[Path], bool]


@dataclass(frozen=True)
class Output:
    """A file that a command would write: the option that names it, its path and kind.

    kind: None for a file in a directory that has rules of its own (a run that is continued).
    directory: the directory that the option names, made if missing; None if it names the file.
    """

    option: str
    path: Path
    kind: Kind | None = None
    directory: Path | None = None


def output_file(option: str, path, kind: Kind) -> list[Output]:
    """The one file that an option names; none for None."""
    return [] if path is None else [Output(option, checked_path(path), kind)]


def output_files(option: str, directory, names: Iterable[str], kind=None) -> list[Output]:
    """The files in a directory that an option names; none for None."""
    if directory is None:
        return []
    directory = checked_path(directory)
    return [Output(option, directory / name, kind, directory) for name in names]


def require_outputs(outputs: Iterable[Output], inputs: Iterable) -> None:
    """Refuse outputs that would destroy something, or cannot be written.

    Raises
    ------
    GapyError : an output is an input (by name, link or hard link) or another output, exists as
        another kind of file, or cannot be written
    """
    outputs, inputs = list(outputs), [checked_path(path) for path in inputs]
    for k, output in enumerate(outputs):
        for path in inputs:
            if _same(output.path, path):
                raise GapyError(
                    f"{output.option}: {output.path} is an input ({path}) and would be lost; name "
                    "another place"
                )
        for other in outputs[:k]:
            if _same(output.path, other.path):
                raise GapyError(
                    f"{output.option}: {output.path} is the file of {other.option} too; name "
                    "another one"
                )
        if output.directory is not None:
            require_directory(output.directory)
        if output.kind is not None:
            _require_kind(output)
        if output.directory is None:
            require_writable(output.path)


def require_own(directory, names: Iterable[str], marks: Iterable[str], what: str) -> None:
    """Refuse a directory with files under our names that we did not write.

    marks: files of which there is one wherever we have written before.
    """
    directory = checked_path(directory)
    if any((directory / mark).exists() for mark in marks):
        return
    present = [name for name in names if (directory / name).exists()]
    if present:
        raise GapyError(
            f"directory {directory} holds {', '.join(present)}, but not of {what}, and would lose "
            "it; choose another directory"
        )


def _require_kind(output: Output) -> None:
    path = output.path
    if not path.is_file() or path.stat().st_size == 0 or output.kind.matches(path):
        return
    raise GapyError(
        f"{output.option}: {path} exists and is not {output.kind.name}, which would replace it; "
        "name another file, or remove it first"
    )


def _same(a: Path, b: Path) -> bool:
    """Whether two names are one file; devices hold nothing that could be lost."""
    if is_device(a) or is_device(b):
        return False
    if a.exists() and b.exists():
        return a.samefile(b)
    return os.path.realpath(a) == os.path.realpath(b)


def _begins(path: Path, n: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(n)


def _is_model(path: Path) -> bool:
    """Whether a file begins as those of gapy.model.modelfile do, be it damaged further on."""
    return _begins(path, 41)[:4] == b"PK\x03\x04" and _begins(path, 41)[30:] == b"header.json"


def _is_chemiscope(path: Path) -> bool:
    """Whether a file is a data set of chemiscope, as it is or compressed."""
    opened = gzip.open if _begins(path, 2) == b"\x1f\x8b" else open
    try:
        with opened(path, "rb") as file:
            found = json.loads(file.read())
    except (OSError, EOFError, ValueError):
        return False
    return isinstance(found, dict) and {"meta", "structures", "properties"} <= set(found)


def _json_with(*keys: str) -> Callable[[Path], bool]:
    """Whether a file is JSON with these keys."""

    def holds(path: Path) -> bool:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return False
        return isinstance(found, dict) and set(keys) <= set(found)

    return holds


def _is_extxyz(path: Path) -> bool:
    """Whether a file begins with a number of atoms and a comment that lists its columns."""
    with open(path, "rb") as file:
        first, comment = file.readline(40), file.readline(100_000)
    return first.strip().isdigit() and b"Properties=" in comment


def _is_png(path: Path) -> bool:
    return _begins(path, 8) == b"\x89PNG\r\n\x1a\n"


def _is_log(path: Path) -> bool:
    return _begins(path, 7) == b"# gapy "


def _is_page(path: Path) -> bool:
    return _begins(path, 15) == b"<!doctype html>" and b"gapy" in _begins(path, 20_000)


MODEL = Kind("a gapy model file", _is_model)
REPORT = Kind("a report of gapy as JSON", _json_with("n_structures", "n_atoms"))
NUMBERS = Kind("properties of gapy as JSON", _json_with("property", "numbers"))
PAGE = Kind("a report page of gapy", _is_page)
VALIDATION = Kind("a validation of gapy as JSON", _json_with("gapy", "health", "properties"))
CHEMISCOPE = Kind("a data set of chemiscope", _is_chemiscope)
STRUCTURES = Kind("structures as extxyz", _is_extxyz)
PICTURE = Kind("a PNG picture", _is_png)
LOG = Kind("a log of gapy", _is_log)
