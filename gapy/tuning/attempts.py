"""Candidates tried: here one after the other, or as tasks of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gapy.distributed.cluster import RETRIES, held
from gapy.errors import GapyError
from gapy.structures import LabelledStructure
from gapy.tuning.candidates import Candidate
from gapy.tuning.cost import force_cost
from gapy.tuning.results import Row
from gapy.tuning.scores import score


@dataclass(frozen=True, eq=False)
class Trial:
    """What all candidates of a search have in common; it can travel.

    structures: in `stratified` order; timed: the structure whose force call is timed; the others
    as in `tune`.
    """

    species: Sequence[str]
    structures: Sequence[LabelledStructure]
    timed: object
    criterion: str
    target: str
    holdout: float
    seed: int
    options: Mapping


def tried(trial: Trial, stage: str, n: int, candidate: Candidate, threads: int = 1) -> Row:
    """The row of a candidate fitted to the first n structures; one with a note if that fails."""
    try:
        found, potential = score(
            candidate, trial.species, trial.structures[:n], trial.criterion,
            holdout=trial.holdout, seed=trial.seed, options=trial.options, threads=threads,
        )  # fmt: skip
        if not found.is_finite():
            raise GapyError("the fit gives no finite error; change the noise or the settings")
    except (GapyError, np.linalg.LinAlgError) as error:
        return Row(stage, n, candidate, note=" ".join(str(error).split()))
    us, ratio = force_cost(potential, trial.timed)
    return Row(
        stage, n, candidate, found.energy_rmse, found.forces_rmse, found.log_likelihood,
        found.error(trial.criterion, trial.target), us, ratio, found.fit_seconds,
    )  # fmt: skip


Begin = Callable[[str, int, Sequence[Candidate]], list[Callable[[], Row]]]
"""Begins to try candidates; returns what waits for the row of each."""


def here(trial: Trial, threads: int) -> Begin:
    """In this process, each when its row is asked for."""

    def begin(stage, n, candidates):
        return [lambda c=c: tried(trial, stage, n, c, threads) for c in candidates]

    return begin


def on_cluster(trial: Trial, client) -> Begin:
    """On the workers of a Dask client, all at once."""
    common = held(client, trial)

    def begin(stage, n, candidates):
        return [
            client.submit(tried, common, stage, n, c, pure=False, retries=RETRIES).result
            for c in candidates
        ]

    return begin
