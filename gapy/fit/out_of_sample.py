"""What left-out structures tell: errors of energies and forces, and the force calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gapy._support.ranking import spearman
from gapy.error_bars.calibration import (
    EXPONENT,
    FEWEST,
    FIRST,
    NEAR,
    NEAR_LEAST,
    WITH_SPREAD,
    WITH_SPREAD_MARGIN,
    ForceCalibration,
    Indicators,
    calibrate_forces,
    coarse_points,
)
from gapy.error_bars.cross_validation import (
    LeaveOneOut,
    data_share,
    leave_one_out,
    left_out_residual,
)
from gapy.error_bars.landmarks import landmarks
from gapy.fit.labels import stacked
from gapy.geometry.symmetry import vanishes
from gapy.gp.neighbourhood import worst_around
from gapy.gp.noise import Noise
from gapy.gp.terms import local_prior

SCALES = (1.0, 0.5, 0.25, 0.125, 0.0625)
FORCE_SACRIFICE = 1.05
"""How far better energies may raise the force error."""


@dataclass(frozen=True)
class OutOfSampleErrors:
    """RMSE of left-out structures: energy in eV/atom, forces in eV/A; None without labels."""

    energy: float | None
    forces: float | None


def out_of_sample(posterior, noise: Noise, sampled, terms, *, approximate=False, sigmas=True):
    """(Sampled, its StackedLabels, LeaveOneOut) in closed form, one structure at a time.

    sampled: structures with local rows and labels, see `gapy.fit.sample.Sampled`; approximate: the
    posterior does not hold just these rows, see `gapy.gp.column_estimation`. Without `sigmas` only
    the residuals are computed, at half the cost.
    """
    coarse = _fewer(posterior, *coarse_points([t.zeta for t in terms]))
    near = landmarks(posterior, NEAR, NEAR_LEAST, EXPONENT) if sigmas else None
    first = near.leading(FIRST) if near else None
    shares: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    if approximate:
        shares = (data_share(posterior), None if coarse is None else data_share(coarse))
    for one in sampled:
        stack = stacked(one.labels, noise)
        if stack is None:
            continue  # its only label is a stress that is not fitted
        of = (stack.rows, stack.y, stack.sigma)
        if not sigmas:
            yield one, stack, LeaveOneOut(left_out_residual(posterior, *of, shares[0]))
            continue
        out = leave_one_out(
            posterior,
            *of,
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


def out_of_sample_errors(results) -> OutOfSampleErrors:
    """Errors over what `out_of_sample` gives."""
    energy, forces = [], []
    for one, stack, out in results:
        if "energy" in stack.where:
            energy.append(stack.of("energy", out.residual) / len(one.structure.atoms))
        if "forces" in stack.where:
            forces.append(stack.of("forces", out.residual))
    return OutOfSampleErrors(energy=_rms(energy), forces=_rms(forces))


def _rms(parts) -> float | None:
    return float(np.sqrt((np.concatenate(parts) ** 2).mean())) if parts else None


def balance_energies(noise: Noise, errors, learnt) -> Noise:
    """Noise whose energy sigmas are scaled by the factor with the least left-out energy error.

    The likelihood takes the force errors of one structure for independent, which they are not, and
    so overrates forces. errors(noise) gives OutOfSampleErrors. Factors that raise the force error
    by more than FORCE_SACRIFICE are passed over. Only the groups in `learnt` are changed, and
    nothing unless there are some of both kinds.
    """
    if not {"energy", "forces"}.issubset(group.kind for group in learnt):
        return noise
    best_noise, best, first = noise, None, None
    for scale in SCALES:
        trial = noise.energy_scaled(scale, learnt)
        found = errors(trial)
        if found.energy is None or found.forces is None:
            return noise
        first = first or found
        if found.forces > FORCE_SACRIFICE * first.forces:
            break
        if best is not None and found.energy >= best.energy:
            break  # it has a single minimum
        best_noise, best = trial, found
    return best_noise


def calibrate(results, noise: Noise, terms) -> ForceCalibration:
    """Force calibration from what `out_of_sample` gives; `noise` where there are no forces.

    With that of the posterior variance of forces, if it ranks the errors better.
    """
    residuals, movable, gathered = [np.empty((0, 3))], [np.empty(0, dtype=bool)], [np.empty((0, 5))]
    labels = [np.empty((0, 3))]
    for one, stack, out in results:
        if "forces" not in stack.where:
            continue
        label = one.structure.forces
        residual = stack.of("forces", out.residual).reshape(-1, 3)
        predicted = label - residual
        movable.append(~vanishes(label, predicted))
        own = np.stack([out.first, out.distances, out.local_std**2], axis=1)
        squared = np.einsum("nc,nc->n", predicted, predicted)
        spread = stack.of("forces", out.label_variance).reshape(-1, 3).mean(axis=1)
        gathered.append(np.column_stack([worst_around(one.pairs, own), squared, spread]))
        residuals.append(residual)
        labels.append(label)
    first, distances, variances, squared, spread = np.concatenate(gathered).T
    beyond = np.zeros(len(squared))
    indicators = Indicators(first, distances, variances, squared, beyond, spread)
    errors, free = np.concatenate(residuals), np.concatenate(movable)
    typical = np.sqrt((np.concatenate(labels) ** 2).mean()) if squared.size else 0.0
    size = max(float(typical), noise.forces)

    def found(**options) -> ForceCalibration:
        one = calibrate_forces(errors, indicators, free, noise.forces, **options)
        one = replace(one, beyond=size)
        return one.over(indicators) if one.largest > 0.0 else one

    def rank(one: ForceCalibration) -> float:
        return spearman(one.sigma(indicators)[free], (errors[free] ** 2).mean(axis=1)) or 0.0

    cheap = replace(found(), exponent=EXPONENT, coarse=coarse_points([t.zeta for t in terms]))
    if free.sum() < FEWEST:
        return cheap
    posterior = found(choices=WITH_SPREAD, margin=WITH_SPREAD_MARGIN)
    return replace(cheap, posterior=posterior) if rank(posterior) > rank(cheap) else cheap
