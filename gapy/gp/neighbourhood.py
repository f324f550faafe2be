"""The pairs of a structure that a model needs, what each of its terms sees of them, and the worst
value around every atom, for indicators that a force error depends on.

The force on an atom is a sum of derivatives of the local energies around it, so that its error
follows their variances, not that of its own local energy alone. The worst of them counts: in a mean
an odd atom next to a vacancy would drown among its usual neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gapy._jit.pairs import worst_values
from gapy.geometry.pairs import Pairs, pairs_within
from gapy.structures.spins import signs_of

DEFAULT_CUTOFF = 5.0
"""A, for descriptors that state none."""


class Neighbourhood(NamedTuple):
    """pairs at the largest cutoff of a model; environments of its descriptors, by their id.

    Those of pair terms are there once they were asked for by their id.
    """

    pairs: Pairs
    environments: dict[int, object]

    def whole(self, terms) -> dict[int, object]:
        """`environments` with those of all these terms in it."""
        return {key: self.environments[key] for key in (id(t.descriptor) for t in terms)}


class _Seen(dict):
    """Environments by the id of their descriptor; those of pairs are found when they are asked for:
    force calls sum pairs by tables and never do."""

    def __init__(self, terms, found: Callable):
        super().__init__()
        self._later, self._found = {}, found
        for t in terms:
            if t.descriptor.of_pairs:
                self._later[id(t.descriptor)] = t.descriptor
            else:
                self[id(t.descriptor)] = found(t.descriptor)

    def __missing__(self, key: int):
        self[key] = self._found(self._later[key])
        return self[key]


def is_magnetic(terms) -> bool:
    """Whether some descriptor asks for the signs of magnetic moments."""
    return any(t.descriptor.magnetic for t in terms)


def cutoff_of(descriptor) -> float:
    """Distance over which errors of a descriptor's local energies reach other atoms, A."""
    return descriptor.cutoff if np.isfinite(descriptor.cutoff) else DEFAULT_CUTOFF


def largest_cutoff(terms) -> float:
    """Of the pair list of a model, A."""
    return max(cutoff_of(t.descriptor) for t in terms)


def pairs_of(terms, atoms, cutoff: float | None = None) -> Pairs:
    """Pairs of an ASE structure at a cutoff (A), the largest of the terms unless given.

    Without images if a term sees none.
    """
    periodic = all(t.descriptor.periodic for t in terms)
    cutoff = largest_cutoff(terms) if cutoff is None else cutoff
    return pairs_within(atoms, cutoff, periodic=periodic)


def select(terms, numbers, pairs: Pairs) -> Neighbourhood:
    """What descriptors that work from neighbours see of `pairs` between atoms `numbers` (n,)."""
    return Neighbourhood(pairs, _Seen(terms, lambda d: d.select(numbers, pairs)))


def neighbourhood(terms, atoms, pairs: Pairs | None = None) -> Neighbourhood:
    """Pairs (searched unless given) and environments of an ASE structure."""
    pairs = pairs_of(terms, atoms) if pairs is None else pairs
    if is_magnetic(terms):
        pairs = replace(pairs, signs=signs_of(atoms))

    def found(descriptor):
        if descriptor.takes_neighbours:
            return descriptor.select(atoms.numbers, pairs)
        return descriptor.environments(atoms)

    return Neighbourhood(pairs, _Seen(terms, found))


def worst_around(pairs: Pairs, v_nk: np.ndarray, cutoff: float | None = None) -> np.ndarray:
    """Every column of v_nk >= 0 (n, k), half own and half the largest around; see `_jit.pairs`.

    Within `cutoff` (A), that of `pairs` unless given. Zero for atoms that are not centres.
    """
    out = np.zeros_like(v_nk)
    cutoff = pairs.cutoff if cutoff is None else cutoff
    worst_values(pairs.centre_i, pairs.first_i, pairs.j_p, pairs.r_pc, cutoff, v_nk, out)
    return out
