"""Baselines of an ASE structure, every atom of it a centre."""

from __future__ import annotations

from collections.abc import Sequence

from gapy.baselines.protocol import Baseline, Contribution, System, largest_cutoff, total
from gapy.geometry.pairs import Pairs, pairs_within


def system_of(atoms, pairs: Pairs | None) -> System:
    """All that baselines may need of a structure (ASE Atoms) with its pairs, if any."""
    return System(atoms.numbers, pairs, atoms.positions, atoms.cell.array, atoms.pbc)


def baseline_of(atoms, baselines: Sequence[Baseline]) -> Contribution:
    """Sum of the baselines of a structure (ASE Atoms)."""
    cutoff = largest_cutoff(baselines)
    pairs = None if cutoff is None else pairs_within(atoms, cutoff)
    return total(baselines, system_of(atoms, pairs))
