"""Noise and prior scale that the data themselves prefer: the maximum of the marginal likelihood.

First one sigma for each label kind and one delta for each block, then one sigma for each noise
group (label kind and config_type) within a factor `SPREAD` of its kind's. The factors of
structures that state their own sigma make families of their own beside the kinds. The bound is
there because the likelihood takes model errors for independent noise: without it, groups whose
labels are nearly exact (small strains of a crystal) pull the fit away from all others. Groups of
few labels share one sigma.

What the likelihood calls the noise of a group may be what the sparse model cannot describe of it,
and as noise it would be ignored for good: a few surfaces among many crystals. `near_kinds` gives
the noise that fits use: no group is less exact than its kind.

Labels that vanish (forces of perfect crystals, energies that are all e0) fit at any noise and would
only pull it to the floor: their group learns nothing. It has the sigma of its kind, and a kind of
which all labels vanish the noise that it came with.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gapy.gp.likelihood import Likelihood, Moments, group_moments, maximise
from gapy.gp.noise import KINDS, Noise
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import Term, blocks
from gapy.structures import StructureWarning

LIMITS = {"energy": (1e-4, 10.0), "forces": (1e-3, 100.0), "stress": (1e-5, 10.0)}
"""Least noise, in the units of the labels: about what reference calculations scatter by; and the
largest."""
VANISHING = 0.1
"""Labels whose root mean square is below this share of the least noise count as zero."""
OWN_LIMITS = (1e-2, 1e2)
"""Of the factor on the sigma that structures state themselves."""
SPREAD = 3.0
SMALL = 30
"""Labels below which a group has no sigma of its own."""


@dataclass(frozen=True)
class Optimum:
    """Terms with the new delta, the new noise, and log p(y) there less that at the start.

    learnt: the groups whose noise is new. shared: sigma of the first step by (kind, own). moments:
    of all labels at delta = 1, by the groups that share a sigma.
    """

    terms: tuple[Term, ...]
    noise: Noise
    gain: float
    learnt: frozenset[Group]
    shared: Mapping[tuple[str, bool], float]
    moments: Mapping[tuple[Group, ...], Moments]

    def near_kinds(self, share: float) -> Noise:
        """The noise with no learnt sigma above that of its kind.

        Smaller ones keep a share of their distance, in the logarithm.
        """
        tables: dict[bool, dict] = {
            own: {name: dict(sigmas) for name, sigmas in given.items()}
            for own, given in ((False, self.noise.overrides), (True, self.noise.own))
        }
        for group in self.learnt:
            sigmas = tables[group.own].get(group.config_type, {})
            if group.kind in sigmas:
                shared = self.shared[group.kind, group.own]
                smaller = min(1.0, sigmas[group.kind] / shared)
                sigmas[group.kind] = shared * smaller**share
        return replace(self.noise, overrides=tables[False], own=tables[True])


def maximise_likelihood(terms, statistic: SufficientStatistic, noise: Noise) -> Optimum:
    """Maximise the log marginal likelihood over every sigma and delta, starting from `noise`.

    Costs the moments of each group, O(M^3), and some 10 to 60 times an O(M^3) factorisation,
    independent of the number of labels.
    """
    table = blocks(terms)
    informative = [g for g in sorted(statistic.factors) if not _vanishes(g, statistic.factors[g])]
    _say_what_stays(statistic, informative, noise)
    if not informative:
        return Optimum(terms, noise, 0.0, frozenset(), {}, {})
    families = _families(informative)
    groups = [keys for family in families for keys in _split(statistic, family)]
    silent = [[g] for g in sorted(statistic.factors) if g not in informative]
    every = group_moments(statistic, [*groups, *silent])
    moments = every[: len(groups)]
    start_delta = np.log([b.delta for b in table])
    start = np.log([_mean_sigma(statistic, noise, keys) for keys in families])
    family_of = [next(f for f, keys in enumerate(families) if g[0] in keys) for g in groups]
    likelihood = Likelihood(table, moments)
    limits = [tuple(np.log(_limits(keys[0]))) for keys in families]
    together = Likelihood(table, [_sum(moments, family_of, f) for f in range(len(families))])
    first = maximise(together, np.clip(start, *np.array(limits).T), start_delta, limits)
    log_sigma, log_delta = first.log_sigma[family_of], first.log_delta
    best = first
    if len(groups) > len(families):
        near = [
            (max(x - np.log(SPREAD), limits[f][0]), min(x + np.log(SPREAD), limits[f][1]))
            for x, f in zip(log_sigma, family_of)
        ]
        best = maximise(likelihood, log_sigma, log_delta, near)
        log_sigma, log_delta = best.log_sigma, best.log_delta
    begin, *_ = likelihood.value_and_gradient(start[family_of], start_delta)
    sigmas = {
        keys[0].kind: float(np.exp(x))
        for keys, x in zip(families, first.log_sigma)
        if not keys[0].own
    }
    # By config_type: sigmas where they differ within a kind, and factors, which have no default.
    overrides = _untouched(statistic, noise, set(sigmas))
    own = {name: dict(factors) for name, factors in noise.own.items()}
    differ = len(groups) > len(families)
    for keys, x in zip(groups, log_sigma):
        for group in keys:
            if group.own or differ:
                table_of = own if group.own else overrides
                table_of.setdefault(group.config_type, {})[group.kind] = float(np.exp(x))
    return Optimum(
        terms=_with_delta(terms, table, np.exp(log_delta)),
        noise=Noise(
            **{kind: sigmas.get(kind, getattr(noise, kind)) for kind in KINDS},
            overrides=overrides,
            own=own,
        ),
        gain=0.5 * (begin - best.value),
        learnt=frozenset(informative),
        shared={
            (keys[0].kind, keys[0].own): float(np.exp(x))
            for keys, x in zip(families, first.log_sigma)
        },
        moments={tuple(keys): found for keys, found in zip([*groups, *silent], every)},
    )


def _sum(moments: list[Moments], family_of: list[int], family: int) -> Moments:
    """Moments of all groups of a family."""
    parts = [x for x, f in zip(moments, family_of) if f == family]
    if len(parts) == 1:
        return parts[0]
    m = len(parts[0].c)
    s = np.zeros((m, m))
    for one in parts:
        one.add_to(s)
    c = np.sum([x.c for x in parts], axis=0)
    return Moments(s, c, sum(x.q for x in parts), sum(x.n for x in parts), slice(0, m))


def _vanishes(group: Group, factor) -> bool:
    """Whether all labels of a group are zero to rounding, or vanish by symmetry with their rows."""
    if not factor.n_rows:
        return True
    least = VANISHING * _limits(group)[0]
    return np.linalg.norm(factor.matrix()[:, -1]) < least * factor.n_rows**0.5


def _say_what_stays(statistic: SufficientStatistic, informative, noise: Noise) -> None:
    """A warning for each kind whose labels all vanish."""
    for kind, unit in zip(KINDS, ("eV/atom", "eV/A", "eV/A^3")):
        if any(g.kind == kind for g in statistic.factors) and not any(
            g.kind == kind for g in informative
        ):
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
            if kind not in learnt or Group(kind, name) not in statistic.factors:
                out.setdefault(name, {})[kind] = sigma
    return out


def _families(informative: list[Group]) -> list[list[Group]]:
    """Groups by kind, those with sigmas of their own apart."""
    every = [
        [g for g in informative if g.kind == kind and g.own == own]
        for own in (False, True)
        for kind in KINDS
    ]
    return [family for family in every if family]


def _split(statistic: SufficientStatistic, family: list[Group]) -> list[list[Group]]:
    """Groups of a family that share one sigma: the small ones together."""
    small = [g for g in family if statistic.factors[g].n_rows < SMALL]
    return [[g] for g in family if g not in small] + ([small] if small else [])


def _limits(group: Group) -> tuple[float, float]:
    return OWN_LIMITS if group.own else LIMITS[group.kind]


def _mean_sigma(statistic, noise: Noise, keys: list[Group]) -> float:
    """Geometric mean over the labels of what the groups of a family have now."""
    counts = np.array([statistic.factors[k].n_rows for k in keys])
    return float(np.exp(np.average(np.log([noise.sigma(*k) for k in keys]), weights=counts)))


def _with_delta(terms, table, delta) -> tuple[Term, ...]:
    values = {(b.term, b.slot): float(x) for b, x in zip(table, delta)}
    return tuple(
        replace(term, delta=tuple(values.get((t, s), old) for s, old in enumerate(term.delta)))
        for t, term in enumerate(terms)
    )
