"""What left-out structures tell: their residuals, and the force calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapy.error_bars.calibration import (
    COARSE,
    COARSE_LEAST,
    FIRST,
    NEAR,
    NEAR_LEAST,
    ForceCalibration,
    Indicators,
    calibrate_forces,
)
from gapy.error_bars.cross_validation import data_share, leave_one_out
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
    coarse = _fewer(posterior, COARSE, COARSE_LEAST)
    near = _fewer(posterior, NEAR, NEAR_LEAST)
    first = _fewer(posterior, 0.0, FIRST)
    shares: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    if approximate:
        shares = (data_share(posterior), None if coarse is None else data_share(coarse))
    for one in sampled:
        stack = stacked(one.labels, noise)
        if stack is None:
            continue  # its only label is a stress that is not fitted
        out = leave_one_out(
            posterior,
            stack.rows,
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


def calibrate(results, noise: Noise) -> ForceCalibration:
    """Force calibration from what `out_of_sample` gives; `noise` where there are no forces."""
    errors, free, gathered = [np.empty((0, 3))], [np.empty(0, dtype=bool)], [np.empty((0, 4))]
    labels = [np.empty((0, 3))]
    for one, stack, out in results:
        if "forces" not in stack.where:
            continue
        label = one.structure.forces
        residual = stack.of("forces", out.residual).reshape(-1, 3)
        predicted = label - residual
        free.append(~vanishes(label, predicted))
        own = np.stack([out.first, out.distances, out.local_std**2], axis=1)
        squared = np.einsum("nc,nc->n", predicted, predicted)
        gathered.append(np.column_stack([worst_around(one.pairs, own), squared]))
        errors.append(residual)
        labels.append(label)
    first, distances, variances, squared = np.concatenate(gathered).T
    beyond = np.zeros(len(squared))
    indicators = Indicators(first, distances, variances, squared, beyond)
    found = calibrate_forces(np.concatenate(errors), indicators, np.concatenate(free), noise.forces)
    typical = np.sqrt((np.concatenate(labels) ** 2).mean()) if squared.size else 0.0
    found = replace(found, beyond=max(float(typical), noise.forces))
    return found.over(indicators) if found.largest > 0.0 else found
