"""From the labels in a state to a potential: noise and prior learnt, weights solved, calibrated."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

import gapy
from gapy._support.progress import track
from gapy._support.threads import blas_threads
from gapy.error_bars.spread import LeftOutSpread
from gapy.fit.balance import balanced
from gapy.fit.labels import labels_of, rows_of, whitened_labels
from gapy.fit.out_of_sample import calibrate, out_of_sample
from gapy.fit.sample import Sampled, SampleRows
from gapy.fit.training import TrainingState
from gapy.gp import posterior
from gapy.gp.frames import Frames
from gapy.gp.hyperparameters import maximise_likelihood
from gapy.gp.noise import Noise
from gapy.gp.residuals import residual_rms
from gapy.gp.terms import blocks
from gapy.model.potential import Potential

SHARES = (0.5, 1.0)
"""How much more exact than its kind a group may be, of what the likelihood says (a logarithm)."""
N_REFERENCES = 3


def learn(state: TrainingState, *, rows: SampleRows | None = None) -> TrainingState:
    """The state with the delta and the noise that its labels prefer; not solved yet.

    First by the log marginal likelihood (`gapy.gp.hyperparameters`), then the kinds against one
    another by the errors of left-out structures (`gapy.fit.balance`).
    """
    rows = rows or SampleRows()
    with blas_threads(1):
        best = maximise_likelihood(state.terms, state.statistic, state.noise)
        learnt = replace(state, terms=best.terms)
        noise = balanced(
            [best.near_kinds(share) for share in SHARES],
            best.learnt,
            blocks(best.terms),
            best.moments,
            _sampled(learnt, rows),
            state.approximate,
        )
        return replace(learnt, noise=noise, likely=best.noise)


def solve(
    state: TrainingState,
    *,
    rows: SampleRows | None = None,
    calibrated: bool = True,
    force_tolerance: float | None = None,
    record: Mapping[str, object] | None = None,
    progress: bool = False,
) -> TrainingState:
    """The state with its potential, for the noise and the delta in force.

    rows: of sampled structures, where they are known. calibrated: whether the force sigma is
    calibrated on the sample; without it the potential keeps the calibration of the one before.
    force_tolerance: see `Potential.reduced`. record: plain JSON that the potential's metadata hold
    beside what the state knows.
    """
    with blas_threads(1):
        fitted = posterior_of(state, state.noise)
        if calibrated or state.potential is None:
            results = _left_out(state, fitted, state.noise, rows or SampleRows())
            spread = LeftOutSpread()
            calibration = calibrate(
                spread.watch(track(results, "calibration", progress)), state.noise, state.terms
            )
            factors = spread.factors()
        else:
            calibration = state.potential.calibration
            kept = state.potential.metadata.get("left_out_spread", {})
            factors = cast(dict[str, float], kept)
        potential = Potential(
            terms=state.terms,
            posterior=fitted,
            e0=dict(state.e0),
            baselines=state.baselines,
            noise=state.noise,
            calibration=calibration,
            reach=state.reach,
            metadata={**_metadata(state, fitted, factors), **(record or {})},
        )
        sample = [s.atoms for s in state.calibration_sample]
        if force_tolerance is not None:
            potential = potential.reduced(float(force_tolerance), sample)
        references = tuple(atoms.copy() for atoms in sample[:N_REFERENCES])
        return replace(
            state,
            potential=potential.with_references(references),
            solved_from=(state.terms, state.noise, state.statistic),
        )


def posterior_of(state: TrainingState, noise: Noise) -> posterior.Posterior:
    """The posterior of the state's labels for some noise."""
    return posterior.solve(state.terms, state.cholesky, state.statistic, noise.sigma)


def _left_out(state, fitted, noise, rows: SampleRows):
    sampled = _sampled(state, rows)
    return out_of_sample(fitted, noise, sampled, state.terms, approximate=state.approximate)


def _sampled(state: TrainingState, rows: SampleRows):
    """The sample with its rows, one structure at a time."""

    def compute(s):
        frames = Frames([s.atoms], state.terms)
        found = rows_of(state.terms, s, state.kinds, frames.environments(0), local=True)
        labels = labels_of(s, found, state.e0, state.baselines)
        labels = whitened_labels(labels, blocks(state.terms), state.cholesky)
        return Sampled(s, cast("np.ndarray", found.local), labels, frames.pairs(0))

    return rows.all_of(state.calibration_sample, compute)


def _metadata(state: TrainingState, fitted: posterior.Posterior, spread: Mapping) -> dict:
    """Plain JSON: versions, hash of the data, counts of labels by config_type and kind.

    spread: of left-out errors, see `gapy.error_bars.spread`.
    """
    counts: dict = {}
    for group, factor in sorted(state.statistic.factors.items()):
        of = counts.setdefault(group.config_type, {})
        of[group.kind] = of.get(group.kind, 0) + factor.n_rows
    before = {} if state.potential is None else state.potential.metadata
    likely = before.get("likely_noise") if state.likely is None else state.likely.to_dict()
    residuals: dict[str, dict[str, float]] = {}
    if likely is not None:
        for group, rms in residual_rms(fitted, state.statistic).items():
            if not group.own:
                residuals.setdefault(group.config_type, {})[group.kind] = rms
    return {
        **({"left_out_spread": dict(spread)} if spread else {}),
        **({} if likely is None else {"likely_noise": likely, "residuals": residuals}),
        "gapy": gapy.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "data_sha256": state.digest.hex(),
        "n_structures": state.n_structures,
        "n_labels": counts,
        "log_marginal_likelihood": fitted.log_marginal_likelihood,
    }
