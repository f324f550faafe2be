"""Names of elements, and the refusal of those a baseline does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from gapy.errors import GapyError, SpeciesError

N_ELEMENTS = len(chemical_symbols)
"""Length of a table by atomic number."""


def atomic_number(name: str | int, where: str) -> int:
    """Atomic number from a symbol, a number, or a number in words of digits.

    Raises
    ------
    SpeciesError : no chemical element; the message begins with `where`
    """
    text = str(name).strip()
    z = int(text) if text.isdigit() else atomic_numbers.get(text, 0)
    if not 0 < z < N_ELEMENTS:
        raise SpeciesError(
            f"{where}: expected a chemical element, got {name!r}; correct the symbol"
        )
    return z


def atomic_numbers_of(given: Iterable[str | int], where: str) -> tuple[int, ...]:
    """Distinct atomic numbers, ascending, of a list of symbols or numbers.

    Raises
    ------
    GapyError : no list, or an empty one; the message begins with `where`
    SpeciesError : no chemical element
    """
    listed = isinstance(given, Iterable) and not isinstance(given, str)
    numbers = {atomic_number(name, where) for name in given} if listed else ()
    if not numbers:
        raise GapyError(
            f"{where}: expected a list of chemical elements, got {given!r}; give "
            'one, ["Si", "O"] for instance, or leave it out for any'
        )
    return tuple(sorted(numbers))


def elements_of(numbers: np.ndarray) -> tuple[int, ...]:
    """Distinct atomic numbers, ascending; SpeciesError for what is no element."""
    if len(numbers) == 0:
        return ()
    if not 0 < numbers.min() <= numbers.max() < N_ELEMENTS:
        raise SpeciesError(
            f"numbers: expected atomic numbers from 1 to {N_ELEMENTS - 1}, got {numbers.min()} to "
            f"{numbers.max()}; correct the species of the atoms"
        )
    return tuple(np.bincount(numbers).nonzero()[0].tolist())


def require_served(present: Sequence[int], served: Sequence[int] | None, kind: str) -> None:
    """Raise SpeciesError if a species that occurs is none of those a baseline serves."""
    if served is not None and (unknown := [z for z in present if z not in served]):
        known = ", ".join(chemical_symbols[z] for z in served) or "no species"
        raise SpeciesError(
            f"baseline {kind}: expected atoms of {known}, "
            f"got {', '.join(chemical_symbols[z] for z in unknown)}; add the species to the "
            "baseline and fit again"
        )
