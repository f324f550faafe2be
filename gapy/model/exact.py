"""Posterior means and standard deviations of one structure from the full formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gapy._support.voigt import has_volume, stress_of
from gapy.baselines import baseline_of
from gapy.errors import GapyError
from gapy.gp.prior import prior_variances
from gapy.gp.rows import structure_rows
from gapy.model.local_variance import nonnegative
from gapy.model.pair_table import full_prior


@dataclass(frozen=True)
class Prediction:
    """Values or standard deviations of one structure.

    energy (eV), energies (n,) eV local, forces (n, 3) eV/A (None if not asked for), stress (6,)
    eV/A^3 (xx yy zz yz xz xy; None without a full cell).
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray | None
    stress: np.ndarray | None


def predict(potential, atoms, e0, *, forces=True, stress=None) -> tuple[Prediction, Prediction]:
    """See `Potential.predict`; e0 (n,): energies of the free atoms, eV."""
    terms, posterior = potential.terms, potential.posterior
    if stress and not has_volume(atoms):
        raise GapyError(
            "stress: expected a periodic structure with a cell of full rank, got "
            f"pbc={atoms.pbc.tolist()}; leave stress out"
        )
    stress = has_volume(atoms) if stress is None else stress
    n = len(atoms)
    envs = [t.descriptor.environments(atoms) for t in terms]
    asked = {"forces": forces, "stress": stress, "environments": envs}
    rows: Any = structure_rows(terms, atoms, local=True, **asked)  # what was asked for is there
    prior: Any = prior_variances(terms, atoms, **asked)
    alpha = posterior.alpha
    base = baseline_of(atoms, potential.baselines)
    mean = Prediction(
        energy=float(rows.energy @ alpha + e0.sum()) + base.energy,
        energies=rows.local @ alpha + e0 + base.energies,
        forces=(rows.forces @ alpha).reshape(n, 3) + base.forces if forces else None,
        stress=rows.stress @ alpha + stress_of(base.virial, atoms) if stress else None,
    )
    std = Prediction(
        energy=float(_std(posterior, rows.energy[None], np.array([prior.energy]))[0]),
        energies=_std(
            posterior, rows.local, full_prior(terms, posterior, atoms.numbers, rows.local)
        ),
        forces=_std(posterior, rows.forces, prior.forces, prior.forces_size).reshape(n, 3)
        if forces
        else None,
        stress=_std(posterior, rows.stress, prior.stress, prior.stress_size) if stress else None,
    )
    return mean, std


def _std(posterior, rows: np.ndarray, prior: np.ndarray, size=0.0) -> np.ndarray:
    explained, variance = posterior.explained_and_posterior(rows)
    # A variance that symmetry makes vanish carries the rounding error of its terms.
    scale = np.maximum(prior, 1e-6 * size)
    return np.sqrt(nonnegative(prior - explained, scale) + variance)
