"""Noise and prior scale that the data themselves prefer: the maximum of the marginal likelihood.

First one sigma for each label kind and one delta for each block, then one sigma for each noise
group (label kind and config_type) within a factor `SPREAD` of its kind's. The bound is there
because the likelihood takes model errors for independent noise: without it, groups whose labels
are nearly exact (small strains of a crystal) pull the fit away from all others. Groups of few
labels share one sigma.

Labels that vanish (forces of perfect crystals, energies that are all e0) fit at any noise and would
only pull it to the floor: their group learns nothing. It has the sigma of its kind, and a kind of
which all labels vanish the noise that it came with.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from gapy.gp.likelihood import Likelihood, group_moments
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import Term, blocks
from gapy.noise import KINDS, Noise
from gapy.structures import StructureWarning

FLOOR = {"energy": 1e-4, "forces": 1e-3, "stress": 1e-5}
"""Least noise, in the units of the labels: about what reference calculations scatter by."""
VANISHING = 0.1
"""Labels whose root mean square is below this share of the floor count as zero."""
LARGEST = {"energy": 10.0, "forces": 100.0, "stress": 10.0}
SPREAD = 3.0
SMALL = 30
"""Labels below which a group has no sigma of its own."""
DELTA_RANGE = (1e-2, 1e3)
ITERATIONS = 50


@dataclass(frozen=True)
class Optimum:
    """Terms with the new delta, the new noise, and log p(y) there less that at the start.

    learnt: the label kinds whose noise is new.
    """

    terms: tuple[Term, ...]
    noise: Noise
    gain: float
    learnt: frozenset[str]


def maximise_likelihood(terms, cholesky, statistic: SufficientStatistic, noise: Noise) -> Optimum:
    """Maximise the log marginal likelihood over every sigma and delta, starting from `noise`.

    Costs the moments of each group, O(M^3), and some 20 to 80 times an O(M^3) factorisation,
    independent of the number of labels.
    """
    table = blocks(terms)
    told = [key for key, factor in statistic.factors.items() if not _vanishes(key[0], factor)]
    _say_what_stays(statistic, told, noise)
    if not told:
        return Optimum(terms, noise, 0.0, frozenset())
    by_kind = [g for g in ([k for k in told if k[0] == kind] for kind in KINDS) if g]
    groups = _groups(statistic, told)
    moments = group_moments(table, cholesky, statistic, groups)
    start_delta = np.log([b.delta for b in table])
    start = np.log([_mean_sigma(statistic, noise, keys) for keys in by_kind])
    kind_of = [next(k for k, keys in enumerate(by_kind) if keys[0][0] == g[0][0]) for g in groups]

    def by_kind_of(log_kind):
        return log_kind[kind_of]

    likelihood = Likelihood(table, moments)
    shared = np.eye(len(by_kind))[kind_of]
    limits = [(np.log(FLOOR[keys[0][0]]), np.log(LARGEST[keys[0][0]])) for keys in by_kind]
    first = _maximise(likelihood, shared, np.clip(start, *np.array(limits).T), start_delta, limits)
    log_sigma, log_delta = by_kind_of(first.log_parameters), first.log_delta
    best = first
    if len(groups) > len(by_kind):
        near = [
            (max(x - np.log(SPREAD), limits[k][0]), min(x + np.log(SPREAD), limits[k][1]))
            for x, k in zip(log_sigma, kind_of)
        ]
        best = _maximise(likelihood, np.eye(len(groups)), log_sigma, log_delta, near)
        log_sigma, log_delta = best.log_parameters, best.log_delta
    begin, *_ = likelihood.value_and_gradient(by_kind_of(start), start_delta)
    kinds = {keys[0][0]: float(np.exp(x)) for keys, x in zip(by_kind, first.log_parameters)}
    overrides = _untouched(statistic, noise, kinds)
    if len(groups) > len(by_kind):
        for keys, x in zip(groups, log_sigma):
            for kind, config_type in keys:
                overrides.setdefault(config_type, {})[kind] = float(np.exp(x))
    return Optimum(
        terms=_with_delta(terms, table, np.exp(log_delta)),
        noise=Noise(
            **{kind: kinds.get(kind, getattr(noise, kind)) for kind in KINDS},
            overrides=overrides,
        ),
        gain=0.5 * (begin - best.value),
        learnt=frozenset(kinds),
    )


@dataclass(frozen=True)
class _Point:
    log_parameters: np.ndarray
    log_delta: np.ndarray
    value: float


def _maximise(likelihood, spread_gp, start, start_delta, limits) -> _Point:
    """L-BFGS-B over log sigma = spread_gp @ parameters and log delta."""
    n = spread_gp.shape[1]

    def objective(x):
        value, slope, slope_delta = likelihood.value_and_gradient(spread_gp @ x[:n], x[n:])
        # A block on which the labels say nothing takes the mean delta of the others.
        off = x[n:] - x[n:].mean()
        slopes = np.concatenate([spread_gp.T @ slope, slope_delta + 2.0 * off])
        return value + off @ off, slopes

    bounds = [*limits, *[tuple(np.log(DELTA_RANGE))] * len(start_delta)]
    found = minimize(
        objective,
        np.concatenate([start, start_delta]),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": ITERATIONS, "ftol": 1e-7},
    )
    off = found.x[n:] - found.x[n:].mean()
    return _Point(found.x[:n], found.x[n:], float(found.fun - off @ off))


def _vanishes(kind: str, factor) -> bool:
    """Whether all labels of a group are zero to rounding, or vanish by symmetry with their rows."""
    if not factor.n_rows:
        return True
    return np.linalg.norm(factor.matrix()[:, -1]) < VANISHING * FLOOR[kind] * factor.n_rows**0.5


def _say_what_stays(statistic: SufficientStatistic, told, noise: Noise) -> None:
    """A warning for each kind whose labels all vanish."""
    for kind, unit in zip(KINDS, ("eV/atom", "eV/A", "eV/A^3")):
        if any(k[0] == kind for k in statistic.factors) and not any(k[0] == kind for k in told):
            warnings.warn(
                f"{kind}: all labels vanish, or must by symmetry, and tell nothing of their noise; "
                f"it stays at {getattr(noise, kind):g} {unit}, add structures away from symmetry "
                "or give the noise",
                StructureWarning,
                stacklevel=2,
            )


def _untouched(statistic: SufficientStatistic, noise: Noise, learnt) -> dict:
    """Overrides of kinds that are not learnt, and of groups without labels so far."""
    out: dict[str, dict[str, float]] = {}
    for name, given in noise.overrides.items():
        for kind, sigma in given.items():
            if kind not in learnt or (kind, name) not in statistic.factors:
                out.setdefault(name, {})[kind] = sigma
    return out


def _groups(statistic: SufficientStatistic, told) -> list[list[tuple[str, str]]]:
    """Keys of the factors that share one sigma: small groups of a kind together."""
    out = []
    for kind in KINDS:
        keys = [k for k in told if k[0] == kind]
        small = [k for k in keys if statistic.factors[k].n_rows < SMALL]
        out += [[k] for k in keys if k not in small]
        if small:
            out.append(small)
    return out


def _mean_sigma(statistic, noise: Noise, keys) -> float:
    """Geometric mean over the labels of what the groups of one kind have now."""
    counts = np.array([statistic.factors[k].n_rows for k in keys])
    return float(np.exp(np.average(np.log([noise.sigma(*k) for k in keys]), weights=counts)))


def _with_delta(terms, table, delta) -> tuple[Term, ...]:
    values = {(b.term, b.slot): float(x) for b, x in zip(table, delta)}
    return tuple(
        replace(term, delta=tuple(values.get((t, s), old) for s, old in enumerate(term.delta)))
        for t, term in enumerate(terms)
    )
