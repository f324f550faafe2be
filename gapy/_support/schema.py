"""What plain JSON must look like: types, ranges, keys; one small class for each kind of value.

A rule has `check(value, where)`, which raises SchemaError with the place, what was expected and
what came. Rules are put together into tables such as those of `gapy.model.modelschema`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

DEEPEST = 20
"""Levels of lists and mappings in a value whose form is free."""


class SchemaError(ValueError):
    """A value is not what the schema allows; the message names the place."""


def refuse(where: str, expected: str, value) -> None:
    """Raise SchemaError; a long value is shortened."""
    shown = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    raise SchemaError(
        f"{where}: expected {expected}, got {shown if len(shown) < 60 else shown[:56] + ' ...'}"
    )


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`; `above`: more than `low`."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    whole: bool = False

    def check(self, value, where: str) -> None:
        allowed = int if self.whole else int | float
        good = isinstance(value, allowed) and not isinstance(value, bool)
        # Python compares integers of any size with floats, and NaN is not within anything.
        good = good and -1e308 < value < 1e308 and self.low <= value <= self.high
        if not good or (self.above and value == self.low):
            refuse(where, self._expected(), value)

    def _expected(self) -> str:
        kind = "an integer" if self.whole else "a finite number"
        low = "" if self.low == -math.inf else f" {'above' if self.above else 'from'} {self.low:g}"
        return kind + low + ("" if self.high == math.inf else f" up to {self.high:g}")


@dataclass(frozen=True)
class Text:
    """A text of limited length, or one of `choices`."""

    choices: tuple[str, ...] = ()
    longest: int = 10_000

    def check(self, value, where: str) -> None:
        if not isinstance(value, str) or len(value) > self.longest:
            refuse(where, f"a text of at most {self.longest} characters", value)
        if self.choices and value not in self.choices:
            shown = ", ".join(self.choices) if len(self.choices) < 10 else "a known name"
            refuse(where, f"one of {shown}" if len(self.choices) < 10 else shown, value)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def check(self, value, where: str) -> None:
        if not isinstance(value, bool):
            refuse(where, "true or false", value)


@dataclass(frozen=True)
class Anything:
    """Any value; whoever uses it looks at it."""

    def check(self, value, where: str) -> None:
        """Nothing to refuse."""


@dataclass(frozen=True)
class Optional:
    """null, or what `rule` allows."""

    rule: object

    def check(self, value, where: str) -> None:
        if value is not None:
            self.rule.check(value, where)


@dataclass(frozen=True)
class AnyOf:
    """What one of the rules allows."""

    rules: tuple

    def check(self, value, where: str) -> None:
        errors = []
        for rule in self.rules:
            try:
                return rule.check(value, where)
            except SchemaError as error:
                errors.append(error)
        raise errors[-1]


@dataclass(frozen=True)
class List:
    """A list of `least` to `most` items, each as `rule` allows."""

    rule: object
    least: int = 0
    most: float = math.inf

    def check(self, value, where: str) -> None:
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            most = "" if self.most == math.inf else f" to {self.most}"
            got = f"{len(value)} of them" if isinstance(value, list) else value
            refuse(where, f"a list of {self.least}{most or ' or more'} items", got)
        for k, item in enumerate(value):
            self.rule.check(item, f"{where}[{k}]")


@dataclass(frozen=True)
class Map:
    """A mapping whose keys and values are as the rules allow."""

    key: object
    value: object

    def check(self, value, where: str) -> None:
        if not isinstance(value, Mapping):
            refuse(where, "a mapping", value)
        for k, item in value.items():
            self.key.check(k, f"{where}, key")
            self.value.check(item, f"{where}.{k[:40]}")


@dataclass(frozen=True)
class Record:
    """A mapping with the keys `required`, maybe those of `optional`, and others as `rest` allows
    (None: there are no others)."""

    required: Mapping = field(default_factory=dict)
    optional: Mapping = field(default_factory=dict)
    rest: object = None

    def check(self, value, where: str) -> None:
        if not isinstance(value, Mapping):
            refuse(where, "a mapping", value)
        for name in self.required:
            if name not in value:
                raise SchemaError(f"{where}: expected the key {name!r}, got a mapping without it")
        for name, item in value.items():
            rule = self.required.get(name) or self.optional.get(name) or self.rest
            if rule is None:
                refuse(where, f"the keys {', '.join([*self.required, *self.optional])}", name)
            rule.check(item, f"{where}.{name[:40]}")


@dataclass(frozen=True)
class Plain:
    """Any JSON value that is not nested too deeply and whose numbers are finite."""

    def check(self, value, where: str, depth: int = 0) -> None:
        if depth > DEEPEST:
            refuse(where, f"at most {DEEPEST} levels of lists and mappings", value)
        if isinstance(value, list):
            for item in value:
                self.check(item, where, depth + 1)
        elif isinstance(value, Mapping):
            for item in value.values():
                self.check(item, where, depth + 1)
        elif isinstance(value, int | float) and not -1e308 < value < 1e308:
            refuse(where, "finite numbers", value)
