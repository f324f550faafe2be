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

CANDIDATE_BYTES = 400_000_000
"""Memory for candidates of one species; larger training sets are sampled uniformly."""


def choose_inducing(
    descriptor, frames, n_inducing, zeta: int, method: str, rng, *, threads=1, progress=False
) -> tuple[np.ndarray, ...]:
    """Normalised descriptors (M_s, D) for each species slot; empty for one that does not occur.

    frames: ASE Atoms. n_inducing: int, or {symbol: int}. Raises GapyError for an unknown method
    or a species without a number.
    """
    n_features = descriptor.n_features
    capacity = max(int(CANDIDATE_BYTES // (8 * n_features)), 1)
    pools = [Reservoir(capacity, n_features, rng) for _ in descriptor.species]

    def values(atoms):
        env = descriptor.environments(atoms)
        return [
            [normalised(descriptor.values(env, b, e)) for b, e in env.blocks(slot, 256)]
            for slot in range(len(pools))
        ]

    computed = ordered_map(values, frames, threads)
    for parts in track(computed, "descriptors", progress, total=len(frames)):
        for pool, rows in zip(pools, parts):
            for x_id in rows:
                pool.add(x_id)
    inducing = []
    for z, pool in zip(descriptor.species, pools):
        rows = pool.rows()
        if len(rows):
            rows = rows[select(rows, _wanted(n_inducing, z), zeta, method, rng)]
        inducing.append(np.ascontiguousarray(rows))
    return tuple(inducing)


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
