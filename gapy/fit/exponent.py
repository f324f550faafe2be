"""The exponent zeta of the kernel, chosen by left-out errors of a part of the training structures.

A kernel of zeta = 2 is one quadratic form, whose cost does not know the number of points, so
another exponent has to be clearly better. For every candidate, a few inducing points (the same for
all) are fitted to a bounded sample with learnt noise; the left-out residuals r_k of structure k are
in closed form (`gapy.error_bars.cross_validation`). With E_v the mean over structures k of the root
mean square of r_k, of energies per atom and of force components (kinds v), and n structures,

    J(zeta) = mean_v log E_v(zeta),      gain = 1 - exp[J(zeta) - J(2)],

    standard error^2 = (n - 1)/n sum_k (gain_k - mean gain_k)^2,   gain_k that without structure k

(the jackknife: B. Efron, C. Stein, Ann. Stat. 9, 586 (1981)). zeta = 1 is no candidate: it costs
more than 2, and what it can describe does not grow with the number of points.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from gapy._support.threads import blas_threads
from gapy.error_bars.cross_validation import left_out_residual
from gapy.fit.labels import add_labels, labels_of, rows_of, stacked
from gapy.fit.sample import Sampled, SampleRows, fewer_points
from gapy.fit.solving import learn, posterior_of
from gapy.fit.training import TrainingState
from gapy.gp.frames import Frames
from gapy.gp.noise import Noise
from gapy.gp.rows import Rows
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks, cholesky_factors
from gapy.structures import LabelledStructure, is_isolated_atom

PRIOR = 2
"""The exponent that is left only for a clearly better one."""
CANDIDATES = (2, 3, 4)
CLEARLY, ERRORS = 0.03, 3.0
"""Gain, and standard errors of it, from which another exponent is clearly better; of several that
are, the smallest within CLEARLY of the best is taken. With two standard errors 1 of 6 seeds left 2
for AlAs, where others said the opposite; with three none of 6 seeds did for any of six sets."""
STRUCTURES, SHARE = 60, 0.15
"""Structures of the sample at most; share of the atoms of the
training set that the sample has at most, so that the choice costs little beside the fit."""
FEWEST = 12
"""Structures without which nothing is chosen, and labelled ones without which a kind has no say."""
MOST_LABELS = 1000
"""Labels of a structure in the sample: leaving it out is work that grows with their cube."""
KINDS = ("energy", "forces")


@dataclass(frozen=True)
class Choice:
    """zeta, and why: of every candidate the left-out errors.

    errors: {zeta: {"energy": E in eV/atom, "forces": E in eV/A}}, of the kinds that are labelled;
    gain, sigma: {zeta: 1 - exp[J - J(2)] and its standard error}. All empty where nothing was
    tried. n_structures, n_points: of the sample.
    """

    zeta: int
    n_structures: int
    n_points: int
    errors: Mapping[int, Mapping[str, float]]
    gain: Mapping[int, float]
    sigma: Mapping[int, float]


def choose_exponent(regressor, structures: Sequence[LabelledStructure]) -> Choice:
    """The exponent for a fit of `regressor`, which is left as it is, to these structures.

    Its descriptor is one dscribe SOAP or descriptor of gapy, its zeta is not looked at. The sample
    is the structures with the smallest hashes, seeded by `regressor.seed`: whatever the order.
    Raises what a fit to them raises.
    """
    sample = sample_of(structures, int(regressor.seed))
    if len(sample) < FEWEST:
        return Choice(PRIOR, len(sample), 0, {}, {}, {})
    few = clone(regressor, safe=False)
    # Points chosen by the sharpest kernel: that of a smaller exponent may take fewer for all.
    few.set_params(
        zeta=CANDIDATES[-1], n_inducing=fewer_points(regressor.n_inducing, sample), progress=False
    )
    alone = [s for s in structures if is_isolated_atom(s)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is odd is said by the fit itself
        start = few.begin([*sample, *alone])
        with blas_threads(1):
            squares = _squares(start, sample, learns=bool(few.optimize))
    if not squares[PRIOR]:
        return Choice(PRIOR, len(sample), start.n_columns, {}, {}, {})
    return chosen(squares, len(sample), start.n_columns)


def chosen(squares: Mapping[int, Mapping[str, np.ndarray]], n: int, n_points: int) -> Choice:
    """The Choice from mean squared left-out errors {zeta: {kind: (structures,)}}."""
    errors = {z: mean_errors(of) for z, of in squares.items()}
    gain, sigma = {PRIOR: 0.0}, {PRIOR: 0.0}
    for z in squares.keys() - {PRIOR}:
        gain[z], sigma[z] = gain_of(squares[z], squares[PRIOR], n)
    better = [z for z in gain if gain[z] >= max(CLEARLY, ERRORS * sigma[z])]
    best = max((gain[z] for z in better), default=0.0)
    near = [z for z in better if gain[z] >= best - CLEARLY]
    return Choice(min(near, default=PRIOR), n, n_points, errors, gain, sigma)


def mean_errors(squares: Mapping[str, np.ndarray]) -> dict[str, float]:
    """E_v of mean squared errors by kind and structure."""
    return {v: float(np.nanmean(np.sqrt(e))) for v, e in squares.items()}


def gain_of(
    mine: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], n: int
) -> tuple[float, float]:
    """1 - exp[J(mine) - J(other)] and its standard error, over n structures."""

    def found(known):
        return 1.0 - np.exp(score(mine, known) - score(other, known))

    everything = np.arange(n)
    without = np.array([found(np.delete(everything, k)) for k in everything])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return float(found(everything)), float(error)


def sample_of(structures: Sequence[LabelledStructure], seed: int) -> list[LabelledStructure]:
    """Structures with energies or forces and the smallest seeded hashes, within the bounds."""
    salt = f"{seed}:zeta:".encode()
    most = SHARE * sum(len(s.atoms) for s in structures)
    usable = [
        s
        for s in structures
        if (s.energy is not None or s.forces is not None)
        and 3 * len(s.atoms) + 7 <= MOST_LABELS
        and not is_isolated_atom(s)
    ]
    out: list[LabelledStructure] = []
    for s in sorted(usable, key=lambda s: s.digest(salt)):
        most -= len(s.atoms)
        if most < 0 or len(out) == STRUCTURES:
            break
        out.append(s)
    return out


def _squares(start: TrainingState, sample, *, learns: bool) -> dict[int, dict[str, np.ndarray]]:
    """Mean squared left-out errors {zeta: {kind: (structures,)}}, NaN without such a label."""
    (term,) = start.terms
    terms = {z: replace(term, zeta=z) for z in CANDIDATES}
    m = start.n_columns
    factors = {z: cholesky_factors([terms[z]]) for z in CANDIDATES}
    statistics = {z: SufficientStatistic(m) for z in CANDIDATES}
    kept = {z: SampleRows() for z in CANDIDATES}
    frames = Frames([s.atoms for s in sample], [term])
    for k, s in enumerate(sample):
        envs = frames.environments(k) * len(CANDIDATES)
        every = rows_of(list(terms.values()), s, start.kinds, envs)
        for c, z in enumerate(CANDIDATES):
            labels = labels_of(s, _columns(every, c * m, m), start.e0, start.baselines)
            labels = add_labels(statistics[z], labels, blocks([terms[z]]), factors[z])
            kept[z].keep(Sampled(s, np.empty((0, m)), labels, frames.pairs(k)))
    states = []
    for z in CANDIDATES:
        state = replace(
            start, terms=(terms[z],), cholesky=factors[z], statistic=statistics[z],
            sample=tuple(sample),
        )  # fmt: skip
        states.append(learn(state, rows=kept[z]) if learns else state)
    # What is learnt from so few structures depends on chance: each has the choice of all.
    noises = [state.noise for state in states] if learns else [start.noise]
    out = {}
    for z, state in zip(CANDIDATES, states):
        tried = [left_out_squares(state, noise, kept[z], sample) for noise in noises]
        out[z] = min(tried, key=score) if tried[0] else {}
    return out


def score(squares: Mapping[str, np.ndarray], known=slice(None)) -> float:
    """J of mean squared errors by kind and structure."""
    return float(np.mean([np.log(np.nanmean(np.sqrt(of[known]))) for of in squares.values()]))


def left_out_squares(state: TrainingState, noise: Noise, kept, sample) -> dict[str, np.ndarray]:
    fitted = posterior_of(state, noise)
    squares = np.full((2, len(sample)), np.nan)
    for k, one in enumerate(kept.all_of(sample, _unknown)):
        stack = stacked(one.labels, noise)
        if stack is None:
            continue
        residual = left_out_residual(fitted, fitted.scaled(stack.rows), stack.y, stack.sigma)
        for v, (kind, unit) in enumerate((("energy", len(one.structure.atoms)), ("forces", 1))):
            of = stack.of(kind, residual)
            if of is not None:
                squares[v, k] = ((of / unit) ** 2).mean()
    known = np.isfinite(squares).sum(axis=1) >= FEWEST
    return {kind: squares[v] for v, kind in enumerate(KINDS) if known[v]}


def _unknown(s) -> Any:
    raise KeyError(s.where)  # all rows of the sample are kept


def _columns(rows: Rows, begin: int, number: int) -> Rows:
    """Those of one candidate."""
    of = slice(begin, begin + number)
    every = (rows.energy, rows.local, rows.forces, rows.stress)
    return Rows(*(None if x is None else np.ascontiguousarray(x[..., of]) for x in every))
