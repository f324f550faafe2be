"""What a loop writes, and that it destroys nothing that its own file names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gapy._support.files import checked_path
from gapy._support.outputs import Output, output_files, require_outputs, require_own
from gapy.active import checkpoint as names
from gapy.structures import input_files

WRITTEN = (
    names.STATE,
    names.LABELS_CSV,
    names.LOOP_CSV,
    names.TEST_CSV,
    names.MODEL,
    names.DATABASE,
    names.REPORT,
)


def require_loop_outputs(table: dict, config: Path, directory: Path, store: str | None) -> None:
    """Refuse a loop whose directory or store would destroy what it reads, or others' files.

    table: of the file `config`, read and found sound.

    Raises
    ------
    GapyError : see gapy._support.outputs
    """
    outputs = output_files("directory", directory, WRITTEN)
    if store is not None and "://" not in store:
        outputs.append(Output("store", checked_path(store)))
    require_outputs(outputs, [config, *input_files(_read(table, config.parent))])
    require_own(directory, WRITTEN, (names.LOCK, names.STATE), "a loop of gapy learn")


def _read(table: dict, base: Path) -> Iterator[str]:
    """Names of the structure files that a loop reads."""
    stated = [table.get(name, {}).get("file", []) for name in ("initial", "test")]
    stated += [section.get("start", []) for section in table["explore"]]
    for item in stated:
        for name in item if isinstance(item, list) else [item]:
            if isinstance(name, str):
                yield str(base / name)
