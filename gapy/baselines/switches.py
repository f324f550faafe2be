"""Distances between which a pair of species is switched off: checked, in one canonical order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from ase.data import chemical_symbols

from gapy.baselines.elements import atomic_number
from gapy.errors import GapyError, SpeciesError

Pair = tuple[int, int]
"""Atomic numbers, ascending."""

Switch = tuple[float, float]
"""(inner, outer) in A."""


def parse_switches(
    given: object, species: tuple[int, ...] | None, where: str
) -> dict[Pair, Switch]:
    """Switches by pair of atomic numbers, in their order, from {("Si", "O"): ...} or {"Si-O": ...}.

    species : atomic numbers that may occur; None for any

    Raises
    ------
    GapyError : no mapping, a key that is no pair, a pair twice, or what `parse_switch` refuses
    SpeciesError : no chemical element, or none of `species`
    """
    if not isinstance(given, Mapping):
        raise GapyError(
            f"{where}, switches: expected a mapping from pairs of species to (inner, outer), "
            f'got {given!r}; give {{"Si-O": (inner, outer)}}'
        )
    found: dict[Pair, Switch] = {}
    for name, switch in given.items():
        a, b = _pair(name, f"{where}, switches")
        here = f"{where}, switch of {chemical_symbols[a]}-{chemical_symbols[b]}"
        if (a, b) in found:
            raise GapyError(f"{here}: expected one, got two; remove one")
        if species is not None and not {a, b} <= set(species):
            raise SpeciesError(
                f"{here}: expected a pair of {', '.join(chemical_symbols[z] for z in species)}, "
                "got another; add it to the species or remove the switch"
            )
        found[a, b] = parse_switch(switch, here)
    return dict(sorted(found.items()))


def _pair(name: object, where: str) -> Pair:
    """The pair of ("Si", "O") or "Si-O"."""
    ends = name.split("-") if isinstance(name, str) else name
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise GapyError(f'{where}: expected a pair such as "Si-O", got {name!r}; correct it')
    a, b = sorted(atomic_number(end, where) for end in ends)
    return a, b


def parse_switch(given: Any, where: str) -> Switch:
    """(inner, outer) in A with 0 < inner < outer; GapyError that begins with `where` if not."""
    two = isinstance(given, tuple | list) and len(given) == 2
    if not (two and all(isinstance(x, Real) and not isinstance(x, bool) for x in given)):
        raise GapyError(f"{where}: expected numbers (inner, outer) in A, got {given!r}; correct it")
    inner, outer = map(float, given)
    if not (0.0 < inner < outer < math.inf):
        raise GapyError(
            f"{where}: expected 0 < inner < outer in A, got inner={inner:g}, outer={outer:g}; "
            "correct them"
        )
    return inner, outer
