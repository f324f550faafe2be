"""Settings of a model in words."""

from __future__ import annotations


def plain(settings: dict) -> str:
    """Settings of a baseline that are given: "inner=1.6 outer=3 switches: Al-Cu 1.5 2.9"."""
    parts = []
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            table = (f"{key} {numbers(v)}" for key, v in value.items())
            parts.append(f"{name}: {', '.join(table)}")
        elif value not in (None, {}, []):
            parts.append(f"{name}={numbers(value)}")
    return " ".join(parts)


def numbers(value) -> str:
    if isinstance(value, list):
        return " ".join(map(numbers, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
