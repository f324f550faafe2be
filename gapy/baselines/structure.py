"""Baselines of an ASE structure, every atom of it a centre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapy.baselines.protocol import Baseline, Contribution, System, largest_cutoff, total
from gapy.geometry.pairs import Pairs, pairs_within
from gapy.structures.charge import charge_of


def system_of(atoms, pairs: Pairs | None) -> System:
    """All that baselines may need of a structure (ASE Atoms) with its pairs, if any."""
    return System(
        atoms.numbers, pairs, atoms.positions, atoms.cell.array, atoms.pbc, charge_of(atoms)
    )


def baseline_of(atoms, baselines: Sequence[Baseline]) -> Contribution:
    """Sum of the baselines of a structure (ASE Atoms)."""
    cutoff = largest_cutoff(baselines)
    pairs = None if cutoff is None else pairs_within(atoms, cutoff)
    return total(baselines, system_of(atoms, pairs))


def forces_on_centres(baselines: Sequence[Baseline], numbers, pairs: Pairs) -> np.ndarray:
    """All that pairwise baselines exert on the centres of a pair list, (n, 3) eV/A; 0 elsewhere.

    Of a centre's own energy the force is half of it, whichever domain the neighbours are of.
    """
    n, ends = len(numbers), np.asarray(pairs.j_p)
    # Each neighbour an atom of its own, so that nothing comes back to a centre from the others.
    apart = Pairs(
        pairs.centre_i, pairs.first_i, np.arange(n, n + len(ends)), pairs.r_pc, pairs.cutoff
    )
    found = total(baselines, System(np.concatenate([numbers, numbers[ends]]), apart))
    return 2.0 * found.forces[:n]
