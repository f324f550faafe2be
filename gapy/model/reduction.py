"""A faster copy of a potential: descriptors projected onto the directions that matter.

    eps(xh) -> eps(B B^T xh) = sum_s alpha_s (B^T xh . B^T x_s)^zeta

with the columns of B the leading ones of `gapy.gp.active_subspace`. Both matrix products of a force
call shrink from D to r = rank B. Energy and forces stay exact derivatives of one another.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapy.errors import GapyError
from gapy.gp.active_subspace import energy_directions
from gapy.model.local_energy import Quadratic

THRESHOLDS = 10.0 ** np.arange(-12.0, 0.0, 0.125)
"""Sizes, as fractions of the largest, below which directions are left out, tried by bisection."""


def reduced(potential, force_tolerance: float, structures=None):
    """See `Potential.reduced`."""
    if not force_tolerance > 0.0:
        raise GapyError(f"force_tolerance: expected more than 0 eV/A, got {force_tolerance}")
    checked = [a for a, _ in potential.references] if structures is None else list(structures)
    if not checked:
        raise GapyError("structures: expected at least one to check forces on, got none")
    exact = unreduced(potential)
    expected = exact.evaluate_many(checked)
    found = _directions(exact)
    best, low, high = exact, -1, len(THRESHOLDS)
    while high - low > 1:
        middle = (low + high) // 2
        trial = replace(exact, bases=_leading(exact, found, THRESHOLDS[middle]))
        trial = _noted(trial, checked, expected)
        if trial.metadata["reduction"]["largest_force_error"] <= force_tolerance:
            best, low = trial, middle
        else:
            high = middle
    return best


def unreduced(potential):
    """The same potential with descriptors as they are."""
    metadata = {k: v for k, v in potential.metadata.items() if k != "reduction"}
    return replace(potential, bases=(), metadata=metadata)


def _directions(potential) -> list:
    """Sizes and directions of every block; None for a quadratic form, which needs no projection."""
    alpha = potential.posterior.alpha
    out: list = []
    of_environments = iter(potential.energy_blocks)
    for b in potential.posterior.blocks:
        if b.of_pairs or isinstance(next(of_environments).short_cut, Quadratic):
            out.append(None)
        else:
            alpha_s = np.ascontiguousarray(alpha[b.columns])
            out.append(energy_directions(b.x_sd, alpha_s, b.zeta))
    return out


def _leading(potential, found, threshold: float) -> tuple:
    """Bases (D, r) of every block, None where a projection would save nothing."""
    largest = max((sizes[0] for sizes, _ in filter(None, found)), default=0.0)
    bases = []
    for b, pair in zip(potential.posterior.blocks, found):
        n_points, n_features = b.x_sd.shape
        rank = 0 if pair is None else max(int((pair[0] > threshold * largest).sum()), 1)
        # Worth it where the two detours over the basis cost less than what they save.
        saves = pair is not None and rank * (n_features + n_points) < n_features * n_points
        bases.append(np.ascontiguousarray(pair[1][:, :rank]) if saves else None)
    return tuple(bases)


def _noted(potential, checked, expected):
    """A copy whose metadata state ranks and errors."""
    found = potential.evaluate_many(checked)
    note = {
        "ranks": [
            b.x_sd.shape[1] if basis is None else basis.shape[1]
            for b, basis in zip(potential.posterior.blocks, potential.bases)
        ],
        "largest_force_error": max(
            float(np.abs(a.forces - b.forces).max()) for a, b in zip(found, expected)
        ),
        "largest_energy_error": max(
            abs(a.energy - b.energy) / len(a.energies) for a, b in zip(found, expected)
        ),
        "n_structures": len(checked),
    }
    return replace(potential, metadata={**potential.metadata, "reduction": note})
