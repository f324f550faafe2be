"""A ZBL that begins below all distances of the data, so that no label feels it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import cast

import numpy as np
from ase.data import covalent_radii

from gapy.baselines.protocol import Baseline
from gapy.baselines.switches import Pair
from gapy.baselines.zbl import BOND_SHARE, ZBL
from gapy.geometry.neighbours import neighbour_list

AUTOMATIC = "zbl"
"""In a list of baselines: the ZBL of this module, made for the data."""
MARGIN = 0.95
"""Outer distance as a share of the shortest distance in the data: no label feels the repulsion."""
INNER = 0.5
"""Inner distance as a share of the outer one, as where nothing is known of a pair."""


def closest_pairs(frames: Iterable) -> dict[Pair, float]:
    """Shortest distance (A) of each pair of atomic numbers that occur in ASE structures.

    Infinite for those that never come closer than BOND_SHARE / MARGIN of the sum of the longest
    covalent radii: longer ones do not matter.
    """
    found: dict[Pair, float] = {}
    seen: set[int] = set()
    for atoms in frames:
        numbers = atoms.numbers
        present = np.unique(numbers)
        seen.update(present.tolist())
        reach = 2.0 * BOND_SHARE / MARGIN * float(covalent_radii[present].max())
        list_ = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, reach)
        z_i, z_j = numbers[list_.i_p], numbers[list_.j_p]
        r_p = np.linalg.norm(list_.r_pc, axis=1)
        for a, b in combinations_with_replacement(present.tolist(), 2):
            of_pair = r_p[(z_i == a) & (z_j == b)]
            if len(of_pair):
                found[a, b] = min(found.get((a, b), np.inf), float(of_pair.min()))
    pairs = combinations_with_replacement(sorted(seen), 2)
    return {pair: found.get(pair, np.inf) for pair in pairs}


def closer(one: Mapping[Pair, float], other: Mapping[Pair, float]) -> dict[Pair, float]:
    """`closest_pairs` of two sets of structures together."""
    species = sorted({z for pair in (*one, *other) for z in pair})
    return {
        pair: min(one.get(pair, np.inf), other.get(pair, np.inf))
        for pair in combinations_with_replacement(species, 2)
    }


def zbl_below(closest: Mapping[Pair, float], species: Iterable[int]) -> ZBL:
    """ZBL of these atomic numbers that ends at MARGIN of the shortest distance of each pair.

    closest: as `closest_pairs` gives it. Where that is longer than ZBL's default reaches, or the
    pair was never seen, the default holds: BOND_SHARE of the sum of the covalent radii.
    """
    species = sorted(set(map(int, species)))
    switches = {}
    for a, b in combinations_with_replacement(species, 2):
        bonded = BOND_SHARE * float(covalent_radii[a] + covalent_radii[b])
        outer = min(MARGIN * closest.get((a, b), np.inf), bonded)
        switches[a, b] = (INNER * outer, outer)
    return ZBL(switches=switches, species=species)


def made_for(
    baselines: Sequence[Baseline | str],
    species: Iterable[int],
    closest: Callable[[], Mapping[Pair, float]],
) -> tuple[Baseline, ...]:
    """The baselines, the word AUTOMATIC replaced by the ZBL of these species for data.

    closest: gives `closest_pairs` of the data.
    """
    out: list[Baseline] = []
    for one in baselines:
        out.append(cast("Baseline", zbl_below(closest(), species) if one == AUTOMATIC else one))
    return tuple(out)
