"""Inducing points of a state that has seen data: added where the variance asks, dropped, redone.

New points need columns of old data. They come from a second pass over all old structures (exact),
from the old columns alone (projected, see `gapy.gp.online_selection`), or from the old columns
mended by what the sample tells (sampled, see `gapy.gp.column_estimation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gapy._support.threads import blas_threads
from gapy.errors import GapyError
from gapy.fit.sample import SampleRows
from gapy.fit.solving import posterior_of
from gapy.fit.training import TrainingState, add_structures
from gapy.gp import column_estimation, online_selection, pruning
from gapy.gp.frames import Frames
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks
from gapy.gp.whitening import extended
from gapy.structures import LabelledStructure, chained_digest, multiset_digest

COLUMNS = ("sampled", "projected", "exact")


def grow(
    state: TrainingState,
    grown: online_selection.NewPoints,
    *,
    columns: str = "sampled",
    sample_rows: float = 10.0,
    old: Sequence[LabelledStructure] | None = None,
    threads: int = 1,
    rows: SampleRows | None = None,
) -> TrainingState:
    """The state with new inducing points, as `gapy.gp.online_selection.choose` finds them.

    Arguments
    ---------
    columns : where the columns of the new points come from for the data seen so far
    sample_rows : label rows of the sample for each inducing point, where columns are sampled
    old : all structures seen, in any order; needed for exact columns
    rows : keeps rows of sampled structures that are computed on the way

    Raises GapyError where `old` is missing or is not what the state has seen.
    """
    terms = grown.extend(state.terms)
    with blas_threads(1):
        larger = replace(state, terms=terms, cholesky=extended(state.terms, state.cholesky, terms))
        if columns == "exact":
            if old is None:
                raise GapyError(
                    "old: expected the structures that the regressor has seen, since columns is "
                    "'exact' and points are added, got None; give them or use columns='sampled'"
                )
            return rebuild(larger, old, threads=threads)
        if columns == "projected":
            statistic = online_selection.projected(state.statistic, state.terms, grown)
            return replace(larger, statistic=statistic, approximate=True)
        sample = _enough(state, sample_rows * blocks(terms)[-1].stop)
        statistic = _statistic(larger, sample, threads, rows)
        approximate = len(sample) < state.n_structures
        if approximate:
            if state.potential is not None and state.is_solved:
                fitted = state.potential.posterior
            else:
                fitted = posterior_of(state, state.noise)
            statistic = column_estimation.estimated(
                state.statistic, state.terms, grown, fitted, statistic, state.noise.sigma
            )
        return replace(larger, statistic=statistic, approximate=approximate)


def rebuild(
    state: TrainingState, old: Sequence[LabelledStructure], *, threads: int = 1
) -> TrainingState:
    """The state with exact columns for all its points, from all structures it has seen.

    Raises GapyError if these are not the structures that it has seen.
    """
    known = True
    first = 0
    if state.earlier is not None:
        first, in_order = state.earlier
        known = chained_digest(old[:first]) == in_order
    if not (known and multiset_digest(old[first:]) == state.digest):
        raise GapyError(
            f"old: expected the {state.n_structures} structures that the regressor has seen, got "
            f"{len(old)} others; give exactly those"
            + (f", the first {first} in their order" if first else "")
        )
    with blas_threads(1):
        statistic = _statistic(state, old, threads)
    return replace(
        state, statistic=statistic, digest=multiset_digest(old), approximate=False, earlier=None
    )


def prune(
    state: TrainingState, *, change: float, unexplained: float
) -> tuple[TrainingState, float]:
    """The state without the points that can go, and the change that this makes, in noise sigmas.

    See `gapy.gp.pruning.removable` for the limits.
    """
    with blas_threads(1):
        fitted = posterior_of(state, state.noise)
        columns, made = pruning.removable(
            fitted, state.statistic.n_labels, change=change, unexplained=unexplained
        )
        if not len(columns):
            return state, made
        inducing = [list(term.inducing) for term in state.terms]
        for b in fitted.blocks:
            own = columns[(columns >= b.start) & (columns < b.stop)] - b.start
            inducing[b.term][b.slot] = np.delete(b.x_sd, own, axis=0)
        terms = tuple(replace(t, inducing=tuple(x)) for t, x in zip(state.terms, inducing))
        statistic, cholesky = pruning.without(
            state.statistic, fitted.blocks, state.cholesky, columns
        )
        return replace(state, terms=terms, cholesky=cholesky, statistic=statistic), made


def _enough(state: TrainingState, n_rows: float) -> list[LabelledStructure]:
    """So many of the sampled structures as have `n_rows` labels: a uniform sample of all seen."""
    labels = np.cumsum([s.n_labels for s in state.sample])
    return list(state.sample[: int(np.searchsorted(labels, n_rows)) + 1])


def _statistic(
    state: TrainingState, structures, threads: int, rows: SampleRows | None = None
) -> SufficientStatistic:
    """Of structures against all points of the state's terms."""
    statistic = SufficientStatistic(blocks(state.terms)[-1].stop)
    frames = Frames([s.atoms for s in structures], state.terms)
    add_structures(state, statistic, structures, frames, threads=threads, rows=rows)
    return statistic
