"""What each labelled structure does to a fit: left-out errors and leverage, in closed form.

With B = R^-T (D L^-1 K^T) / sigma of the structure's rows and H = B^T B,

    r_loo = (1 - H)^-1 r,   leverage of a label = H_jj,

the error that the model would make without the structure, and the share of its fitted value that
it gave itself: near 1, the model believes this label because nothing else speaks there. Source:
Cook and Weisberg, Residuals and Influence in Regression (1982).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from gapy.gp.loo import leave_one_out
from gapy.gp.rows import structure_rows
from gapy.gp.terms import local_prior
from gapy.progress import track
from gapy.structures import is_isolated_atom
from gapy.symmetry import vanishes
from gapy.threads import blas_threads


@dataclass(frozen=True, eq=False)
class Influence:
    """Of every structure (S,); NaN without labels of the kind, and for isolated atoms.

    energy_error (eV/atom), force_error (RMS of the components of atoms whose force is not zero by
    symmetry, eV/A): with the structure left out
    if `left_out`, else plain errors of a model that was fitted to something else. leverage: mean
    of H_jj over all labels; energy_leverage: that of the energy. NaN if not `left_out`.
    """

    energy_error: np.ndarray
    force_error: np.ndarray
    leverage: np.ndarray
    energy_leverage: np.ndarray
    left_out: bool


def influence(potential, structures, *, left_out: bool, progress=False) -> Influence:
    """Errors and leverages of labelled structures in a fitted potential."""
    out = np.full((4, len(structures)), np.nan)
    with blas_threads(1):
        for k, s in enumerate(track(structures, "left out", progress)):
            kinds = _fitted_kinds(potential, s) if left_out else {"energy", "forces"}
            labels = _labels(potential, s, kinds)
            # An isolated atom sets e0: without it nothing is known of it, and nothing need be.
            if labels is None or is_isolated_atom(s):
                continue
            kind_j, rows, y, sigma, local = labels
            if left_out:
                prior = local_prior(potential.terms, s.atoms.numbers)
                residual = leave_one_out(potential.posterior, rows, y, sigma, local, prior).residual
                _, variance = potential.posterior.explained_and_posterior(rows)
                leverage = variance / sigma**2
                out[2, k] = leverage.mean()
            else:
                residual = y - rows @ potential.posterior.alpha
            energy, forces = kind_j == "energy", kind_j == "forces"
            if energy.any():
                out[0, k] = residual[energy][0] / len(s.atoms)
                out[3, k] = leverage[energy][0] if left_out else np.nan
            if forces.any():
                errors = residual[forces].reshape(-1, 3)
                free = ~vanishes(s.forces, s.forces - errors)
                errors = errors[free]
                out[1, k] = np.sqrt((errors**2).mean()) if free.any() else np.nan
    return Influence(*out, left_out=left_out)


def was_fitted_to(potential, structures) -> bool:
    """Whether the potential was fitted to these structures, in this order and to no others."""
    digest = b""
    for s in structures:
        digest = hashlib.sha256(digest + s.fingerprint()).digest()
    return potential.metadata.get("data_sha256") == digest.hex()


def _fitted_kinds(potential, s) -> set[str]:
    return set(potential.metadata.get("n_labels", {}).get(s.config_type, {}))


def _labels(potential, s, kinds):
    """(kind, rows, y, noise) of every label that took part, and the local rows; None without."""
    noise, n, ct = potential.noise, len(s.atoms), s.config_type
    have = {
        "energy": s.energy is not None,
        "forces": s.forces is not None,
        "stress": s.stress is not None,
    }
    use = {kind for kind in kinds if have[kind]}
    if not use:
        return None
    rows = structure_rows(
        potential.terms, s.atoms, energy="energy" in use, local=True,
        forces="forces" in use, stress="stress" in use,
    )  # fmt: skip
    parts = []
    if "energy" in use:
        y = s.energy - sum(potential.e0[int(z)] for z in s.atoms.numbers)
        sigma = (s.energy_sigma or noise.sigma("energy", ct)) * np.sqrt(n)
        parts.append(("energy", rows.energy[None], np.array([y]), sigma))
    if "forces" in use:
        sigma = s.forces_sigma or noise.sigma("forces", ct)
        parts.append(("forces", rows.forces, s.forces.ravel(), sigma))
    if "stress" in use:
        sigma = s.stress_sigma or noise.sigma("stress", ct)
        parts.append(("stress", rows.stress, s.stress, sigma))
    return (
        np.concatenate([np.full(len(y), kind) for kind, _, y, _ in parts]),
        np.concatenate([k for _, k, _, _ in parts]),
        np.concatenate([y for _, _, y, _ in parts]),
        np.concatenate([np.full(len(y), sigma) for _, _, y, sigma in parts]),
        rows.local,
    )
