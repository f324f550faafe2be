"""Baselines of an ASE structure, every atom of it a centre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gapy.baselines.protocol import Baseline, Contribution, System, largest_cutoff, total
from gapy.neighbours import neighbour_list


class AllPairs(NamedTuple):
    """See `gapy.baselines.protocol.PairList`."""

    centre_i: np.ndarray
    first_i: np.ndarray
    j_p: np.ndarray
    r_pc: np.ndarray
    cutoff: float


def system_of(atoms, cutoff: float | None) -> System:
    """All that baselines may need of a structure (ASE Atoms), pairs up to `cutoff` (A) if any."""
    pairs = None
    if cutoff is not None:
        found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
        pairs = AllPairs(np.arange(len(atoms)), found.first_i, found.j_p, found.r_pc, cutoff)
    return System(atoms.numbers, pairs, atoms.positions, atoms.cell.array, atoms.pbc)


def baseline_of(atoms, baselines: Sequence[Baseline]) -> Contribution:
    """Sum of the baselines of a structure (ASE Atoms)."""
    return total(baselines, system_of(atoms, largest_cutoff(baselines)))
