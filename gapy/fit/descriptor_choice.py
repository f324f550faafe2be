"""Another descriptor, or two, chosen by left-out errors of a part of the training structures.

As the exponent is (`gapy.fit.exponent`, whose sample, score J and jackknife these are): both models
are fitted to a bounded sample with learnt noise. What replaces one whole SOAP has to gain three
standard errors and a tenth where it is two SOAPs, which cost more; where it is a mixing into fewer
components, which costs less, three tenths: few structures favour few components more than the
whole set will.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from gapy._support.threads import blas_threads
from gapy.fit.exponent import (
    ERRORS,
    FEWEST,
    fewer_points,
    gain_of,
    left_out_squares,
    mean_errors,
    sample_of,
    score,
)
from gapy.fit.labels import add_labels, labels_of, rows_of
from gapy.fit.sample import Sampled, SampleRows
from gapy.fit.solving import learn
from gapy.fit.training import TrainingState
from gapy.gp.frames import Frames
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks
from gapy.structures import LabelledStructure, is_isolated_atom

SUM = 0.1
"""Gain from which two SOAPs are taken; they cost 1.4 to 2 times one."""
MIXING = 0.3
"""Gain from which mixed densities are taken. In samples of 24 to 60 structures they gain 65 to 71 %
in alloys of Cu with Ag, Au, Ni and Pd, where they are right, and 18 % in NbMo, of which all 1324
structures lose 12 % by them."""
SHARE = 0.7
"""Inducing points of each of two SOAPs, as a share of those of one: the fit goes by their sum."""


@dataclass(frozen=True)
class DescriptorChoice:
    """other: whether the other descriptor is worth it; gain, error: 1 - exp[J(other) - J(one)] and
    its standard error; errors: {"energy": (eV/atom of one, of the other), "forces": (eV/A, eV/A)}.
    Without a gain where the structures are too few."""

    other: bool
    n_structures: int
    gain: float | None = None
    error: float = 0.0
    errors: dict[str, tuple[float, float]] | None = None


def choose_sum(
    regressor, pair_of_soaps, structures: Sequence[LabelledStructure]
) -> DescriptorChoice:
    """For a fit of `regressor`, of one SOAP, which is left as it is; or of these two instead."""
    return _clearly(_compared(regressor, pair_of_soaps, fewer_of_each, structures), SUM)


def choose_mixing(regressor, compressed, structures: Sequence[LabelledStructure]):
    """The same for one SOAP without compression, or one whose densities meet the total one."""
    return _clearly(_compared(regressor, compressed, lambda points: points, structures), MIXING)


def _clearly(found: DescriptorChoice, least: float) -> DescriptorChoice:
    if found.gain is None:
        return found
    return replace(found, other=bool(found.gain >= max(least, ERRORS * found.error)))


def _compared(regressor, other, points_of, structures) -> DescriptorChoice:
    """Both fits to a sample, nothing chosen; points_of: points of the other from the first's."""
    sample = sample_of(structures, int(regressor.seed))
    if len(sample) < FEWEST:
        return DescriptorChoice(False, len(sample))
    alone = [s for s in structures if is_isolated_atom(s)]
    fewer: Any = fewer_points(regressor.n_inducing, sample)
    states, kept = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is odd is said by the fit itself
        for descriptor, points in ((regressor.descriptor, fewer), (other, points_of(fewer))):
            few = clone(regressor, safe=False)
            few.set_params(descriptor=descriptor, n_inducing=points, progress=False)
            start = few.begin([*sample, *alone])
            with blas_threads(1):
                state, rows = _with_labels(start, sample)
                states.append(learn(state, rows=rows) if few.optimize else state)
            kept.append(rows)
    with blas_threads(1):
        noises = [state.noise for state in states]
        tried = [
            [left_out_squares(state, noise, rows, sample) for noise in noises]
            for state, rows in zip(states, kept)
        ]
    if not tried[0][0]:
        return DescriptorChoice(False, len(sample))
    one, two = (min(of, key=score) for of in tried)
    gain, error = gain_of(two, one, len(sample))
    means = [mean_errors(of) for of in (one, two)]
    errors = {kind: (means[0][kind], means[1][kind]) for kind in means[0]}
    if not np.isfinite(gain):
        return DescriptorChoice(False, len(sample))
    return DescriptorChoice(False, len(sample), gain, error, errors)


def _with_labels(start: TrainingState, sample) -> tuple[TrainingState, SampleRows]:
    """The state with the labels of the sample, and all their rows."""
    statistic, kept = SufficientStatistic(start.n_columns), SampleRows()
    frames, none = Frames([s.atoms for s in sample], start.terms), np.empty((0, start.n_columns))
    for k, s in enumerate(sample):
        rows = rows_of(start.terms, s, start.kinds, frames.environments(k))
        labels = labels_of(s, rows, start.e0, start.baselines)
        labels = add_labels(statistic, labels, blocks(start.terms), start.cholesky)
        kept.keep(Sampled(s, none, labels, frames.pairs(k)))
    return replace(start, statistic=statistic, sample=tuple(sample)), kept


def fewer_of_each(n_inducing):
    """Points of each of two SOAPs from those of one."""
    if isinstance(n_inducing, int | float):
        return max(round(SHARE * n_inducing), 1)
    return {symbol: max(round(SHARE * n), 1) for symbol, n in n_inducing.items()}
