"""Labelled structures: reading them, finding their labels, checking them before a fit."""

from gapy.structures.checks import check_structures, one_structure
from gapy.structures.labelled import (
    LabelKeys,
    LabelledStructure,
    StructureWarning,
    chained_digest,
    is_isolated_atom,
    multiset_digest,
)
from gapy.structures.lookup import from_atoms
from gapy.structures.parts import Found, require_found
from gapy.structures.paths import expanded, input_files
from gapy.structures.reading import frame_sizes, read_atoms, read_part, read_structures

__all__ = [
    "Found",
    "LabelKeys",
    "LabelledStructure",
    "StructureWarning",
    "chained_digest",
    "check_structures",
    "expanded",
    "frame_sizes",
    "from_atoms",
    "input_files",
    "is_isolated_atom",
    "multiset_digest",
    "one_structure",
    "read_atoms",
    "read_part",
    "read_structures",
    "require_found",
]
