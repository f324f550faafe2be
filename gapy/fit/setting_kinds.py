"""Kinds of settings: what a value has to be, and a field of a dataclass that says so.

A check takes the name of a setting, its name in messages, and the value, and raises GapyError.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real

from gapy._support.ranges import RANGES, require_range
from gapy.errors import GapyError


def stated(default, check=None, help="", *, unit="", unsaid=""):
    """A field of settings; where `default` is None, None stands for what nobody gave.

    check: one of this module, None where only the structures or the elements can tell. help, unit
    (that of RANGES unless given): for people. unsaid: what holds where nobody gave it.
    """
    about = {"check": check, "help": help, "unit": unit, "unsaid": unsaid}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=about)
    return field(default=default, metadata=about)


def positive(name: str, shown: str, value) -> None:
    """A finite number above 0, within the range of its setting."""
    if not (_is(Real, value) and math.isfinite(value) and value > 0):
        raise GapyError(f"{shown}: expected a positive number, got {value!r}")
    if name in RANGES:
        require_range(name, value, shown)


@dataclass(frozen=True)
class Whole:
    """A whole number of at least `least`."""

    least: int

    def __call__(self, name: str, shown: str, value) -> None:
        if not (_is(Integral, value) and value >= self.least):
            raise GapyError(
                f"{shown}: expected a whole number of at least {self.least}, got {value!r}"
            )
        if name in RANGES:
            require_range(name, value, shown)


def counts(name: str, shown: str, value) -> None:
    """A number of at least 1, or one for each species; 300.0 is one, as for the regressor."""
    numbers = list(value.values()) if isinstance(value, Mapping) else [value]
    if not numbers or not all(_is(Real, n) and n >= 1 and n % 1 == 0 for n in numbers):
        raise GapyError(
            f"{shown}: expected a whole number of at least 1, or one for each species as in "
            f"Al=500,As=300, got {value!r}"
        )
    for n in numbers:
        require_range(name, n, shown)


def components_of(given):
    """n_components from a text such as "96", "1e-4" or "auto"; what is no text stays."""
    if isinstance(given, str):
        for kind in (int, float):
            try:
                return kind(given)
            except ValueError:
                continue
    return given


def components(name: str, shown: str, value) -> None:
    """ "auto", "off", a number of at least 1, or a share between 0 and 1."""
    if value in ("auto", "off"):
        return
    is_number = _is(Real, value) and math.isfinite(value)
    if not (is_number and (0.0 < value < 1.0 or (value >= 1 and value % 1 == 0))):
        raise GapyError(
            f"{shown}: expected auto, off, a whole number of at least 1, or the share that may be "
            f"lost, above 0 and below 1, got {value!r}"
        )


def text(name: str, shown: str, value) -> None:
    """A text."""
    if not isinstance(value, str):
        raise GapyError(f"{shown}: expected text, got {value!r}")


def elements_of(text: str | None) -> tuple[str, ...] | None:
    """("Fe", "Co") from "Fe,Co"."""
    return None if text is None else tuple(part.strip() for part in text.split(","))


def elements(name: str, shown: str, value) -> None:
    """Chemical symbols, at least one, or None for none."""
    if value is None:
        return
    listed = isinstance(value, list | tuple) and value
    if not listed or not all(isinstance(one, str) and one for one in value):
        raise GapyError(f'{shown}: expected chemical symbols such as ["Fe", "Co"], got {value!r}')


def flag(name: str, shown: str, value) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise GapyError(f"{shown}: expected true or false, got {value!r}")


def tables(name: str, shown: str, value) -> None:
    """Tables by their name."""
    if not (isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values())):
        raise GapyError(f"{shown}: expected tables such as [{name}.zbl], got {value!r}")


def files(name: str, shown: str, value) -> None:
    """Names of files."""
    for item in value:
        if not isinstance(item, str):
            raise GapyError(f"{shown}: expected names of files, got {item!r}")


def _is(kind, value) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
