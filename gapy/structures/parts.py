"""Labels of a part of the frames, where what must hold of all of them is asked afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from gapy.errors import StructureError
from gapy.structures.labelled import LabelKeys, LabelledStructure
from gapy.structures.lookup import (
    KEY_FIELDS,
    KIND_FIELDS,
    Source,
    chosen,
    label_source,
    require_labels,
)


@dataclass(frozen=True)
class Found:
    """Where a part of the frames has its labels: fields of LabelKeys under whose keys there is
    something, and names of files by whether calculator results gave labels."""

    fields: frozenset[str]
    with_keys: frozenset[str]
    with_results: frozenset[str]

    def __or__(self, other: Found) -> Found:
        return Found(*(a | b for a, b in zip(_parts(self), _parts(other))))


def _parts(found: Found) -> tuple[frozenset[str], ...]:
    return found.fields, found.with_keys, found.with_results


def label_part(source: Source, keys: LabelKeys) -> tuple[list[LabelledStructure], Found]:
    """Label some frames of a file, and say where labels were, for `require_found`."""
    structures = list(label_source(source, keys))
    require_labels(structures)
    fields = {f for f in KEY_FIELDS if any(frame.has(keys, f) for frame in source.frames)}
    default = {f for names in KIND_FIELDS.values() for f in names if not chosen(keys, f)}
    by_key = bool(fields & default)
    return structures, Found(
        frozenset(fields),
        frozenset([source.name] if by_key else ()),
        frozenset([source.name] if default and not by_key else ()),
    )


def require_found(found: Found, keys: LabelKeys) -> None:
    """Raise StructureError where what must hold of all frames of a fit does not.

    A key that was given occurs in some frame, and a file has its labels under keys or among
    calculator results, not some here and some there.
    """
    for field in KEY_FIELDS:
        if chosen(keys, field) and field not in found.fields:
            raise StructureError(
                f"{field} key {getattr(keys, field)!r} expected in some frame, found in none; name "
                "one that is there"
            )
    mixed = sorted(found.with_keys & found.with_results)
    if mixed:
        raise StructureError(
            f"{mixed[0]}: expected labels under keys such as {keys.energy!r} in all parts of the "
            "file or in none, got some with calculator results alone; name the keys"
        )
