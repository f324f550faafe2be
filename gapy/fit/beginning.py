"""What comes before any labels: components of the descriptors, inducing points, the empty state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gapy.baselines import Baseline, closest_pairs, made_for
from gapy.descriptors import known_species
from gapy.error_bars.extrapolation import Extrapolation, learn_metric
from gapy.fit.term_settings import TermSettings
from gapy.fit.training import TrainingState, begin
from gapy.gp.components import projected
from gapy.gp.frames import Frames
from gapy.gp.noise import KINDS, Noise
from gapy.gp.terms import Term


def with_components(
    terms: Sequence[TermSettings], frames: Frames, seed: int
) -> tuple[list[TermSettings], Frames]:
    """Terms with projected descriptors, where asked for, and the structures for them."""
    found = [
        replace(
            term,
            descriptor=projected(
                frames, t, term.descriptor, term.n_components, term.most_points, seed
            ),
        )
        for t, term in enumerate(terms)
    ]
    return found, frames.seen_by(found)


def baselines_for(regressor, descriptors, frames: Sequence) -> tuple[Baseline, ...]:
    """What labels of these ASE structures lose: the baselines of a regressor."""
    return made_for(regressor.baselines, known_species(descriptors), lambda: closest_pairs(frames))


def reach_of(
    frames: Frames, terms: Sequence[TermSettings], threads: int = 1
) -> list[Extrapolation | None]:
    """The metric of each term's environments; None of pair terms, which have none."""
    return [
        None if term.descriptor.of_pairs else learn_metric(frames, t, term.descriptor, threads)
        for t, term in enumerate(terms)
    ]


def term_of(asked: TermSettings, inducing: tuple[np.ndarray, ...]) -> Term:
    """A term with its inducing points."""
    delta = (float(asked.delta or 0.0),) * len(inducing)
    species = None if asked.descriptor.of_pairs else tuple(int(z) for z in asked.species or ())
    return Term(asked.descriptor, int(asked.zeta or 0), inducing, delta, species)


def empty_state(
    terms: Sequence[Term],
    e0: Mapping[int, float],
    noise: Noise,
    regressor,
    reach: Sequence[Extrapolation | None],
    baselines: Sequence[Baseline],
) -> TrainingState:
    """The state before any labels, with the label kinds and seed of a regressor."""
    kinds = KINDS if regressor.fit_stress else tuple(k for k in KINDS if k != "stress")
    return begin(
        terms, e0, noise, baselines=baselines, kinds=kinds, seed=int(regressor.seed),
        reach=reach,
    )  # fmt: skip
