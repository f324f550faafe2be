"""What comes back from the oracle, and what is not admitted as a label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Label:
    """energy (eV; the one that forces are the derivative of), forces (n, 3) eV/A, stress (6,)
    eV/A^3 in ASE's sign and order or None, and the wall time in seconds."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    seconds: float


@dataclass(frozen=True)
class Failure:
    """A calculation that gave no label: kind (one word), reason (one line), seconds.

    kind is "timeout", "crashed", "unconverged", "not finite", "absurd" or "error"; "gone" means
    that the oracle itself is not there (no executable, no disk), which stops the loop.
    """

    kind: str
    reason: str
    seconds: float


def checked(results: dict, n_atoms: int, *, max_force: float, seconds: float) -> Label | Failure:
    """A Label from raw results (energy, forces, stress), or the Failure that they are.

    max_force (eV/A): a label with a larger force component is absurd.
    """
    try:
        energy = float(results["energy"])
        forces = np.array(results["forces"], dtype=float)
        stress = results.get("stress")
        stress = None if stress is None else np.array(stress, dtype=float)
    except (KeyError, TypeError, ValueError) as error:
        return Failure("error", f"no energy and forces in the results: {error!r}", seconds)
    if forces.shape != (n_atoms, 3) or (stress is not None and stress.shape != (6,)):
        return Failure("error", f"forces of shape {forces.shape}, expected ({n_atoms}, 3)", seconds)
    if not math.isfinite(energy):
        return Failure("not finite", f"energy is {energy}", seconds)
    if not np.isfinite(forces).all():
        return Failure("not finite", "forces hold nan or infinity", seconds)
    if stress is not None and not np.isfinite(stress).all():
        return Failure("not finite", "the stress holds nan or infinity", seconds)
    largest = float(np.abs(forces).max(initial=0.0))
    if largest > max_force:
        reason = f"largest force component {largest:.4g} eV/A is above max_force = {max_force:g}"
        return Failure("absurd", reason, seconds)
    return Label(energy, forces, stress, seconds)


def label_error(label: Label, forces: np.ndarray | None) -> tuple[float, float] | None:
    """(largest length of an atom's force error, RMSE per component), eV/A; None without a guess."""
    if forces is None:
        return None
    error = forces - label.forces
    return float(np.linalg.norm(error, axis=1).max()), float(np.sqrt((error**2).mean()))
