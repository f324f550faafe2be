"""Pictures of checks of health, each into matplotlib Axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapy._support.drawing import ALARM, COLOURS, INK, axes, plain_log_ticks, style
from gapy.validation.health.check import Check

DEEP = 2.0
"""Heights of the view of a dimer in depths of the deepest well."""


def dimers(checks: Sequence[Check], *, ax=None):
    """Energy over distance of every pair, the wells in view. Returns the Axes."""
    ax = axes(ax)
    shown = [c for c in checks if "energy (eV)" in c.arrays]
    depth = max((-c.arrays["energy (eV)"].min() for c in shown), default=0.0)
    for k, check in enumerate(shown):
        at, energy = (check.arrays[name] for name in ("distance (A)", "energy (eV)"))
        label = check.name.removeprefix("dimer ").partition(":")[0]
        ax.plot(at, energy, lw=1.4, color=COLOURS[k % len(COLOURS)], label=label)
    depth = max(depth, 0.5)
    ax.axhline(0.0, color=INK, lw=0.7)
    ax.set(xlabel="distance (Å)", ylabel="energy above free atoms (eV)", xlim=(0.0, None))
    ax.set_ylim(-1.15 * depth, DEEP * depth)
    counted = "one pair" if len(shown) == 1 else f"{len(shown)} pairs"
    ax.set_title(f"{counted} of species; the walls go on above", fontsize=10)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    return ax


def curves(checks: Sequence[Check], column: str, *, ax=None, flag: float | None = None):
    """One curve for each check: `column` over the first of its arrays. Returns the Axes.

    flag: threshold of the sigma to draw, eV/A.
    """
    ax = axes(ax)
    for k, check in enumerate(checks):
        first = next(iter(check.arrays))
        ax.plot(
            check.arrays[first], check.arrays[column], lw=1.2, ms=4,
            label=check.name, ls="-",
            **{**style(k), "marker": "o" if len(check.arrays[first]) < 40 else ""},
        )  # fmt: skip
        ax.set_xlabel(_printed(first))
    ax.set_ylabel(_printed(column))
    if flag is not None:
        ax.axhline(flag, color=ALARM, lw=1.0, ls="--", label=f"flag {flag:.3g} eV/Å")
    if len(checks) > 1 or flag is not None:
        ax.legend(frameon=False, fontsize=8)
    return ax


def scatter(check: Check, *, ax=None, flag: float | None = None):
    """Sigma over energy of random structures; what lies below zero must lie above the flag."""
    ax = axes(ax)
    energy, sigma = check.arrays["energy (eV/atom)"], check.arrays["force sigma (eV/A)"]
    known = np.isfinite(energy) & (sigma > 0.0)
    ax.plot(energy[known], sigma[known], "o", ms=5, color=COLOURS[0], alpha=0.7, ls="")
    ax.axvline(0.0, color=INK, lw=0.8)
    if flag is not None:
        ax.axhline(flag, color=ALARM, lw=1.0, ls="--")
    ax.set_xscale("symlog", linthresh=1.0)
    low, high = ax.get_xlim()
    ticks = [t for t in (-100, -10, -1, -0.5, 0, 0.5, 1, 10, 100, 1000) if low <= t <= high]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yscale("log")
    plain_log_ticks(ax.yaxis)
    ax.set(xlabel="energy above the ground state (eV/atom)", ylabel="largest force sigma (eV/Å)")
    ax.set_title(f"{int(known.sum())} structures; dashed: the flag", fontsize=10)
    return ax


def _printed(name: str) -> str:
    return name.replace("A^3", "Å³").replace("/A", "/Å").replace("(A)", "(Å)")
