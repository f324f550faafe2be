"""Atomic numbers that are those of elements."""

import numpy as np
from ase.data import atomic_numbers

from gapy.errors import SpeciesError

LAST = atomic_numbers["Og"]


def require_elements(numbers: np.ndarray, where: str) -> None:
    """SpeciesError for ASE's placeholder X (atomic number 0) and for what is no element."""
    wrong = np.flatnonzero((numbers < 1) | (numbers > LAST))
    if len(wrong):
        z = int(numbers[wrong[0]])
        name = "X (atomic number 0)" if z == 0 else f"atomic number {z}"
        raise SpeciesError(
            f"{where}: atom {wrong[0]} expected a chemical element, got {name}; give its species "
            "or remove the frame"
        )
