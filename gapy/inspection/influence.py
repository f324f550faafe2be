"""What each labelled structure does to a fit: left-out errors and leverage, in closed form.

With B = R^-T (D L^-1 K^T) / sigma of the structure's rows and H = B^T B,

    r_loo = (1 - H)^-1 r,   leverage of a label = H_jj,

the error that the model would make without the structure, and the share of its fitted value that
it gave itself: near 1, the model believes this label because nothing else speaks there. Source:
Cook and Weisberg, Residuals and Influence in Regression (1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy._support.progress import track
from gapy._support.threads import blas_threads
from gapy.error_bars.cross_validation import left_out_residual
from gapy.fit.labels import labelled_kinds, labels_of, rows_of, stacked
from gapy.geometry.symmetry import vanishes
from gapy.structures import chained_digest, is_isolated_atom, multiset_digest


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
            # An isolated atom sets e0: without it nothing is known of it, and nothing need be.
            if is_isolated_atom(s) or not labelled_kinds(s, kinds):
                continue
            rows = rows_of(potential.terms, s, kinds)
            labels = stacked(labels_of(s, rows, potential.e0, potential.baselines), potential.noise)
            if left_out:
                whitened = potential.posterior.whiten(labels.rows)
                residual = left_out_residual(potential.posterior, whitened, labels.y, labels.sigma)
                _, variance = potential.posterior.explained_and_posterior(labels.rows)
                leverage = variance / labels.sigma**2
                out[2, k] = leverage.mean()
            else:
                residual = labels.y - labels.rows @ potential.posterior.alpha
            if "energy" in labels.where:
                out[0, k] = labels.of("energy", residual)[0] / len(s.atoms)
                out[3, k] = labels.of("energy", leverage)[0] if left_out else np.nan
            if "forces" in labels.where:
                errors = labels.of("forces", residual).reshape(-1, 3)
                free = ~vanishes(s.forces, s.forces - errors)
                errors = errors[free]
                out[1, k] = np.sqrt((errors**2).mean()) if free.any() else np.nan
    return Influence(*out, left_out=left_out)


def was_fitted_to(potential, structures) -> bool:
    """Whether the potential was fitted to these structures and to no others.

    In any order; files of version 2 hold a hash of those that were fitted, in their order.
    """
    fitted = potential.metadata.get("data_sha256")
    return fitted in (multiset_digest(structures).hex(), chained_digest(structures).hex())


def _fitted_kinds(potential, s) -> set[str]:
    return set(potential.metadata.get("n_labels", {}).get(s.config_type, {}))
