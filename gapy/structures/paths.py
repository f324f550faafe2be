"""Which files are meant: names, "file@selection", patterns with * ? [ ], directories."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

from gapy._support.files import checked_path
from gapy.errors import StructureError
from gapy.structures.deepmd import is_deepmd
from gapy.structures.labelled import StructureWarning

ENDINGS = (".xyz", ".extxyz", ".traj", ".db", ".xml", ".pwo", ".castep", ".cfg", ".cif", ".vasp")
"""Endings that say structures; .json is not among them, since reports have it too."""
NAMES = ("OUTCAR", "CONTCAR", "POSCAR", "XDATCAR")
COMPRESSED = (".gz", ".bz2", ".xz")
SHOWN = 5  # names of files that are spelled out


def expanded(paths: Iterable[str | os.PathLike]) -> list[str]:
    """One "file" or "file@selection" for each file that is meant, in the order of the names.

    A pattern or a directory gives its files whose names say structures, each with the selection
    that was given; the others are left out with a warning. A name without pattern is kept, known
    or not.

    Raises
    ------
    StructureError : a pattern or directory without such files
    """
    return [name for path in paths for name in _expanded(str(path))]


def input_files(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """The files that `read_structures` would read, without their selections."""
    with warnings.catch_warnings():
        # Said when they are read.
        warnings.simplefilter("ignore", StructureWarning)
        return [split_selection(path)[0] for path in expanded(paths)]


def split_selection(path: str) -> tuple[Path, str | None]:
    """File and selection of "file@selection"; None without one."""
    file = checked_path(path)
    if "@" not in file.name or file.exists():
        return file, None
    path, selection = path.rsplit("@", 1)
    return Path(path), selection


def _expanded(path: str) -> list[str]:
    file, selection = split_selection(path)
    if is_deepmd(file):
        return [path]
    if file.is_dir():
        found = [str(f) for f in sorted(file.iterdir()) if not f.name.startswith(".")]
    elif glob.has_magic(str(file)) and not file.exists():
        found = sorted(glob.glob(str(file), recursive=True))
    else:
        return [path]
    files = [f for f in found if os.path.isfile(f) or is_deepmd(f)]
    known = [f for f in files if _says_structures(f)]
    if not known:
        raise StructureError(
            f"{file}: expected files of structures ({', '.join(ENDINGS)}), got "
            f"{len(files)} others; name the files"
        )
    left_out = [os.path.basename(f) for f in files if f not in known]
    if left_out:
        more = "" if len(left_out) <= SHOWN else f" and {len(left_out) - SHOWN} more"
        warnings.warn(
            f"{file}: {', '.join(left_out[:SHOWN])}{more} left out, whose names do not say "
            "structures; name them to read them",
            StructureWarning,
            stacklevel=3,
        )
    return [f if selection is None else f"{f}@{selection}" for f in known]


def _says_structures(path: str) -> bool:
    if is_deepmd(path):
        return True
    name = os.path.basename(path)
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name.lower().endswith(ENDINGS) or name in NAMES
