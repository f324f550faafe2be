"""Numbers that a baseline has for each species: how they are stated and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from gapy.baselines.elements import N_ELEMENTS, atomic_number
from gapy.errors import GapyError

SIGMAS = (0.05, 5.0)
"""Of Gaussian charges, A: points beside any distance, and wider than any ion."""


def by_species(
    given: Any,
    where: str,
    check: Callable[[Any, str], float],
    species: tuple[int, ...] | None = None,
) -> dict[int, float]:
    """Values by atomic number, ascending, from {"Na": 1.0} or one number for all `species`.

    check(value, where) gives the number or raises. Raises GapyError, which begins with `where`, for
    something else, a species twice, or other species than `species`.
    """
    if species is not None and not isinstance(given, Mapping):
        return dict.fromkeys(species, check(given, where))
    if not isinstance(given, Mapping) or not given:
        raise GapyError(
            f"{where}: expected a number for each species, got {given!r}; give a table, "
            "{ Na = 1.0, Cl = -1.0 } for instance"
        )
    found: dict[int, float] = {}
    for name, value in given.items():
        z = atomic_number(name, where)
        if z in found:
            raise GapyError(
                f"{where}: expected {chemical_symbols[z]} once, got it twice; remove one"
            )
        found[z] = check(value, f"{where} of {chemical_symbols[z]}")
    if species is not None and set(found) != set(species):
        raise GapyError(
            f"{where}: expected a value for each of {_symbols(species)}, got {_symbols(found)}; "
            "give one for each, or one number for all"
        )
    return dict(sorted(found.items()))


def by_symbol(values: Mapping[int, float]) -> dict[str, float]:
    """The same by symbol, for files."""
    return {chemical_symbols[z]: value for z, value in values.items()}


def per_atom(values: Mapping[int, float], atoms: Atoms) -> np.ndarray:
    """(n,) values of the atoms, each of its species."""
    table = np.zeros(N_ELEMENTS)
    table[list(values)] = list(values.values())
    return table[atoms.numbers]


def in_range(value: Any, where: str, low: float, high: float, what: str) -> float:
    """A finite number with low < value <= high, or GapyError, which begins with `where`."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and math.isfinite(value) and low < value <= high):
        raise GapyError(f"{where}: expected {what}, got {value!r}; correct it")
    return float(value)


def width(value: Any, where: str) -> float:
    """A standard deviation, A."""
    low, high = SIGMAS
    return in_range(value, where, low, high, f"a width above {low:g} and up to {high:g} A")


def flag(value: Any, kind: str, name: str) -> bool:
    """True or False, or GapyError."""
    if not isinstance(value, bool):
        raise GapyError(
            f"baseline {kind}, {name}: expected true or false, got {value!r}; correct it"
        )
    return value


def _symbols(species: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in sorted(species))
