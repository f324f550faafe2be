"""The pairs of many structures in one list, as if their atoms were those of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gapy._jit.small_pairs import small_pairs
from gapy.geometry.neighbours import SMALL
from gapy.geometry.pairs import Pairs, pairs_within


def pairs_of_many(frames: Sequence, cutoff: float, *, periodic=True) -> tuple[Pairs, np.ndarray]:
    """(pairs, first_m): all atoms of ASE structures as centres, their pairs within `cutoff` (A).

    Structure m has atoms first_m[m]:first_m[m + 1] (m + 1,) of the list, and no pair with another
    one. Its pairs and their order are those of `pairs_within`. Without `periodic` no images are
    seen. Raises StructureError as `pairs_within` does, without the number of the structure.
    """
    first_m = np.zeros(len(frames) + 1, dtype=np.int64)
    np.cumsum([len(atoms) for atoms in frames], out=first_m[1:])
    positions = np.concatenate([np.empty((0, 3)), *(atoms.positions for atoms in frames)])
    cell_mcc = np.array([atoms.cell.array for atoms in frames], dtype=float).reshape(-1, 3, 3)
    pbc_mc = np.array([atoms.pbc for atoms in frames], dtype=bool).reshape(-1, 3) & periodic
    small_m, first_i, j_p, _, r_pc, shortest = small_pairs(
        first_m, positions, cell_mcc, pbc_mc, float(cutoff), *SMALL
    )
    together = Pairs(np.arange(len(positions)), first_i, j_p, r_pc, float(cutoff))
    together.refuse_coincident(shortest)
    if not small_m.all():
        parts = [
            pairs_of_part(together, begin, end)
            if small
            else pairs_within(atoms, cutoff, periodic=periodic)
            for atoms, small, (begin, end) in zip(frames, small_m, pairwise(first_m.tolist()))
        ]
        together = _joined(parts, first_m, float(cutoff))
    return together, first_m


def pairs_of_part(together: Pairs, begin: int, end: int) -> Pairs:
    """The pairs of one structure, atoms begin..end-1 of what `pairs_of_many` gives."""
    first_i = together.first_i[begin : end + 1]
    here = slice(first_i[0], first_i[-1])
    j_p, r_pc = together.j_p[here] - np.int32(begin), together.r_pc[here]
    return Pairs(np.arange(end - begin), first_i - first_i[0], j_p, r_pc, together.cutoff)


def _joined(parts: list[Pairs], first_m: np.ndarray, cutoff: float) -> Pairs:
    counts = np.concatenate([np.diff(part.first_i) for part in parts])
    first_i = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    j_p = np.concatenate([part.j_p + np.int32(m) for part, m in zip(parts, first_m)])
    r_pc = np.concatenate([part.r_pc for part in parts])
    return Pairs(np.arange(first_m[-1]), first_i, j_p, r_pc, cutoff)
