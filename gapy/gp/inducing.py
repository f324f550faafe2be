"""Inducing points of one term from a stream of structures, for every species that occurs."""

from __future__ import annotations

from collections.abc import Mapping

import ase.data
import numpy as np

from gapy.errors import GapyError
from gapy.gp.selection import Reservoir, select
from gapy.gp.terms import normalised
from gapy.progress import track
from gapy.threads import ordered_map

CANDIDATE_BYTES = 120_000_000
"""Memory for the candidates of one species, and again for their kernel values with the points
chosen; larger training sets are sampled uniformly."""


def choose_inducing(
    descriptor, frames, n_inducing, zeta: int, method: str, rng, *, threads=1, progress=False
) -> tuple[np.ndarray, ...]:
    """Normalised descriptors (M_s, D) for each species slot; empty for one that does not occur.

    frames: ASE Atoms. n_inducing: int, or {symbol: int}. Raises GapyError for an unknown method
    or a species without a number.
    """
    n_features = descriptor.n_features
    occurring = set(np.unique(np.concatenate([atoms.numbers for atoms in frames])).tolist())
    wanted = [_wanted(n_inducing, z) if z in occurring else 1 for z in descriptor.species]
    pools = [Reservoir(_capacity(n_features, n), n_features, rng) for n in wanted]

    def values(atoms):
        env = descriptor.environments(atoms)
        return [
            [normalised(descriptor.values(env, b, e)) for b, e in env.blocks(slot)]
            for slot in range(len(pools))
        ]

    computed = ordered_map(values, frames, threads)
    for parts in track(computed, "descriptors", progress, total=len(frames)):
        for pool, rows in zip(pools, parts):
            for x_id in rows:
                pool.add(x_id)
    inducing = []
    for n, pool in zip(wanted, pools):
        rows = pool.rows()
        if len(rows):
            rows = rows[select(rows, n, zeta, method, rng)]
        inducing.append(np.ascontiguousarray(rows))
    return tuple(inducing)


def _capacity(n_features: int, n_points: int) -> int:
    """Candidates that fit the memory, but always several for each point wanted."""
    per_candidate = 8 * max(n_features, n_points)
    return max(CANDIDATE_BYTES // per_candidate, 4 * n_points)


def _wanted(n_inducing, z: int) -> int:
    if not isinstance(n_inducing, Mapping):
        return int(n_inducing)
    symbol = ase.data.chemical_symbols[z]
    for key in (symbol, z):
        if key in n_inducing:
            return int(n_inducing[key])
    raise GapyError(
        f"n_inducing: expected a number for {symbol}, got keys {list(n_inducing)}; add it"
    )
