"""Settings of `gapy fit`: defaults, a TOML file over them, flags over that."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields, replace

from gapy._support.files import checked_path
from gapy.errors import GapyError
from gapy.fit.setting_kinds import Whole, files, stated, text
from gapy.fit.settings import ModelSettings


@dataclass(frozen=True)
class _Files:
    """What a fit reads and writes, in front of the model's settings wherever these are listed."""

    train: tuple[str, ...] = stated((), files)
    output: str | None = stated(None, text)


@dataclass(frozen=True)
class FitSettings(ModelSettings, _Files):
    """All of `gapy fit`; the names are the flags and the keys of the TOML file.

    Beside the model's: train, output: files; *_key: where labels are; threads.

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    energy_key: str | None = stated(None, text)
    forces_key: str | None = stated(None, text)
    stress_key: str | None = stated(None, text)
    virial_key: str | None = stated(None, text)
    threads: int = stated(1, Whole(1))

    @staticmethod
    def shown(name: str) -> str:
        """The flag, without its dashes in front."""
        return name.replace("_", "-")

    def updated(self, given: dict) -> FitSettings:
        """A copy with the values that are not None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def read_settings(path) -> FitSettings:
    """Settings of a TOML file; keys as the flags, `-` or `_` alike, and [noise.CONFIG_TYPE] tables.

    Raises
    ------
    GapyError : no such file, not TOML, an unknown key (the nearest known ones are named), or a bad
        value
    """
    return settings_from(read_toml(path), path)


def read_toml(path) -> dict:
    """The table of a TOML file. Raises GapyError: no such file, or not TOML."""
    path = checked_path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GapyError(f"{path}: expected a TOML file, got: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GapyError(f"{path}: expected TOML, got: {error}; correct the line") from error


def settings_from(table: dict, path) -> FitSettings:
    """Settings of a table; errors, those of `read_settings`, name `path`."""
    known = [f.name for f in fields(FitSettings)]
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise GapyError(f"{path}: unknown key {key!r}; {_nearest(name, known)}")
        if name in values:
            raise GapyError(f"{path}: {key!r} is given twice; remove one")
        values[name] = value
    if "train" in values:
        train = values["train"]
        values["train"] = tuple(train) if isinstance(train, list) else (train,)
    try:
        return FitSettings(**values)
    except GapyError as error:
        raise GapyError(f"{path}: {error}") from error


def parse_n_inducing(text: str | None) -> int | dict | None:
    """A number, or {symbol: number} from "Al=500,As=300".

    Raises
    ------
    GapyError : anything else
    """
    if text is None:
        return None
    try:
        if "=" not in text:
            return int(text)
        pairs = [item.split("=") for item in text.split(",")]
        counts = [(symbol.strip(), int(count)) for symbol, count in pairs]
    except ValueError:
        raise GapyError(
            f"--n-inducing: expected a whole number, or one for each species as in Al=500,As=300, "
            f"got {text!r}"
        ) from None
    symbols = [symbol for symbol, _ in counts]
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            raise GapyError(f"--n-inducing: {symbol} is given twice in {text!r}; remove one")
    return dict(counts)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known are {', '.join(known)}"
