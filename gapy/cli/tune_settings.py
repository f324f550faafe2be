"""Lists of `gapy tune` on the command line and in a TOML file, and the FIT.toml that it writes."""

from __future__ import annotations

import json
from dataclasses import fields

from gapy.cli.settings import FitSettings, read_toml, settings_from
from gapy.errors import GapyError

LISTS = {
    "r_cut": float,
    "sigma": float,
    "n_max": int,
    "l_max": int,
    "zeta": int,
    "n_inducing": int,
    "compression": str,
    "n_components": str,
    "terms": str,
}
"""Settings that can be varied, and the kind of their values."""


def lists_of(given: dict[str, str | None]) -> dict[str, list]:
    """{setting: values} from texts such as "5,5.5,6"; None is left out.

    Raises
    ------
    GapyError : a value of the wrong kind
    """
    out = {}
    for name, text in given.items():
        if text is None:
            continue
        try:
            out[name] = [LISTS[name](item.strip()) for item in text.split(",")]
        except ValueError:
            raise GapyError(
                f"--{name.replace('_', '-')}: expected numbers separated by commas, as in "
                f"{'5,5.5,6' if LISTS[name] is float else '4,6,8'}, got {text!r}"
            ) from None
    return out


def read_lists(path) -> tuple[FitSettings, dict[str, list]]:
    """Settings of a TOML file of `gapy fit`, and what it says of those that can be varied.

    One value fixes a setting, a list is tried. For None: the defaults and {}.

    Raises
    ------
    GapyError : what `read_settings` refuses
    """
    if path is None:
        return FitSettings(), {}
    table = read_toml(path)
    lists = {}
    for key in list(table):
        name = key.replace("-", "_")
        if name not in LISTS:
            continue
        if name in lists:
            raise GapyError(f"{path}: {key!r} is given twice; remove one")
        value = table.pop(key)
        lists[name] = value if isinstance(value, list) else [value]
        if any(isinstance(v, dict | list) for v in lists[name]):
            raise GapyError(f"{path}: {key}: expected a value or a list of values, got {value!r}")
    return settings_from(table, path), lists


def fit_toml(settings: FitSettings, candidate, seed: int) -> str:
    """A FIT.toml with the settings, those of the candidate in place of what was varied."""
    values = {f.name: getattr(settings, f.name) for f in fields(FitSettings)}
    values |= {**candidate.to_dict(), "seed": seed}
    default = {f.name: getattr(FitSettings(), f.name) for f in fields(FitSettings)}
    plain, tables = [], []
    for name, value in values.items():
        if value is None or (value == default[name] and name not in candidate.to_dict()):
            continue
        key = name.replace("_", "-")
        if isinstance(value, dict):
            tables += _table(key, value)
        else:
            plain.append(f"{key} = {_toml(value)}")
    return "\n".join([*plain, *tables]) + "\n"


def _table(key: str, values: dict) -> list[str]:
    """A table, and one for each table in it."""
    flat = {k: v for k, v in values.items() if not isinstance(v, dict)}
    lines = ["", f"[{key}]", *(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in flat.items())]
    lines = lines if flat or not values else []  # an empty one means something: all defaults
    for k, v in values.items():
        if isinstance(v, dict):
            lines += _table(f"{key}.{json.dumps(str(k))}", v)
    return lines


def _toml(value) -> str:
    # JSON's texts, numbers, booleans and lists are TOML's too.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
