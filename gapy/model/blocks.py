"""A posterior as the blocks of arrays that the engine works with."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat

import numpy as np
import scipy.linalg

from gapy.error_bars.landmarks import Landmarks
from gapy.error_bars.mixed_precision import mixed_factor
from gapy.gp.posterior import Posterior, Precision
from gapy.gp.quadratic import quadratic_form
from gapy.model.local_energy import EnergyBlock, Kernel, Projected, Quadratic
from gapy.model.local_variance import Distances, SharedFactor, Triangle, VarianceBlock

SINGLE_FROM = 256
"""Points from which distances are in mixed precision. Ordinary atoms are close to the points of a
smooth kernel, and are computed again in double precision: 200 took twice as long (measured)."""


def energy_blocks(terms, posterior: Posterior, bases=()) -> tuple[EnergyBlock, ...]:
    """Blocks for energies and forces; `bases` (D, r), if any, to project each block onto.

    Of environments: `gapy.model.pair_table` has those of pair terms.
    """
    out = []
    for b, basis_dr in zip(posterior.blocks, bases or repeat(None)):
        if b.of_pairs:
            continue
        alpha_s = np.ascontiguousarray(posterior.alpha[b.columns])
        kernel = Kernel(np.ascontiguousarray(b.x_sd), alpha_s, b.zeta)
        out.append(
            EnergyBlock(terms[b.term].descriptor, b.slot, kernel, _short_cut(kernel, basis_dr))
        )
    return tuple(out)


def in_single(blocks: tuple[EnergyBlock, ...]) -> tuple[EnergyBlock, ...]:
    """The same, with descriptors that pass in single precision where they can.

    The kernel stays in double precision: the coefficients alpha of a smooth kernel are large and
    nearly cancel, while rounding the descriptor only moves the environment by as little.
    """
    descriptors = {id(block.descriptor): block.descriptor for block in blocks}
    twins = {key: d.in_single() for key, d in descriptors.items() if hasattr(d, "in_single")}
    return tuple(replace(block, single=twins.get(id(block.descriptor))) for block in blocks)


def variance_blocks(
    terms, precision: Precision, near: Landmarks | None = None, n_first: int = 0, reach=()
) -> tuple[VarianceBlock, ...]:
    """Blocks for the variances that `precision` gives, which covers leading inducing points.

    Both in mixed precision where one term describes a species (`gapy.error_bars.mixed_precision`).
    Distances are those from the points `near`, and from the first `n_first` of them; without it
    there are none. `reach`: of each term, or None.
    """
    by_species: dict[int, list[int]] = {}
    for i, b in enumerate(precision.blocks):
        if b.of_pairs:
            continue
        by_species.setdefault(terms[b.term].descriptor.species[b.slot], []).append(i)
    out: dict[int, VarianceBlock] = {}
    for chosen in by_species.values():
        factor = _variance_factor(precision, chosen)
        start = 0
        for i in chosen:
            b = precision.blocks[i]
            stop = start + len(b.x_sd)
            part = np.asfortranarray(factor[:stop, start:stop])
            own = reach[b.term] if reach else None
            parts = [b] if near is None else [b, near.blocks[i]]
            out[i] = VarianceBlock(
                x_sd=np.ascontiguousarray(max((p.x_sd for p in parts), key=len)),
                zeta=b.zeta,
                delta=b.delta,
                posterior=Triangle(part, lower=False, mixed=mixed_factor(factor))
                if len(chosen) == 1
                else SharedFactor(part),
                distances=None if near is None else _distances(near, i, n_first),
                reach=None if own is None else own.species[b.slot],
            )
            start = stop
    return tuple(out[i] for i in sorted(out))


def _distances(near: Landmarks, i: int, n_first: int) -> Distances:
    """Factors delta L^-1, with which the explained prior variance of k is |delta L^-1 k|^2."""
    b, lower = near.blocks[i], near.cholesky[i]
    inverse = scipy.linalg.solve_triangular(lower, np.eye(len(lower)), lower=True)
    whiten = np.asfortranarray(b.delta * inverse)
    few = np.asfortranarray(whiten[:n_first, :n_first])
    mixed = mixed_factor(whiten) if len(whiten) >= SINGLE_FROM else None
    return Distances(b.zeta, Triangle(whiten, True, mixed), Triangle(few, True))


def _short_cut(kernel: Kernel, basis_dr) -> Quadratic | Projected | None:
    """What saves work: the quadratic form of zeta = 2, or a projection."""
    n_points, n_features = kernel.x_sd.shape
    if kernel.zeta == 2 and n_features < 2 * n_points:
        return Quadratic(quadratic_form(kernel.x_sd, kernel.alpha_s))
    if basis_dr is not None:
        x_sr = np.ascontiguousarray(kernel.x_sd @ basis_dr)
        return Projected(basis_dr, x_sr, kernel.alpha_s, kernel.zeta)
    return None


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
