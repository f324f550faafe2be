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
from gapy.structures.paths import expanded, input_files
from gapy.structures.reading import read_atoms, read_structures

__all__ = [
    "LabelKeys",
    "LabelledStructure",
    "StructureWarning",
    "chained_digest",
    "check_structures",
    "expanded",
    "from_atoms",
    "input_files",
    "is_isolated_atom",
    "multiset_digest",
    "one_structure",
    "read_atoms",
    "read_structures",
]
