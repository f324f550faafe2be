"""What left-out structures tell: their residuals, and the force calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapy._support.ranking import spearman
from gapy.error_bars.calibration import (
    EXPONENT,
    FEWEST,
    FIRST,
    NEAR,
    NEAR_LEAST,
    SAMPLES,
    WITH_SPREAD,
    WITH_SPREAD_MARGIN,
    ForceCalibration,
    Indicators,
    best_ranking,
    calibrate_forces,
    coarse_points,
)
from gapy.error_bars.cross_validation import data_share, leave_one_out
from gapy.error_bars.energy import calibrate_energies
from gapy.error_bars.landmarks import landmarks
from gapy.fit.labels import stacked
from gapy.geometry.symmetry import vanishes
from gapy.gp.neighbourhood import worst_around
from gapy.gp.noise import Noise
from gapy.gp.terms import local_prior


def out_of_sample(posterior, noise: Noise, sampled, terms, *, approximate=False):
    """(Sampled, its StackedLabels, LeaveOneOut) in closed form, one structure at a time.

    sampled: structures with local rows and labels, see `gapy.fit.sample.Sampled`; approximate: the
    posterior does not hold just these rows, see `gapy.gp.column_estimation`.
    """
    coarse = _fewer(posterior, *coarse_points([t.zeta for t in terms]))
    near = landmarks(posterior, NEAR, NEAR_LEAST, EXPONENT)
    first = near.leading(FIRST)
    shares: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    if approximate:
        shares = (data_share(posterior), None if coarse is None else data_share(coarse))
    for one in sampled:
        stack = stacked(one.labels, noise)
        if stack is None:
            continue  # its only label is a stress that is not fitted
        out = leave_one_out(
            posterior,
            posterior.scaled(stack.rows),
            stack.y,
            stack.sigma,
            one.local,
            local_prior(terms, one.structure.atoms.numbers),
            coarse,
            near,
            first,
            data_shares=shares,
        )
        yield one, stack, out


def _fewer(posterior, share: float, least: int):
    """The posterior of the leading points; None where these are all, so that no work is doubled."""
    coarse = posterior.coarse(share, least)
    return coarse if len(coarse.columns) < len(posterior.alpha) else None


def calibrate(results, noise: Noise, terms) -> ForceCalibration:
    """Force calibration from what `out_of_sample` gives; `noise` where there are no forces.

    With that of the posterior variance of forces, if it ranks the errors better.
    """
    residuals, movable, gathered = [np.empty((0, 3))], [np.empty(0, dtype=bool)], [np.empty((0, 5))]
    labels, drawn, numbers = [np.empty((0, 3))], [np.empty(0)], [np.empty(0, dtype=int)]
    energies = []  # left-out error, mean local variance, number of atoms
    rng = np.random.default_rng(0)
    for number, (one, stack, out) in enumerate(results):
        if "energy" in stack.where:
            (error,) = stack.of("energy", out.residual)
            energies.append((error, (out.local_std**2).mean(), len(out.local_std)))
        if "forces" not in stack.where:
            continue
        residual = stack.of("forces", out.residual).reshape(-1, 3)
        movable.append(~vanishes(one.structure.forces, one.structure.forces - residual))
        # What the Gaussian process is asked for and gives: a baseline has no error bar.
        label = stack.of("forces", stack.y).reshape(-1, 3)
        predicted = label - residual
        own = np.stack([out.first, out.distances, out.local_std**2], axis=1)
        squared = np.einsum("nc,nc->n", predicted, predicted)
        variance_nc = stack.of("forces", out.label_variance).reshape(-1, 3)
        around = worst_around(one.pairs, own)
        gathered.append(np.column_stack([around, squared, variance_nc.mean(axis=1)]))
        drawn.append(as_sampled(variance_nc, rng))
        residuals.append(residual)
        labels.append(label)
        numbers.append(np.full(len(residual), number))
    first, distances, variances, squared, spread = np.concatenate(gathered).T
    beyond = np.zeros(len(squared))
    indicators = Indicators(first, distances, variances, squared, beyond, spread)
    errors, free = np.concatenate(residuals), np.concatenate(movable)
    typical = np.sqrt((np.concatenate(labels) ** 2).mean()) if squared.size else 0.0
    size = max(float(typical), noise.forces)
    structure = np.concatenate(numbers)

    def rank(one: ForceCalibration) -> float:
        return spearman(one.sigma(indicators)[free], (errors[free] ** 2).mean(axis=1)) or 0.0

    follows = best_ranking(errors, indicators, free)
    cheap = replace(
        calibrate_forces(errors, indicators, free, structure, size, follows),
        exponent=EXPONENT,
        coarse=coarse_points([t.zeta for t in terms]),
        energy=calibrate_energies(*np.reshape(energies, (-1, 3)).T),
    )
    if free.sum() < FEWEST:
        return cheap
    follows = best_ranking(errors, indicators, free, WITH_SPREAD, WITH_SPREAD_MARGIN)
    seen = indicators._replace(spread=np.concatenate(drawn))
    posterior = calibrate_forces(errors, seen, free, structure, size, follows)
    gain = rank(posterior) - rank(cheap)
    return replace(cheap, posterior=posterior, gain=gain) if gain > 0.0 else cheap


def as_sampled(variance_nc, rng) -> np.ndarray:
    """Mean (n,) over components of variances (n, 3), as SAMPLES posterior samples give it.

    It is what sigma has to go by: with the variances themselves, calibrated error bars that follow
    them would cover 1.3 % less than they say.
    """
    return (variance_nc * rng.chisquare(SAMPLES, variance_nc.shape)).mean(axis=1) / SAMPLES
