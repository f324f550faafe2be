"""A posterior as the blocks of arrays that the engine works with."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat

import numpy as np
import scipy.linalg

from gapy import engine
from gapy.gp.explained import explained
from gapy.gp.posterior import Posterior, Precision
from gapy.gp.quadratic import quadratic_form


def fitted_blocks(terms, posterior: Posterior, bases=()) -> tuple[engine.Fitted, ...]:
    """Blocks for energies and forces; `bases` (D, r), if any, to project each block onto."""
    return tuple(
        engine.Fitted(
            descriptor=terms[b.term].descriptor,
            slot=b.slot,
            zeta=b.zeta,
            delta=b.delta,
            x_sd=np.ascontiguousarray(b.x_sd),
            alpha_s=np.ascontiguousarray(posterior.alpha[b.columns]),
            **_short_cut(b, posterior.alpha[b.columns], basis_dr),
        )
        for b, basis_dr in zip(posterior.blocks, bases or repeat(None))
    )


def with_variance(
    fitted, terms, precision: Precision, near: Precision | None = None, n_first: int = 0
) -> tuple[engine.Fitted, ...]:
    """The blocks with the factors of the variances that `precision` gives.

    Both in mixed precision where one term describes a species (`gapy.gp.explained`). Distances
    are those from the inducing points of `near`, and from the first `n_first` of them; without it
    there are none.
    """
    by_species: dict[int, list[int]] = {}
    for i, b in enumerate(precision.blocks):
        by_species.setdefault(terms[b.term].descriptor.species[b.slot], []).append(i)
    out = list(fitted)
    for chosen in by_species.values():
        factor = _variance_factor(precision, chosen)
        start = 0
        for i in chosen:
            stop = start + len(precision.blocks[i].x_sd)
            whiten = None if near is None else _whitening(near.cholesky[i], out[i].delta)
            out[i] = replace(
                out[i],
                spread_rs=np.asfortranarray(factor[:stop, start:stop]),
                n_terms=len(chosen),
                explained=explained(factor) if len(chosen) == 1 else None,
                whiten_ms=whiten,
                first_ms=None if whiten is None else np.asfortranarray(whiten[:n_first, :n_first]),
                near=None if whiten is None else explained(whiten),
            )
            start = stop
    return tuple(out)


def _short_cut(block, alpha_s, basis_dr) -> dict:
    """Arrays of engine.Fitted that save work: the quadratic form of zeta = 2, or a projection."""
    n_points, n_features = block.x_sd.shape
    if block.zeta == 2 and n_features < 2 * n_points:
        return {"quadratic_dd": quadratic_form(block.x_sd, alpha_s)}
    if basis_dr is not None:
        return {"basis_dr": basis_dr, "x_sr": np.ascontiguousarray(block.x_sd @ basis_dr)}
    return {}


def _variance_factor(posterior: Precision, chosen: list[int]) -> np.ndarray:
    """Upper triangular T with var = sum delta^2 - |T k|^2 for the blocks of one species.

    T^T T = L^-T D (1 - P^-1) D L^-1 restricted to these blocks; k is their kernel values.
    """
    parts = [posterior.blocks[i] for i in chosen]
    columns = np.concatenate([np.arange(b.start, b.stop) for b in parts])
    unit = np.zeros((len(posterior.r_factor), len(columns)))
    unit[columns, np.arange(len(columns))] = 1.0
    v = scipy.linalg.solve_triangular(posterior.r_factor, unit, trans="T", overwrite_b=True)
    reduction = -(v.T @ v)
    reduction[np.diag_indices_from(reduction)] += 1.0
    s, u = scipy.linalg.eigh(reduction)
    # 1 - P^-1 is positive semidefinite; what is below zero is rounding.
    factor = u * np.sqrt(np.maximum(s, 0.0))
    start = 0
    for i, b in zip(chosen, parts):
        rows = slice(start, start + b.stop - b.start)
        factor[rows] = b.delta * scipy.linalg.solve_triangular(
            posterior.cholesky[i], factor[rows], lower=True, trans="T"
        )
        start = rows.stop
    return np.asfortranarray(scipy.linalg.qr(factor.T, mode="r")[0])


def _whitening(lower: np.ndarray, delta: float) -> np.ndarray:
    """delta L^-1, with which the explained prior variance of k is |delta L^-1 k|^2."""
    inverse = scipy.linalg.solve_triangular(lower, np.eye(len(lower)), lower=True)
    return np.asfortranarray(delta * inverse)
