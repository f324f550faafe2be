"""When to stop: the uncertainty exceeds its threshold, atoms meet, or the numbers run away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from gapy.errors import StructureError
from gapy.md.limits import Limits
from gapy.md.log import StepRecord, force_sigma


@dataclass(frozen=True)
class FlaggedAtom:
    """An atom whose force is too uncertain: index, chemical symbol, force sigma in eV/A."""

    index: int
    symbol: str
    force_std: float


def explosion(
    frame: Atoms, record: StepRecord, limits: Limits, before: StepRecord | None = None
) -> str | None:
    """Why the frame is no longer physical, or None; `before`: the record of the last step."""
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
    if record.temperature_K > limits.max_temperature:
        return (
            f"the temperature ran away at step {record.step}: {record.temperature_K:.6g} K is "
            f"above the limit max_temperature = {limits.max_temperature:g} K"
        )
    try:
        contact = limits.contacts.closest(frame)
    except StructureError as error:
        return f"{error} at step {record.step}"
    if contact:
        return f"atoms met at step {record.step}: {contact}{limits.contacts.source()}"
    if before is not None:
        jump = (record.total_energy_eV - before.total_energy_eV) / len(frame)
        if abs(jump) > limits.max_energy_jump:
            return (
                f"the total energy jumped at step {record.step} by {jump:.3g} eV/atom, more than "
                f"max_energy_jump = {limits.max_energy_jump:.3g} eV/atom"
            )
    return None


def flagged_atoms(frame: Atoms, max_force_std: float) -> tuple[FlaggedAtom, ...]:
    """The atoms whose force sigma exceeds `max_force_std` (eV/A), the largest first."""
    sigma = force_sigma(frame)
    if sigma is None:
        return ()
    above = np.flatnonzero(sigma > max_force_std)
    order = above[np.argsort(-sigma[above], kind="stable")]
    return tuple(FlaggedAtom(int(i), frame[int(i)].symbol, float(sigma[i])) for i in order)


def flag_reason(step: int, atoms: tuple[FlaggedAtom, ...], limits: Limits) -> str:
    """One line on why the run stopped: step, threshold and the worst atoms."""
    shown = ", ".join(f"{a.symbol}{a.index} {a.force_std:.4g}" for a in atoms[:5])
    more = f" and {len(atoms) - 5} more" if len(atoms) > 5 else ""
    return (
        f"force uncertainty above max_force_std = {limits.max_force_std:.6g} eV/A"
        f"{limits.sigma_source()} at step {step}: {shown}{more} (eV/A)"
    )
