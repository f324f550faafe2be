"""Reading labelled structures from files that ASE or dpdata understands."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from os import PathLike
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from ase.db.row import AtomsRow
from ase.io import iread
from ase.io.formats import filetype, open_with_compression, string2index

from gapy.errors import GapyError, StructureError
from gapy.structures.deepmd import FORMAT, is_deepmd, read_deepmd
from gapy.structures.labelled import LabelKeys, LabelledStructure
from gapy.structures.lookup import DEFAULT_KEYS, label_sources, make_source
from gapy.structures.parts import Found, label_part
from gapy.structures.paths import expanded, split_selection

DATABASES = ("db", "json")


def read_structures(
    paths: str | PathLike | Iterable[str | PathLike],
    keys: LabelKeys = DEFAULT_KEYS,
    *,
    index: str | int | slice = ":",
) -> list[LabelledStructure]:
    """Read structures and their labels from one file or several.

    Extended XYZ, ASE trajectories, ASE databases (key-value pairs and data become info and arrays),
    every other format of ``ase.io.read``, and directories of DeePMD (by dpdata). ASE does not write
    arrays of its user, REF_forces say, to a trajectory: forces reach one only as calculator
    results.

    A directory or a pattern ("data/*.xyz") stands for its files with known endings, and its
    systems of DeePMD.
    ``file.xyz@0:10`` takes a slice of that file in place of ``index``; a database also takes a
    selection, ``file.db@natoms=8``.

    Labels are found as in :func:`from_atoms`, and each file decides by itself on the use of
    calculator results.

    Raises
    ------
    StructureError : a file is missing, empty or unreadable, a slice takes nothing, or the labels
        cannot be found
    """
    paths = [paths] if isinstance(paths, str | PathLike) else list(paths)
    if not paths:
        raise StructureError("paths: expected at least one file, got none; name a file")
    sources = []
    for path in expanded(paths):
        file, selection = _selected(path, index)
        sources.append(make_source(file.name, _read_file(file, selection)))
    return label_sources(sources, keys)


def read_part(
    path: str | PathLike, start: int, stop: int, keys: LabelKeys = DEFAULT_KEYS
) -> tuple[list[LabelledStructure], Found]:
    """Frames start..stop-1 of a file, without reading the others, and where their labels are.

    What `read_structures` asks of all files together, such as that a key which was given occurs in
    some frame, is not asked of a part: see `require_found`. Of an ASE database the rows with ids
    start + 1..stop.

    Raises StructureError as `read_structures` does.
    """
    file = Path(path)
    read: list[Atoms] = []
    try:
        format_name = _format(file)
        if format_name in DATABASES:
            stream = _rows(file, f"id>{start},id<={stop}")
        else:
            part = slice(start, stop)
            stream = _read(file, format_name, part)
        with closing(stream):
            read.extend(stream)
    except GapyError:
        raise
    except Exception as error:  # every format raises its own kinds
        raise _unreadable(file, start + len(read), error) from error
    source = make_source(file.name, enumerate(read, start))
    return label_part(source, keys)


def frame_sizes(path: str | PathLike) -> list[int]:
    """Number of atoms of every frame of a file, one frame at a time in memory.

    Of an ASE database by id, 0 for an id that is free. Raises StructureError as `read_structures`.
    """
    file = Path(path)
    _require_content(file)
    sizes: list[int] = []
    try:
        format_name = _format(file)
        if format_name == "extxyz":
            return _frame_sizes(file)
        if format_name in DATABASES:
            with ase.db.connect(str(file), serial=True) as database:
                rows = {r.id: r.natoms for r in database.select(include_data=False)}
            return [rows.get(i, 0) for i in range(1, max(rows, default=0) + 1)]
        with closing(_frames(file, format_name)) as stream:
            sizes.extend(map(len, stream))
    except GapyError:
        raise
    except Exception as error:
        raise _unreadable(file, len(sizes), error) from error
    return sizes


def read_atoms(path: str | PathLike, *, index: str | int | slice = ":") -> list[Atoms]:
    """Read structures without asking for labels; files and selections as in read_structures.

    Raises
    ------
    StructureError : the file is missing, empty or unreadable, or the selection takes nothing
    """
    return [atoms for name in expanded([path]) for _, atoms in _read_file(*_selected(name, index))]


def _selected(path: str, index: str | int | slice) -> tuple[Path, str | slice]:
    """File and selection of "file@selection": a slice, or the query of a database."""
    file, own = split_selection(path)
    index = index if own is None else own
    selection = index
    if isinstance(index, str):
        try:
            selection = string2index(index)
        except ValueError:
            raise _bad_index(file, index) from None
    if isinstance(selection, int):
        selection = slice(selection, selection + 1 or None)
    if isinstance(selection, slice) and selection.step == 0:
        raise _bad_index(file, index)
    return file, selection


def _bad_index(file: Path, index: object) -> StructureError:
    return StructureError(
        f"{file.name}: index expected as in 3, -1, 0:10 or ::5, got {index!r}; correct it"
    )


def _read_file(file: Path, selection: str | slice) -> list[tuple[int, Atoms]]:
    """(frame index in the file, atoms) of the frames that the selection takes."""
    _require_content(file)
    read = []
    try:
        format_name = _format(file)
        query = ""
        if isinstance(selection, str):
            if format_name not in DATABASES:
                raise _bad_index(file, selection)
            query, selection = selection, slice(None)
        if format_name == "extxyz":
            _frame_sizes(file)
        stream = _rows(file, query) if format_name in DATABASES else _frames(file, format_name)
        with closing(stream):
            read.extend(islice(stream, _last(selection)))
    except GapyError:
        raise
    except Exception as error:  # every format raises its own kinds
        raise _unreadable(file, len(read), error) from error
    frames = list(enumerate(read))[selection]
    if not frames:
        raise StructureError(
            f"{file.name}: expected structures in the selection {query or selection}, got none "
            f"of {len(read)} read; choose others"
        )
    return frames


def _format(file: Path) -> str:
    return FORMAT if is_deepmd(file) else filetype(str(file))


def _require_content(file: Path) -> None:
    if is_deepmd(file):
        return
    if not file.is_file():
        raise StructureError(f"{file.name}: expected a file, found none; correct the path")
    if file.stat().st_size == 0:
        raise StructureError(f"{file.name}: expected structures, got an empty file; write it again")


def _unreadable(file: Path, frame: int, error: Exception) -> StructureError:
    return StructureError(
        f"{file.name} frame {frame}: expected what ase.io.read understands, got "
        f"{type(error).__name__}: {error}; correct or remove the frame"
    )


def _last(selection: slice) -> int | None:
    """Number of frames to read; None when the selection counts from the end."""
    start, stop, step = selection.start or 0, selection.stop, selection.step or 1
    return stop if stop is not None and min(start, stop, step) >= 0 else None


def _frames(file: Path, format_name: str) -> Iterator[Atoms]:
    return _read(file, format_name, ":")


def _read(file: Path, format_name: str, index: str | slice) -> Iterator[Atoms]:
    if format_name == FORMAT:
        frames = read_deepmd(file)
        return (frames[i] for i in range(*_slice(index).indices(len(frames))))
    # Under MPI, ASE would read on one rank and wait for the others, which have other work.
    return iread(
        str(file), index=index, format=format_name, parallel=False, do_not_split_by_at_sign=True
    )


def _slice(index: str | slice) -> slice:
    return slice(None) if isinstance(index, str) else index


def _rows(file: Path, query: str) -> Iterator[Atoms]:
    with ase.db.connect(str(file), serial=True) as database:
        for row in database.select(query):
            yield _row_atoms(row)


def _row_atoms(row: AtomsRow) -> Atoms:
    """A database row with its key-value pairs and data as info, per-atom vectors as arrays."""
    atoms = row.toatoms()
    atoms.info.update(row.key_value_pairs)
    for key, value in row.data.items():
        if np.shape(value) == (len(atoms), 3):
            atoms.arrays[key] = np.asarray(value)
        else:
            atoms.info[key] = value
    return atoms


def _frame_sizes(file: Path) -> list[int]:
    """Atoms of each frame, by a look at the headers alone, before ASE is let loose on them.

    ASE takes a blank line between two frames for the end of the file and drops the rest, and goes
    through as many lines as a number of atoms promises, be there so many or not.
    """
    with open_with_compression(str(file), "r") as lines:
        sizes: list[int] = []
        while (header := next(lines, "").strip()).isdigit():
            n_atoms = int(header)
            n_lines = sum(1 for _ in islice(lines, min(n_atoms + 1, sys.maxsize)))
            if n_lines <= n_atoms:
                raise StructureError(
                    f"{file.name} frame {len(sizes)}: expected {n_atoms} atoms, got "
                    f"{max(n_lines - 1, 0)} lines; correct the number or remove the frame"
                )
            sizes.append(n_atoms)
        if not header and any(line.strip() for line in lines):
            raise StructureError(
                f"{file.name} frame {len(sizes)}: expected a number of atoms, got a blank line; "
                "remove the line"
            )
    return sizes
