"""What left-out structures tell: errors of energies and forces, and the force calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gapy.gp.calibration import (
    COARSE,
    COARSE_LEAST,
    FIRST,
    NEAR,
    NEAR_LEAST,
    ForceCalibration,
    Indicators,
    calibrate_forces,
)
from gapy.gp.loo import LeftOut, data_share, leave_one_out, left_out_residual
from gapy.gp.terms import local_prior
from gapy.noise import KINDS, Noise
from gapy.symmetry import vanishes

SCALES = (1.0, 0.5, 0.25, 0.125, 0.0625)
FORCE_SACRIFICE = 1.05
"""How far better energies may raise the force error."""


@dataclass(frozen=True)
class LeftOutErrors:
    """RMSE of left-out structures: energy in eV/atom, forces in eV/A; None without labels."""

    energy: float | None
    forces: float | None


def left_out(
    posterior,
    noise: Noise,
    structures,
    rows_of,
    labels_of,
    terms,
    *,
    approximate=False,
    sigmas=True,
):
    """(structure, LeftOut) of labelled structures in closed form, one at a time.

    rows_of(s) gives the Rows of a structure, labels_of(s, rows) its (kind, rows, y, weight);
    approximate: the posterior does not hold just these rows, see `gapy.gp.sampled`. Without
    `sigmas` only the residuals are computed, at half the cost.
    """
    coarse = _fewer(posterior, COARSE, COARSE_LEAST)
    near = _fewer(posterior, NEAR, NEAR_LEAST)
    first = _fewer(posterior, 0.0, FIRST)
    shares = (None, None)
    if approximate:
        shares = (data_share(posterior), None if coarse is None else data_share(coarse))
    for s in structures:
        rows = rows_of(s)
        parts = list(labels_of(s, rows))
        if not parts:
            continue  # its only label is a stress that is not fitted
        sigma = [np.full(len(y), noise.sigma(k, s.config_type) / w) for k, _, y, w in parts]
        labels = (
            np.concatenate([k for _, k, _, _ in parts]),
            np.concatenate([y for _, _, y, _ in parts]),
            np.concatenate(sigma),
        )
        if not sigmas:
            yield s, LeftOut(left_out_residual(posterior, *labels, shares[0]))
            continue
        out = leave_one_out(
            posterior,
            *labels,
            rows.local,
            local_prior(terms, s.atoms.numbers),
            coarse,
            near,
            first,
            data_shares=shares,
        )
        yield s, out


def _fewer(posterior, share: float, least: int):
    """The posterior of the leading points; None where these are all, so that no work is doubled."""
    coarse = posterior.coarse(share, least)
    return coarse if len(coarse.columns) < len(posterior.alpha) else None


def left_out_errors(pairs) -> LeftOutErrors:
    """Errors over (structure, LeftOut) pairs."""
    energy, forces = [], []
    for s, out in pairs:
        if s.energy is not None:
            energy.append((out.residual[0] / len(s.atoms)) ** 2)
        if s.forces is not None:
            forces.append(_force_residual(s, out).ravel() ** 2)
    return LeftOutErrors(
        energy=float(np.sqrt(np.mean(energy))) if energy else None,
        forces=float(np.sqrt(np.concatenate(forces).mean())) if forces else None,
    )


def balance_energies(noise: Noise, errors, learnt=KINDS) -> Noise:
    """Noise whose energy sigmas are scaled by the factor with the least left-out energy error.

    The likelihood takes the force errors of one structure for independent, which they are not, and
    so overrates forces. errors(noise) gives LeftOutErrors. Factors that raise the force error by
    more than FORCE_SACRIFICE are passed over. Only what was learnt is changed: nothing unless the
    noise of both kinds is among `learnt`.
    """
    if not {"energy", "forces"}.issubset(learnt):
        return noise
    best_noise, best, first = noise, None, None
    for scale in SCALES:
        trial = _with_energy_scaled(noise, scale)
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


def calibrate(pairs, noise: Noise, surroundings_of) -> ForceCalibration:
    """Force calibration from (structure, LeftOut) pairs; `noise` where there are no forces.

    surroundings_of(atoms) gives the pairs over which indicators are gathered.
    """
    errors, told, gathered = [np.empty((0, 3))], [np.empty(0, dtype=bool)], [np.empty((0, 4))]
    labels = [np.empty((0, 3))]
    for s, out in pairs:
        if s.forces is None:
            continue
        residual = _force_residual(s, out)
        predicted = s.forces - residual
        told.append(~vanishes(s.forces, predicted))
        own = np.stack([out.first, out.distances, out.local_std**2], axis=1)
        squared = np.einsum("nc,nc->n", predicted, predicted)
        gathered.append(np.column_stack([surroundings_of(s.atoms).values(own), squared]))
        errors.append(residual)
        labels.append(s.forces)
    values = np.concatenate(gathered).T
    indicators = Indicators(*values, np.zeros(values.shape[1]))
    found = calibrate_forces(np.concatenate(errors), indicators, np.concatenate(told), noise.forces)
    typical = np.sqrt((np.concatenate(labels) ** 2).mean()) if values.size else 0.0
    found = replace(found, beyond=max(float(typical), noise.forces))
    return found.over(indicators) if found.largest > 0.0 else found


def _force_residual(s, out) -> np.ndarray:
    start = 0 if s.energy is None else 1
    return out.residual[start : start + s.forces.size].reshape(-1, 3)


def _with_energy_scaled(noise: Noise, scale: float) -> Noise:
    overrides = {
        name: {k: v * scale if k == "energy" else v for k, v in sigmas.items()}
        for name, sigmas in noise.overrides.items()
    }
    return Noise(noise.energy * scale, noise.forces, noise.stress, overrides)
