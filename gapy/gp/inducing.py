"""Inducing points of one term from a stream of structures, for every species that occurs."""

from __future__ import annotations

from collections.abc import Mapping

import ase.data
import numpy as np

from gapy._support.progress import track
from gapy.errors import GapyError
from gapy.gp.frames import Frames
from gapy.gp.selection import Reservoir, select
from gapy.gp.terms import normalised

CANDIDATE_BYTES = 120_000_000
"""Memory for the candidates of one species, and again for their kernel values with the points
chosen; larger training sets are sampled uniformly."""


def choose_inducing(
    frames: Frames, term: int, settings, rng, *, threads=1, progress=False
) -> tuple[np.ndarray, ...]:
    """Normalised descriptors (M_s, D) of term `term` for each species slot; empty without atoms.

    Of a pair term the unit vectors of its features, for each pair of species. settings: of the
    term, complete (see `gapy.fit.term_settings.TermSettings`). Raises GapyError for an unknown
    method or a species without a number.
    """
    descriptor, zeta = settings.descriptor, int(settings.zeta)
    if descriptor.of_pairs:
        return (np.eye(descriptor.n_features),) * len(descriptor.slots)
    occurring = set(np.unique(np.concatenate([a.numbers for a in frames.atoms])).tolist())
    wanted = [
        number_wanted(settings.n_inducing, z) if z in occurring and z in settings.species else 1
        for z in descriptor.species
    ]
    n_features = descriptor.n_features
    pools = [Reservoir(capacity(n_features, n), n_features, rng) for n in wanted]
    computed = frames.values(term, threads)
    for parts in track(computed, "descriptors", progress, total=len(frames)):
        for slot, x_id in parts:
            if descriptor.species[slot] in settings.species:
                pools[slot].add(normalised(x_id))
    inducing = []
    for n, pool in zip(wanted, pools):
        rows = pool.rows()
        if len(rows):
            rows = rows[select(rows, n, zeta, settings.selection, rng)]
        inducing.append(np.ascontiguousarray(rows))
    return tuple(inducing)


def pool_bytes(settings, n_atoms: float, factor: float) -> float:
    """Memory of the candidates of one species with so many atoms times a factor, and of their
    kernel values with the points."""
    n_features, n_points = settings.descriptor.n_features, settings.most_points
    n = min(factor * n_atoms, capacity(n_features, n_points))
    return 8.0 * n * (n_features + n_points)


def capacity(n_features: int, n_points: int) -> int:
    """Candidates of one species that fit CANDIDATE_BYTES, always several for each point wanted."""
    per_candidate = 8 * max(n_features, n_points)
    return max(CANDIDATE_BYTES // per_candidate, 4 * n_points)


def number_wanted(n_inducing, z: int) -> int:
    if not isinstance(n_inducing, Mapping):
        return int(n_inducing)
    symbol = ase.data.chemical_symbols[z]
    for key in (symbol, z):
        if key in n_inducing:
            return int(n_inducing[key])
    raise GapyError(
        f"n_inducing: expected a number for {symbol}, got keys {list(n_inducing)}; add it"
    )
