"""The scale of given charges that left-out errors prefer, before the fit.

Labels y lose s u, where u is what the unit scale of the charges gives (its own e0 subtracted). For
a given noise the left-out residuals r_k of structure k are linear in y
(`gapy.error_bars.cross_validation`), so those of every s are known from those of y and of u:

    r_k(s) = r_k(y) - s r_k(u),      J(s) = mean_v log mean_k rms_v r_k(s)

with kinds v, energies and force components, and the smallest J gives s. The noise is learnt for the
labels at the last s; a few rounds settle. The standard error is that of the jackknife over
structures. All of it on a bounded sample and with few inducing points.

Why not the marginal likelihood, whose s is in closed form: of ions from tight binding it holds the
many forces at short range against the few energies, says that energies are noise, and gives a
charge that is too small far away.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeGuard

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from gapy._support.threads import blas_threads
from gapy.baselines import Baseline, Coulomb, isolated_atom_energies
from gapy.baselines.coulomb import LARGEST_SCALE
from gapy.error_bars.cross_validation import left_out_residual
from gapy.errors import GapyError
from gapy.fit.labels import (
    Labels,
    add_whitened,
    labels_of,
    rows_of,
    stacked,
    whitened_labels,
    without,
)
from gapy.fit.sample import Sampled, SampleRows, fewer_points
from gapy.fit.solving import learn, posterior_of
from gapy.fit.training import TrainingState
from gapy.gp.frames import Frames
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks
from gapy.structures import LabelledStructure, is_isolated_atom

STRUCTURES, LARGEST = 60, 300
"""Of the sample at most, and atoms of each: leaving one out is work that grows with their cube."""
FEWEST = 10
"""Structures without which no scale is learnt."""
KINDS = ("energy", "forces")
TRIED = np.concatenate(
    [-np.geomspace(LARGEST_SCALE, 0.01, 80), [0.0], np.geomspace(0.01, LARGEST_SCALE, 80)]
)
"""Scales between which the smallest J is looked for; below 0 are charges of other signs."""
ROUNDS, SETTLED = 5, 1e-2
LEAST = 1e-12
"""Of a mean error (eV/atom, eV/A), for its logarithm."""
CLEARLY = 3.0
"""Standard errors above zero from which there are charges."""


@dataclass(frozen=True)
class Scale:
    """s, no unit; its standard error; structures of the sample."""

    value: float
    error: float
    n_structures: int


class Preferred(NamedTuple):
    """The scale of the smallest J, and those without each structure."""

    scale: float
    left_out: list[float]


def with_scales(
    regressor, baselines: Sequence[Baseline], structures: Sequence[LabelledStructure]
) -> tuple[Baseline, ...]:
    """The baselines, charges of a scale "fit" with the number that left-out errors prefer.

    Raises GapyError for fewer than FEWEST structures, or a scale that is not CLEARLY positive.
    """
    return tuple(
        b.scaled(charge_scale(regressor, baselines, structures).value) if learns(b) else b
        for b in baselines
    )


def learns(baseline: Baseline | str) -> TypeGuard[Coulomb]:
    """Whether a baseline, or a word for one, is charges whose scale has still to be found."""
    return isinstance(baseline, Coulomb) and baseline.learns


def charge_scale(
    regressor, baselines: Sequence[Baseline], structures: Sequence[LabelledStructure]
) -> Scale:
    """The scale of the charges among the baselines; the regressor stays as it is.

    Raises as `with_scales` does.
    """
    sample = scale_sample(structures, int(regressor.seed))
    if len(sample) < FEWEST:
        raise GapyError(
            f"baseline coulomb, scale: expected at least {FEWEST} structures with energies to "
            f"learn it from, got {len(sample)}; give a number"
        )
    unit = [b.scaled(1.0) if isinstance(b, Coulomb) else b for b in baselines]
    (charges,) = (b for b in unit if isinstance(b, Coulomb))
    alone = [s for s in structures if is_isolated_atom(s)]
    found = preferred_scale(regressor, unit, charges, sample, alone)
    if found.value > 0.99 * LARGEST_SCALE:
        raise GapyError(
            f"baseline coulomb, scale: expected one below {LARGEST_SCALE:g}, the labels prefer a "
            "larger one; give larger charges"
        )
    if not found.value > CLEARLY * found.error:
        raise GapyError(
            f"baseline coulomb, scale: expected labels that prefer charges of these signs, got a "
            f"scale of {found.value:.3g} with a standard error of {found.error:.2g}; give a "
            "number, other charges or leave the baseline out"
        )
    return found


def preferred_scale(regressor, baselines: Sequence[Baseline], of: Baseline, sample, alone) -> Scale:
    """The factor of one of the baselines, `of`, that left-out errors of a sample prefer.

    alone: isolated atoms. Whatever it is, none is refused.
    """
    others = [b for b in baselines if b != of]
    few = clone(regressor, safe=False)
    few.set_params(
        baselines=list(baselines),
        n_inducing=fewer_points(regressor.n_inducing, sample),
        progress=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is odd is said by the fit itself
        start = few.begin([*sample, *alone])
        bare_e0 = isolated_atom_energies([without(s, others) for s in (*sample, *alone)], few.e0)
        with blas_threads(1):
            return _settled(start, sample, *_labels(start, sample, bare_e0, others))


def scale_sample(structures: Sequence[LabelledStructure], seed: int) -> list[LabelledStructure]:
    """Those that the scale is found from: of several atoms, with the smallest seeded hashes.

    That of two parts is that of their samples.
    """
    salt = f"{seed}:scale:".encode()
    usable = [s for s in structures if 1 < len(s.atoms) <= LARGEST and s.energy is not None]
    return sorted(usable, key=lambda s: s.digest(salt))[:STRUCTURES]


def _labels(start: TrainingState, sample, bare_e0, others):
    """Of every structure its labels without the baseline, those of unit scale, its pairs.

    With whitened rows, which both share.
    """
    frames = Frames([s.atoms for s in sample], start.terms)
    table, out = blocks(start.terms), []
    for k, s in enumerate(sample):
        rows = rows_of(start.terms, s, start.kinds, frames.environments(k))
        bare = whitened_labels(labels_of(s, rows, bare_e0, others), table, start.cholesky)
        unit = [
            replace(one, rows=same.rows)
            for one, same in zip(labels_of(s, rows, start.e0, start.baselines), bare)
        ]
        out.append((bare, unit, frames.pairs(k)))
    return tuple(zip(*out))


def _settled(start: TrainingState, sample, bare, unit, pairs) -> Scale:
    scale, n = 1.0, len(sample)
    for _ in range(ROUNDS):
        state = _learnt(start, sample, _mixed(bare, unit, scale), pairs)
        both = [_residuals(state, labels) for labels in (bare, unit)]
        found = _best(*both)
        before, scale = scale, found.scale
        if abs(scale - before) < SETTLED:
            break
    left = np.array(found.left_out)
    error = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    return Scale(float(scale), float(error), n)


def _learnt(start: TrainingState, sample, labels, pairs) -> TrainingState:
    """The state with the delta and noise for these labels, a list for each structure."""
    statistic, kept = _statistic(start, labels), SampleRows()
    none = np.empty((0, start.n_columns))
    for s, own, of in zip(sample, labels, pairs):
        kept.keep(Sampled(s, none, own, of))
    return learn(replace(start, statistic=statistic, sample=tuple(sample)), rows=kept)


def _statistic(start: TrainingState, labels) -> SufficientStatistic:
    out = SufficientStatistic(start.n_columns)
    for of in labels:
        add_whitened(out, of)
    return out


def _mixed(bare, unit, scale: float) -> list[list[Labels]]:
    """Labels that have lost the charges at a scale."""
    return [
        [replace(a, y=(1.0 - scale) * a.y + scale * b.y) for a, b in zip(*of)]
        for of in zip(bare, unit)
    ]


def _residuals(state: TrainingState, labels) -> list[dict[str, np.ndarray]]:
    """Left-out residuals of every structure by kind, for the delta and noise of a state."""
    fitted = posterior_of(replace(state, statistic=_statistic(state, labels)), state.noise)
    out: list[dict[str, np.ndarray]] = []
    for of in labels:
        stack = stacked(of, state.noise)
        if stack is None:
            out.append({})
            continue
        residual = left_out_residual(fitted, fitted.scaled(stack.rows), stack.y, stack.sigma)
        out.append({v: residual[stack.where[v]] for v in KINDS if v in stack.where})
    return out


def _best(bare: list[dict[str, np.ndarray]], unit: list[dict[str, np.ndarray]]) -> Preferred:
    """The s of the smallest J, of all structures and without each."""
    squares = [_squares(bare, unit, v) for v in KINDS if any(v in r for r in bare)]

    def badness(s, known=slice(None)):
        """J for an array of s."""
        of_kinds = (np.sqrt(np.maximum(of[known] @ _powers(s), 0.0)) for of in squares)
        # Labels that are all alike leave no error at all.
        means = (np.maximum(np.nanmean(errors, axis=0), LEAST) for errors in of_kinds)
        return np.mean([np.log(mean) for mean in means], axis=0)

    def smallest(known=slice(None)) -> float:
        k = int(np.clip(np.argmin(badness(TRIED, known)), 1, len(TRIED) - 2))
        around = (TRIED[k - 1], TRIED[k + 1])
        return float(minimize_scalar(lambda s: badness(np.array([s]), known)[0], bounds=around).x)

    n = len(bare)
    return Preferred(smallest(), [smallest(np.delete(np.arange(n), k)) for k in range(n)])


def _squares(bare, unit, kind: str) -> np.ndarray:
    """Mean squares of a kind, (structures, 3): of y, its product with that of y - u, of y - u."""
    out = np.full((len(bare), 3), np.nan)
    for k, (of, less) in enumerate(zip(bare, unit)):
        if kind in of:
            a, b = of[kind], less[kind]
            out[k] = np.mean(a * a), np.mean(a * b), np.mean(b * b)
    return out


def _powers(s: np.ndarray) -> np.ndarray:
    """What the three count in the mean square of (1 - s) a + s b."""
    return np.stack([(1.0 - s) ** 2, 2.0 * s * (1.0 - s), s**2])
