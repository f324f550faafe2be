"""The baselines that model files and TOML tables can name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from gapy._support.objects import CLASS
from gapy.baselines.ase_calculator import ASECalculator
from gapy.baselines.charge_equilibration import ChargeEquilibration
from gapy.baselines.coulomb import Coulomb
from gapy.baselines.dispersion import Dispersion
from gapy.baselines.free_atoms import FreeAtoms
from gapy.baselines.protocol import Baseline
from gapy.baselines.zbl import ZBL
from gapy.errors import GapyError

CLASSES = (FreeAtoms, ZBL, Coulomb, ChargeEquilibration, Dispersion, ASECalculator)
KINDS: dict[str, Any] = {cls.kind: cls for cls in CLASSES}


def from_settings(kind: str, settings: Mapping[str, object]) -> Baseline:
    """The baseline that gave these settings, or that a table [baseline.KIND] asks for.

    Raises
    ------
    GapyError : an unknown kind or key, a missing key, or what the baseline refuses
    """
    if kind not in KINDS:
        raise GapyError(
            f"baseline: expected one of {', '.join(KINDS)}, got {kind!r}; correct the name"
        )
    if not isinstance(settings, Mapping):
        raise GapyError(
            f"baseline {kind}: expected names and values, got {settings!r}; give a table"
        )
    fields = dataclasses.fields(KINDS[kind])
    names = [f.name for f in fields]
    if unknown := [key for key in settings if key not in names]:
        raise GapyError(
            f"baseline {kind}: expected the keys {', '.join(names)}, got {unknown[0]!r}; correct "
            "or remove it"
        )
    absent = dataclasses.MISSING
    needed = [f.name for f in fields if f.default is absent and f.default_factory is absent]
    if missing := [name for name in needed if name not in settings]:
        raise GapyError(f"baseline {kind}: expected a value of {missing[0]}, got none; add it")
    return KINDS[kind](**settings)


def imports_of(listed: Iterable[Mapping]) -> list[str]:
    """Import paths that baselines of a file, [{"kind": ..., "settings": ...}], would import."""
    return [_paths(b["settings"]) for b in listed if b["kind"] == ASECalculator.kind]


def _paths(settings) -> str:
    """The path of a calculator, then those of the objects among its arguments."""
    found, left = [str(settings.get("path"))], [settings.get("arguments")]
    while left:
        one = left.pop(0)
        if isinstance(one, Mapping):
            found += [str(one[CLASS])] if CLASS in one else []
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
    return ", ".join(found)
