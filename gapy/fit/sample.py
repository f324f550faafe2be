"""The sample of the training structures that leave-one-out errors and calibration look at.

A structure's number is a seeded hash of what it is, and the sample are those with the smallest
numbers: uniform, the same in whatever order structures come, and the sample of two parts is that
of their samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gapy.fit.labels import Labels
from gapy.geometry.pairs import Pairs
from gapy.structures import LabelledStructure

LARGEST = 200
"""Structures in the sample."""
POINTS = 300
"""Inducing points of all species, at most, of a fit to a sample before the fit."""
ROW_BYTES = 100_000_000
"""Memory that the rows of those that are looked at may take."""


def drawn(structures: Iterable[LabelledStructure], seed: int) -> tuple[LabelledStructure, ...]:
    """The sample of `structures`, in the order of their numbers."""
    salt = f"{int(seed)}:".encode()
    return tuple(sorted(structures, key=lambda s: s.digest(salt))[:LARGEST])


def within_memory(sample, n_columns: int) -> list[LabelledStructure]:
    """The first of a sample whose rows of so many columns fit the memory, at least one."""
    used = np.cumsum([4 * len(s.atoms) + 7 for s in sample])
    fits = int(np.searchsorted(used, ROW_BYTES // (8 * n_columns), side="right"))
    return list(sample[: max(fits, 1)])


class Sampled(NamedTuple):
    """What leave-one-out and calibration need of a structure.

    local: rows (n, M) of the local energies; labels of every kind, their rows whitened; pairs at
    the largest cutoff of the terms.
    """

    structure: LabelledStructure
    local: np.ndarray
    labels: list[Labels]
    pairs: Pairs


class SampleRows:
    """Rows and labels of sampled structures, kept from absorbing until the state is solved.

    They belong to one set of inducing points: a state whose points change needs a new one.
    """

    def __init__(self):
        self._known: dict[bytes, Sampled] = {}

    def keep(self, sampled: Sampled) -> None:
        """Remember a structure; its rows become arrays of their own, not parts of larger ones."""
        labels = [replace(one, rows=np.ascontiguousarray(one.rows)) for one in sampled.labels]
        self._known[sampled.structure.digest()] = sampled._replace(labels=labels)

    def all_of(self, structures, compute) -> Iterator[Sampled]:
        """Each structure with its rows, from `compute` where they are not known yet."""
        for s in structures:
            if s.digest() not in self._known:
                self.keep(compute(s))
            yield self._known[s.digest()]


def fewer_points(n_inducing, sample):
    """POINTS at most of all species together, in proportion."""
    if isinstance(n_inducing, Mapping):
        shrink = min(1.0, POINTS / sum(n_inducing.values()))
        return {symbol: max(int(shrink * n), 1) for symbol, n in n_inducing.items()}
    n_species = len(np.unique(np.concatenate([s.atoms.numbers for s in sample])))
    return max(min(int(n_inducing), POINTS // n_species), 1)
