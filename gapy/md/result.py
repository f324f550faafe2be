"""What a run hands back, and its summary on disk."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path

from ase import Atoms

from gapy.md.watch import FlaggedAtom


@dataclass(frozen=True)
class MDResult:
    """Outcome of `run_md`; averages are over all steps of the run, earlier calls included.

    status: "finished" (all steps done), "flagged" (force uncertainty above `max_force_std`),
    "exploded" (numbers not finite, atoms too close, the temperature ran away, the energy jumped) or
    "stopped" (`stop` asked for it). reason: one line on it.
    n_steps, time_fs: the last good step. flagged_atoms: the atoms above the threshold, worst
    first. mean_temperature in K; mean_force_std (mean over atoms and steps) and max_force_std
    (largest seen) in eV/A, nan without uncertainty. wall_time_per_step in s, of this call, nan if
    it made no step. frame_path: the flagged frame or the last good one, else None. atoms: the
    last good frame, with results and `forces_std`, `energies_std` in arrays. limits: those of the
    run, max_force_std in eV/A, max_temperature in K, max_energy_jump in eV/atom, infinite for none,
    and min_distance in A by pair of species.
    """

    status: str
    reason: str
    n_steps: int
    time_fs: float
    flagged_atoms: tuple[FlaggedAtom, ...]
    mean_temperature: float
    mean_force_std: float
    max_force_std: float
    wall_time_per_step: float
    log_path: Path
    trajectory_path: Path
    checkpoint_path: Path
    frame_path: Path | None
    limits: dict
    atoms: Atoms

    def to_json(self) -> bytes:
        """Contents of result.json: every field but `atoms`; file names only, null for nan."""
        summary = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "atoms":
                continue
            if field.name == "flagged_atoms":
                value = [vars(atom) for atom in value]
            elif field.name == "limits":
                value = {name: _plain(limit) for name, limit in value.items()}
            summary[field.name] = _plain(value)
        return (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()


def _plain(value):
    if isinstance(value, Path):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
