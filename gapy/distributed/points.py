"""Inducing points in levels: those of a part, then the best of two sets, up a tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapy._support.threads import blas_threads
from gapy.distributed.parts import Part
from gapy.fit.term_settings import TermSettings
from gapy.gp.frames import Frames
from gapy.gp.inducing import choose_inducing, number_wanted
from gapy.gp.selection import select
from gapy.structures import LabelKeys, read_part

Points = tuple[tuple[np.ndarray, ...], ...]
"""Normalised descriptors (M, D) by term and species slot."""


def points_of(
    part: Part, number: int, keys: LabelKeys, terms: Sequence[TermSettings], seed: int
) -> Points:
    """As many points of a part as of all data, so that none of the best is lost.

    number: of the part, of which its random numbers depend.
    """
    structures, _ = read_part(*part, keys)
    frames = Frames([s.atoms for s in structures], terms)
    rng = np.random.default_rng((seed, number))
    with blas_threads(1):
        return tuple(choose_inducing(frames, t, term, rng) for t, term in enumerate(terms))


def best_of(a: Points, b: Points, terms: Sequence[TermSettings], seed: int) -> Points:
    """The points that would be chosen among those of two sets."""
    with blas_threads(1):
        return tuple(
            of_a
            if term.descriptor.of_pairs
            else tuple(
                _best(np.concatenate([x, y]), z, term, seed)
                for z, x, y in zip(term.descriptor.species, of_a, of_b)
            )
            for term, of_a, of_b in zip(terms, a, b)
        )


def _best(rows: np.ndarray, z: int, term: TermSettings, seed: int) -> np.ndarray:
    wanted = number_wanted(term.n_inducing, z) if len(rows) else 0
    if len(rows) <= wanted:
        return rows
    chosen = select(
        rows, wanted, int(term.zeta or 0), str(term.selection), np.random.default_rng(seed)
    )
    return np.ascontiguousarray(rows[chosen])
