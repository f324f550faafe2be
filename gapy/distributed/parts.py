"""Sources of structures cut into parts of about the same work, whatever the number of workers."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import NamedTuple

from gapy.errors import GapyError, StructureError
from gapy.fit.estimate import ATOMS_OF_A_PART
from gapy.structures import frame_sizes
from gapy.structures.paths import expanded, split_selection


class Part(NamedTuple):
    """Frames start..stop-1 of a file."""

    path: str
    start: int
    stop: int


def files_of(sources) -> list[str]:
    """The files that names, patterns and directories stand for.

    Raises StructureError for none, or a selection of frames.
    """
    names = expanded([sources] if isinstance(sources, str | PathLike) else sources)
    for name in names:
        if split_selection(name)[1] is not None:
            raise StructureError(
                f"{name}: expected whole files for work on workers, got a selection of frames; "
                "write them to a file of their own"
            )
    if not names:
        raise StructureError("sources: expected at least one file, got none; name a file")
    return names


def parts_of(path: str, sizes: list[int], atoms: int = ATOMS_OF_A_PART) -> list[Part]:
    """A file with frames of so many atoms, cut where a part has enough of them."""
    parts, start, held = [], 0, 0
    for k, n in enumerate(sizes):
        held += n
        if held >= atoms:
            parts.append(Part(path, start, k + 1))
            start, held = k + 1, 0
    if held:
        parts.append(Part(path, start, len(sizes)))
    return parts


def parts_among(client, files: Sequence[str], atoms: int = ATOMS_OF_A_PART) -> list[Part]:
    """All parts of some files in their order, counted by the workers; GapyError for none."""
    sizes = client.gather([client.submit(frame_sizes, name, pure=False) for name in files])
    parts = [part for name, of in zip(files, sizes) for part in parts_of(name, of, atoms)]
    if not parts:
        raise GapyError("sources: expected structures, got none; name other files")
    return parts
