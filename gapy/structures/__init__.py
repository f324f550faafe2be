"""Labelled structures: reading them, finding their labels, checking them before a fit."""

from gapy.structures.checks import check_structures
from gapy.structures.labelled import (
    LabelKeys,
    LabelledStructure,
    StructureWarning,
    is_isolated_atom,
)
from gapy.structures.lookup import from_atoms
from gapy.structures.reading import read_atoms, read_structures

__all__ = [
    "LabelKeys",
    "LabelledStructure",
    "StructureWarning",
    "check_structures",
    "from_atoms",
    "is_isolated_atom",
    "read_atoms",
    "read_structures",
]
