"""When to stop: the uncertainty exceeds its threshold, or the numbers run away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from gapy.md.log import StepRecord, force_sigma

# An atom of any solid or liquid worth simulating stays below it; integration that has gone wrong
# passes it within a few steps.
RUNAWAY_TEMPERATURE = 10_000.0  # K
RUNAWAY_FACTOR = 10.0  # times the highest temperature asked for


@dataclass(frozen=True)
class FlaggedAtom:
    """An atom whose force is too uncertain: index, chemical symbol, force sigma in eV/A."""

    index: int
    symbol: str
    force_std: float


def runaway_limit(highest_temperature: float) -> float:
    """Temperature in K above which a run counts as exploded when the user names no limit."""
    return max(RUNAWAY_TEMPERATURE, RUNAWAY_FACTOR * highest_temperature)


def explosion(frame: Atoms, record: StepRecord, max_temperature: float) -> str | None:
    """Why the frame is no longer physical, or None."""
    values = {
        "energy": frame.calc.results["energy"],
        "forces": frame.calc.results["forces"],
        "positions": frame.positions,
        "velocities": frame.get_momenta(),
        "cell": frame.cell.array,
        **{name: frame.arrays[name] for name in frame.arrays if name.endswith("_std")},
    }
    if "stress" in frame.calc.results:
        values["stress"] = frame.calc.results["stress"]
    for name, value in values.items():
        if not np.all(np.isfinite(value)):
            return f"{name} became infinite or not a number at step {record.step}"
    if record.temperature_K > max_temperature:
        return (
            f"the temperature ran away at step {record.step}: {record.temperature_K:.6g} K is "
            f"above the limit max_temperature = {max_temperature:g} K"
        )
    return None


def flagged_atoms(frame: Atoms, max_force_std: float | None) -> tuple[FlaggedAtom, ...]:
    """The atoms whose force sigma exceeds `max_force_std` (eV/A), the largest first."""
    sigma = force_sigma(frame)
    if sigma is None or max_force_std is None:
        return ()
    above = np.flatnonzero(sigma > max_force_std)
    order = above[np.argsort(-sigma[above], kind="stable")]
    return tuple(FlaggedAtom(int(i), frame[int(i)].symbol, float(sigma[i])) for i in order)


def flag_reason(step: int, atoms: tuple[FlaggedAtom, ...], max_force_std: float) -> str:
    """One line on why the run stopped: step, threshold and the worst atoms."""
    shown = ", ".join(f"{a.symbol}{a.index} {a.force_std:.4g}" for a in atoms[:5])
    more = f" and {len(atoms) - 5} more" if len(atoms) > 5 else ""
    return (
        f"force uncertainty above max_force_std = {max_force_std:g} eV/A at step {step}: "
        f"{shown}{more} (eV/A)"
    )
