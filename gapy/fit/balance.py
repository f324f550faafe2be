"""Label kinds weighed against one another by the errors of left-out structures.

The likelihood takes errors for independent noise. Those of a model are not: the forces of one
structure err together, and the misfit of a rare kind of structure is no noise at all. So the sigmas
of every kind are multiplied by the factor exp(x_f) that gives the least errors J of parts of the
sample left out in turn. With the moments S_f, c_f of the whitened rows of a kind, divided by the
sigmas in force, those of part k of the sample S_kf, c_kf, and D the delta of each column,

    A_k = D^-2 + sum_f exp(-2 x_f) (S_f - S_kf),     A_k a_k = sum_f exp(-2 x_f) (c_f - c_kf)

are the weights without part k, whose errors with them are its left-out errors. What is minimised is

    J = G(E of all) + sum over lines l of share_l G(E of l + EXACT^2 E of all),
    G = 1/4 [sum over kinds v log E + log (E_energy + LENGTH^2 E_forces)],
    E = mean of c_l log(1 + q / c_l),     c_l = CAP (median of q in line l, at the first x),

q the mean squared error of a structure (the logarithm is that of a Student distribution: of one
that no other of its line resembles, the error is no measure of noise) and lines the config_types
(those of few structures in one), so that neither the largest errors nor the most frequent
structures decide alone; the last term is about the worse of energies and forces. The slope of J
costs one more solution with the same factor:

    dJ/dx_f = -2 exp(-2 x_f) sum_k h_k . [c_f - c_kf - (S_f - S_kf) a_k],     A_k h_k = dJ/da_k.

One evaluation is a Cholesky factor of M x M for each part, whatever the number of labels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dsymv
from scipy.optimize import minimize

from gapy._jit.moments import add_scaled
from gapy.fit.parts import Family, Line, Part, dealt
from gapy.fit.sample import Sampled
from gapy.gp.likelihood import Moments
from gapy.gp.noise import KINDS, Noise
from gapy.gp.statistic import Group
from gapy.gp.whitening import prior_scale
from gapy.structures import is_isolated_atom

VALUE = {"energy": 1.0, "forces": 1.0, "stress": 0.2}
"""v: how much one per cent of error of each kind counts."""
LENGTH = 0.04
"""A: an energy error per atom of LENGTH times the force error is as bad as that."""
WORSE = 1.0
"""How much the worse of energy and force error counts beside each of them."""
FEW = 10
"""Structures of the sample below which a config_type has no line of its own."""
EXACT = 0.5
"""Errors of a line below this share of all are good enough: that one kind of structure is described
ten times better than the others is not worth an error of those."""
CAP = 30.0
"""c over the median of q at the first sigmas of the likelihood. Squares let the energy of one
left-out vacancy among a hundred structures give all forces nine times their sigma; from 10 to 100
all is alike. One c for all lines would take a rare kind of structure for exceptions."""
VANISHES = 1e-6
"""Share of the mean of q below which an error is zero by symmetry and left out of the median."""
PARTS, LEAST_PARTS = 8, 2
PART_NUMBERS = 12_000_000
"""Numbers in the moments of all parts, above which there are fewer parts."""
LEAST_SAMPLE = 8
"""Structures without which nothing can be said of others."""
TIE = 0.002
"""Weight of x^2: where errors do not decide, sigmas stay."""
FACTORS = (1.0 / 64.0, 16.0)
ENOUGH, FACTORS_OF_FEW = 50, (1.0 / 8.0, 2.0)
"""Structures of the sample below which the errors are too few to overrule the likelihood by much:
with 15 of them, forces were all but ignored."""
ITERATIONS = 12
FAILED = 10.0
"""Added to J where rounding leaves no positive A_k."""


def balanced(candidates, learnt, table, moments, sampled, approximate: bool) -> Noise:
    """The noise with the least left-out errors among the candidates, the kinds of each scaled.

    candidates: noises with other ratios of the groups of a kind. learnt: groups that are scaled;
    where they are of one kind, or the sample is small, the first candidate stays as it is. moments:
    {groups: Moments} of all labels, groups that share a sigma. sampled: structures of the sample
    with their rows. approximate: `moments` do not hold the labels of the sample just as they are
    (see `gapy.gp.column_estimation`); then parts of the sample answer for one another.
    """
    sampled = [one for one in sampled if one.labels and not is_isolated_atom(one.structure)]
    families = sorted({(g.kind, g.own) for g in learnt})
    seen = {labels.group.kind for one in sampled for labels in one.labels}
    if len(sampled) < LEAST_SAMPLE or len({k for k, _ in families} & seen) < 2:
        return candidates[0]
    best, least = candidates[0], np.inf
    start = np.zeros(len(families))
    caps: dict[Line, float] = {}
    bounds = np.log(FACTORS if len(sampled) >= ENOUGH else FACTORS_OF_FEW)
    parts = _parts(sampled, table[-1].stop)
    for noise in candidates:
        weighed = [_OfPart(part, noise) for part in parts]
        if approximate:
            everything = _added((part.s, part.c) for part in weighed)
        else:
            everything = _weighed(moments, noise)
        objective = _LeftOut(families, table, everything, weighed, caps)
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[tuple(bounds)] * len(families),
            options={"maxiter": ITERATIONS, "ftol": 1e-4},
        )
        if found.fun < least:
            least, best = (
                found.fun,
                noise.scaled(dict(zip(families, map(float, np.exp(found.x)))), learnt),
            )
        start, caps = found.x, objective.caps
    return best


class _OfPart:
    """A part of the sample, and the moments of each family for some noise, where i <= j."""

    def __init__(self, part: Part, noise: Noise):
        self.part = part
        self.s: dict[Family, np.ndarray] = {}
        self.c: dict[Family, np.ndarray] = {}
        for family, s, c in part.moments(noise):
            self.s[family], self.c[family] = s, c


class _LeftOut:
    """J and its slope over x, one for each family.

    caps: c of each line; empty for those of the first x.
    """

    def __init__(self, families, table, everything, parts: list[_OfPart], caps: dict[Line, float]):
        self._families = families
        self._s, self._c = everything
        self._parts = parts
        self._prior = prior_scale(table) ** -2.0
        self._counts = Counter(line for one in parts for line in one.part.lines)
        self._first = 0.0
        self.caps = caps

    def __call__(self, x):
        scale = dict(zip(self._families, np.exp(-2.0 * x)))
        try:
            solved = [self._without(one, scale) for one in self._parts]
        except np.linalg.LinAlgError:
            return self._first + FAILED, np.zeros(len(x))
        found = [one.part.mean_squares(a) for one, (_, a) in zip(self._parts, solved)]
        self.caps = self.caps or self._caps_of([q for q, _ in found])
        errors = dict.fromkeys(self._counts, 0.0)
        for one, (squares, _) in zip(self._parts, found):
            for line, q in zip(one.part.lines, squares.tolist()):
                c = self.caps.get(line)
                errors[line] += q if c is None else c * np.log1p(q / c)
        value, slopes = self._score(errors)
        gradient = np.zeros(len(x))
        for one, (lower, a), (squares, shared) in zip(self._parts, solved, found):
            slope = np.array([slopes.get(line, 0.0) for line in one.part.lines])
            slope /= 1.0 + squares / [self.caps.get(line, np.inf) for line in one.part.lines]
            by_a = -2.0 * (shared * slope[one.part.label_r]) @ one.part.w_rm
            h = scipy.linalg.cho_solve(lower, by_a, check_finite=False)
            for f, family in enumerate(self._families):
                if family not in self._s:
                    continue
                rest_c = self._c[family] - _times(self._s[family], a)
                if family in one.s:
                    rest_c -= one.c[family] - _times(one.s[family], a)
                gradient[f] -= 2.0 * scale[family] * (h @ rest_c)
        self._first = self._first or value
        return value + TIE * (x @ x), gradient + 2.0 * TIE * x

    def _without(self, one: _OfPart, scale):
        """(Cholesky factor of A_k, a_k)."""
        m, unit = len(self._prior), np.ones(len(self._prior))
        a_mm, b_m = np.zeros((m, m)), np.zeros(m)
        for family, s in self._s.items():
            weight = scale.get(family, 1.0)
            add_scaled(s, weight, unit, a_mm)
            b_m += weight * self._c[family]
            if family in one.s:
                add_scaled(one.s[family], -weight, unit, a_mm)
                b_m -= weight * one.c[family]
        a_mm[np.diag_indices(m)] += self._prior
        # Transposed it is in LAPACK's order, and no copy is made.
        lower = scipy.linalg.cho_factor(a_mm.T, lower=True, overwrite_a=True, check_finite=False)
        return lower, scipy.linalg.cho_solve(lower, b_m, check_finite=False)

    def _caps_of(self, of_parts) -> dict[Line, float]:
        """c of each line whose errors do not all vanish."""
        found = defaultdict(list)
        for one, squares in zip(self._parts, of_parts):
            for line, q in zip(one.part.lines, squares):
                found[line].append(q)
        return {
            line: CAP * float(np.median([q for q in of if q >= VANISHES * np.mean(of)]))
            for line, of in found.items()
            if any(of)
        }

    def _score(self, errors: Mapping[Line, float]):
        """J, and its slope with respect to the summed c log(1 + q / c) of each line."""
        counts = self._counts
        lines = sorted({line.name for line in counts})
        of_kind = {kind: [k for k in sorted(counts) if k.kind == kind] for kind in KINDS}
        number = {kind: sum(counts[k] for k in keys) for kind, keys in of_kind.items()}
        total = {
            kind: sum(errors[k] for k in keys) / number[kind]
            for kind, keys in of_kind.items()
            if any(errors[k] > 0.0 for k in keys)
        }
        value, slope_of_total = _worth(total)
        slopes = {}
        for line in lines:
            keys = [Line(kind, line) for kind in total if (kind, line) in counts]
            mean = {k[0]: errors[k] / counts[k] + EXACT**2 * total[k[0]] for k in keys}
            share = max((counts[k] / number[k[0]] for k in keys), default=0.0)
            one, slope_of = _worth(mean)
            value += share * one
            for k in keys:
                slopes[k] = share * slope_of[k[0]] / counts[k]
                slope_of_total[k[0]] += share * slope_of[k[0]] * EXACT**2
        return value, {
            k: slope + slope_of_total[k[0]] / number[k[0]] for k, slope in slopes.items()
        }


def _worth(mean: Mapping[str, float]):
    """What mean squared errors by kind contribute to J, and the slopes with respect to them."""
    value = sum(0.25 * VALUE[kind] * np.log(x) for kind, x in mean.items())
    slopes = {kind: 0.25 * VALUE[kind] / x for kind, x in mean.items()}
    if "energy" in mean and "forces" in mean:
        both = mean["energy"] + LENGTH**2 * mean["forces"]
        value += 0.25 * WORSE * np.log(both)
        slopes["energy"] += 0.25 * WORSE / both
        slopes["forces"] += 0.25 * WORSE * LENGTH**2 / both
    return float(value), slopes


def _parts(sampled: list[Sampled], m: int) -> list[Part]:
    """The sample in as many parts as the moments of all may take memory."""
    n_families = len({(x.group.kind, x.group.own) for one in sampled for x in one.labels})
    number = int(np.clip(PART_NUMBERS // (n_families * m * m), LEAST_PARTS, PARTS))
    return dealt(sampled, number, FEW)


def _times(s: np.ndarray, a: np.ndarray) -> np.ndarray:
    """S a of which i <= j are read."""
    return dsymv(1.0, s.T, a, lower=1)


def _weighed(moments: Mapping[tuple[Group, ...], Moments], noise: Noise):
    """Sums of S / sigma^2 and of c / sigma^2 by family."""
    s: dict[Family, np.ndarray] = {}
    c: dict[Family, np.ndarray] = {}
    for (group, *_), found in moments.items():
        family, weight, m = (group.kind, group.own), noise.sigma(*group) ** -2.0, len(found.c)
        if family not in s:
            s[family], c[family] = np.zeros((m, m)), np.zeros(m)
        found.add_to(s[family], weight)
        c[family] += weight * found.c
    return s, c


def _added(pairs) -> tuple[Mapping[Family, np.ndarray], Mapping[Family, np.ndarray]]:
    """Sums of S and of c by family."""
    s: dict[Family, np.ndarray] = {}
    c: dict[Family, np.ndarray] = {}
    for s_f, c_f in pairs:
        for family in s_f:
            s[family] = s[family] + s_f[family] if family in s else s_f[family].copy()
            c[family] = c[family] + c_f[family] if family in c else c_f[family].copy()
    return s, c
