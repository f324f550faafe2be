"""The force sigma of an atom: indicators, the curve they follow, and its calibration.

Calibrated on the force errors of left-out structures (`gapy.error_bars.cross_validation`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from gapy._support.ranking import spearman
from gapy.error_bars.coverage import WITHIN, covering_factor
from gapy.error_bars.energy import EnergyCalibration

QUANTILES = (0.02, 0.34, 0.66, 0.98)
"""Of the indicator over left-out atoms: where the points of the calibration curve are."""

LEAST_SLOPE, LARGEST_SLOPE = 0.2, 4.0
"""Bounds of d log sigma^2 / d log g between them: sigma grows with its indicator even where the
left-out errors are all alike."""

FULL_GROWTH = 20.0
"""Factor of g, from the last point but one, over which sigma^2 grows at least in proportion. The
odd structures of a training set have their like in it, so that left out they err little; strange
ones err more (measured: sigma is 0.42 of the errors of hot silicon without this bound, 0.76 with
it). Farther out the left-out errors are believed."""

COARSE, COARSE_LEAST = 0.6, 500
NEAR, NEAR_LEAST = 0.2, 200
QUADRATIC_COARSE, QUADRATIC_COARSE_LEAST = 0.4, 400
FIRST = 50
"""Shares of the inducing points, the leading ones, that variances and distances behind the force
sigma take into account, and the least numbers of them: the cost goes with the square. QUADRATIC:
where zeta is below EXPONENT, so that forces are cheap (measured on silicon, 1000 points and zeta 2:
rank correlation 0.775 with 400 behind the variances, 0.771 with 600, 0.738 with 300). FIRST is the
number behind the distance from the first ones. Fewer behind the distances find what was left out of
silicon as well, but in alloys they rank nothing any more."""

EXPONENT = 4
"""Least exponent of the kernel behind the distances: with that of zeta = 2 sigma tells less of what
is unlike the training set (measured: AUROC of surfaces left out 0.93 instead of 0.97)."""

ALL = ("first", "distances", "variances")
CHOICES = (ALL, ("first", "distances"), ("distances",))
"""Indicators that sigma may follow: those that rank the left-out errors best. All three, as a rule;
but in an ordered alloy labels may settle the sum of two local energies and not their difference, so
that their variances are large and the forces are right."""

WITH_SPREAD = (("first", "distances", "spread"), (*ALL, "spread"), ("spread",))
WITH_SPREAD_MARGIN = 0.03
SAMPLES = 8
"""What the dearer sigma may follow; how much better a later choice must rank the left-out errors
than an earlier one; and the posterior samples that the spread is taken from, of three components
each, so that a root mean square of them is off by 14 %. Alone the spread ranks left-out errors
best, but the distances tell what lies outside the data (measured: AUROC of surfaces left out 0.967
with them, 0.916 without); in alloys they spoil the order, by far more than the margin."""

POSTERIOR_EVERY = 10
"""Steps of molecular dynamics between force sigmas from posterior samples: atoms hardly move in
ten, and a step costs a quarter of a force call more on average."""

WORTH = 0.1
"""Gain in rank correlation with the left-out errors from which the dearer sigma is the default: it
is 0.77 in NbMo, where the other says next to nothing, and 0.00 in silicon (see `gapy info`)."""

FORCE_POWER = 1.0 / 12.0
SMALL_FORCE = 0.01
"""Power with which sigma^2 follows the squared force, and the force (eV/A) below which it no
longer does. It is worth a factor of 1.5 in sigma between a force that vanishes and one of 1 eV/A,
enough to rank atoms whose force vanishes by symmetry, right whatever the model, below others."""

FEWEST = 50
"""Atoms from which a curve and quantiles of their errors are taken."""

FACTORS = (0.5, 2.0)
"""Bounds of the factor by which the likeliest curve is scaled."""


def coarse_points(zetas) -> tuple[float, int]:
    """(share, least number) of the leading points behind the variances, from the terms' zeta."""
    if max(zetas) < EXPONENT:
        return QUADRATIC_COARSE, QUADRATIC_COARSE_LEAST
    return COARSE, COARSE_LEAST


class Indicators(NamedTuple):
    """What a force error of each atom may follow, over its neighbourhood (`gapy.gp.neighbourhood`).

    first, distances (n,) eV^2: prior variance of the local energies that the FIRST inducing points,
    and more of them, leave unexplained; variances (n,) eV^2: posterior variance of the local
    energies (of the coarse posterior); forces (n,) (eV/A)^2: squared predicted force of the atom
    alone; beyond (n,): squared logarithm of 1 + excess over the reach of the training set, plus
    squared closeness, no unit (see `gapy.error_bars.extrapolation`); spread (n,) (eV/A)^2:
    posterior variance of a force component of the atom alone, None where it is not known.
    """

    first: np.ndarray
    distances: np.ndarray
    variances: np.ndarray
    forces: np.ndarray
    beyond: np.ndarray
    spread: np.ndarray | None = None

    def together(self, names: tuple[str, ...]) -> np.ndarray:
        """Geometric mean (n,) of those that are named, times the force weight."""
        out = self.weight()
        for name in names:
            out *= getattr(self, name) ** (1.0 / len(names))
        return out

    def weight(self) -> np.ndarray:
        """(F + SMALL_FORCE^2)^FORCE_POWER of the squared forces F (n,) in (eV/A)^2, no unit."""
        return (self.forces + SMALL_FORCE**2) ** FORCE_POWER


@dataclass(frozen=True)
class ForceCalibration:
    """Standard deviation of a force component from what the model knows of the atom.

        g = w (D_1 D S)^(1/3),  w (D_1 D)^(1/2)  or  w D,     u = u(g)
        sigma_F^2 = beyond^2 [log(1 + u / beyond^2) + w B]

    with the Indicators D_1, D, S, B of the atom and the weight w of its force; `follows` names
    those in g. u(g) goes through the points (g eV^2, sqrt(u) eV/A) of `curve`, ascending: a power
    law between two points, constant below the first, and proportional to g above the last. beyond
    in eV/A: no prediction
    errs by much more than forces come to, so that above this size sigma only grows as a logarithm
    (with delta learnt from energies, u alone gave alloys of two metals trained apart 380 eV/A); 0
    means that the size is not known, and sigma_F^2 = u. largest in eV/A: the largest sigma_F over
    the left-out atoms; 0 means not known. exponent: least exponent of the kernel behind D_1 and D,
    which is zeta where that is larger. coarse: share and least number of the points behind S.
    posterior: the same with the posterior variance V of the force itself, (eV/A)^2, alone or with
    the others in the geometric mean, where that ranks the left-out errors better; gain: by how
    much its rank correlation with them is larger. energy: of the
    sigma of total energies (`gapy.error_bars.energy`), None where that is not known.
    """

    curve: tuple[tuple[float, float], ...]
    beyond: float = 0.0
    follows: tuple[str, ...] = ALL
    largest: float = 0.0
    exponent: int = 1
    coarse: tuple[float, int] = (COARSE, COARSE_LEAST)
    posterior: ForceCalibration | None = None
    gain: float = 0.0
    energy: EnergyCalibration | None = None

    @property
    def prefers_posterior(self) -> bool:
        """Whether the force sigma follows posterior samples of the forces unless told otherwise."""
        return self.posterior is not None and self.gain >= WORTH

    @property
    def largest_seen(self) -> float | None:
        """`largest` or, if it is not known, sigma at the last point of the curve, eV/A.

        None for a fit without forces, whose sigma is not calibrated.
        """
        if self.largest > 0.0:
            return self.largest
        return self.curve[-1][1] if len(self.curve) > 1 else None

    def over(self, indicators: Indicators) -> ForceCalibration:
        """A copy whose `largest` is that of these atoms."""
        sigma = self.sigma(indicators)
        return replace(self, largest=float(sigma.max()) if sigma.size else 0.0)

    def sigma(self, indicators: Indicators) -> np.ndarray:
        """Force sigma (n,) eV/A."""
        g, root_u = np.array(self.curve).T
        asked = indicators.together(self.follows)
        inside = np.interp(np.log(np.maximum(asked, g[0])), np.log(g), 2.0 * np.log(root_u))
        u = np.exp(inside) * np.maximum(asked / g[-1], 1.0)
        if self.beyond > 0.0:
            u = self.beyond**2 * np.log1p(u / self.beyond**2)
        return np.sqrt(u + self.beyond**2 * indicators.weight() * indicators.beyond)

    def to_dict(self) -> dict:
        """The numbers, for JSON."""
        out = {
            "curve": [list(point) for point in self.curve],
            "beyond": self.beyond,
            "follows": list(self.follows),
            "largest": self.largest,
            "exponent": self.exponent,
            "coarse": list(self.coarse),
        }
        if self.energy is not None:
            out["energy"] = [self.energy.scale, self.energy.power]
        if self.posterior is None:
            return out
        return out | {"posterior": self.posterior.to_dict(), "gain": self.gain}

    @classmethod
    def from_dict(cls, numbers: dict) -> ForceCalibration:
        """The inverse of `to_dict`."""
        curve = tuple((float(g), float(sigma)) for g, sigma in numbers["curve"])
        # Older files do not have what `get` asks for.
        share, least = numbers.get("coarse", (COARSE, COARSE_LEAST))
        posterior, energy = numbers.get("posterior"), numbers.get("energy")
        return cls(
            curve,
            float(numbers["beyond"]),
            tuple(numbers["follows"]),
            float(numbers.get("largest", 0.0)),
            int(numbers.get("exponent", 1)),
            (float(share), int(least)),
            None if posterior is None else cls.from_dict(posterior),
            float(numbers.get("gain", 0.0)),
            None if energy is None else EnergyCalibration(*map(float, energy)),
        )


def best_ranking(
    errors, indicators: Indicators, free, choices=CHOICES, margin=0.0
) -> tuple[str, ...]:
    """Indicators for sigma to follow: the first of `choices` that ranks the errors well enough.

    errors (n, 3): left-out force residuals, eV/A; free (n,): whether the force is free of
    symmetry. Well enough is a rank correlation over free atoms within `margin` of the best one.
    """
    if np.sum(free) < FEWEST:
        return choices[0]
    squared = (errors[free] ** 2).mean(axis=1)
    ranks = [spearman(indicators.together(names)[free], squared) or 0.0 for names in choices]
    return choices[int(np.argmax(np.array(ranks) >= max(ranks) - margin))]


def calibrate_forces(
    errors, indicators: Indicators, free, structure, beyond, follows=ALL
) -> ForceCalibration:
    """Calibration on left-out errors: errors ~ N(0, sigma_F^2) with the form of ForceCalibration.

    errors (n, 3): left-out force residuals, eV/A; free (n,): whether the force is free of
    symmetry; structure (n,): the number of the atom's structure; follows: see `best_ranking`. Only
    free atoms shape the curve, which maximises the likelihood. The sigmas are then scaled, by
    one factor of the curve, so that 90 % of the errors of a new structure lie within 1.645 of them
    (`gapy.error_bars.coverage`), as with a normal distribution.

    `beyond` is the rms force error, eV/A, expected where an environment is twice as far out as any
    seen; the training set cannot tell. Without atoms, sigma is `beyond` or, if larger, the root of
    the indicator over 1 A, a neutral length scale.
    """
    if not np.any(free):
        return ForceCalibration(((beyond**2, float(beyond)),), float(beyond))
    squared = (errors[free] ** 2).mean(axis=1)
    asked = np.maximum(indicators.together(follows), 1e-300)[free]
    curve = _most_likely_curve(asked, squared)
    root_u = ForceCalibration(curve, follows=follows).sigma(indicators)[free]
    n_structures = len(np.unique(structure[free]))
    factor = _coverage_factor(errors[free], root_u, float(beyond), n_structures)
    scaled = tuple((g, factor * s) for g, s in curve)
    return ForceCalibration(scaled, float(beyond), follows).over(indicators)


def _most_likely_curve(indicator, squared) -> tuple[tuple[float, float], ...]:
    """Points (g, sigma) of the curve for which errors ~ N(0, sigma^2) are most likely.

    indicator (n,) and squared (n,), the mean square errors of each atom. With log u = W v, v the
    values at the points and W interpolation, sum(log u + squared / u) is least. Of fewer than
    FEWEST atoms only the size of the errors counts, u is proportional to g over a factor of 100.
    """
    if len(indicator) < FEWEST:
        g, sigma = float(indicator.mean()), float(np.sqrt(squared.mean() + 1e-36))
        return (1e-2 * g, 0.1 * sigma), (g, sigma)
    x = np.log(indicator)
    least = 1e-12 * max(float(squared.mean()), 1e-24)
    at = np.unique(np.quantile(x, QUANTILES))
    steps = np.diff(at)
    clipped = np.clip(x, at[0], at[-1])
    w_nk = np.stack([np.interp(clipped, at, unit) for unit in np.eye(len(at))], axis=1)
    above = np.maximum(x - at[-1], 0.0)

    def values(parameters):
        return parameters[0] + np.append(0.0, np.cumsum(steps * parameters[1:]))

    def loss(parameters):
        ratio = squared * np.exp(-(w_nk @ values(parameters) + above))
        slope_k = w_nk.T @ (1.0 - ratio) / len(x)
        later = np.cumsum(slope_k[::-1])[::-1]
        value = np.mean(w_nk @ values(parameters) + ratio)
        return value, np.append(later[0], steps * later[1:])

    start = np.append(np.log(squared.mean() + least), np.full(len(steps), 1.0))
    start[0] -= 0.5 * steps.sum()
    slopes = np.full(len(steps), LEAST_SLOPE)
    if len(steps):
        slopes[-1] += (1.0 - LEAST_SLOPE) * min(np.log(FULL_GROWTH) / steps[-1], 1.0)
    bounds = [(np.log(least), None), *((slope, LARGEST_SLOPE) for slope in slopes)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return tuple((float(g), float(s)) for g, s in zip(np.exp(at), np.exp(0.5 * values(found.x))))


def _coverage_factor(errors, root_u, beyond, n_structures) -> float:
    """Factor of the curve's sqrt(u), root_u (n,) eV/A, for errors (n, 3) within `beyond`.

    An error lies within 1.645 sigma where u >= beyond^2 [exp(e^2 / (1.645 beyond)^2) - 1].
    """
    if len(errors) < FEWEST:
        return 1.0
    exponent = np.minimum((errors / (WITHIN * beyond)) ** 2, 700.0)  # exp of more is infinite
    needed = WITHIN * beyond * np.sqrt(np.expm1(exponent))
    return float(np.clip(covering_factor(needed / root_u[:, None], n_structures), *FACTORS))
