"""Variances of local energies, gathered over blocks of centres and over terms.

var_i = sum delta^2 - |T k_i|^2,     k_is = (xh_i . x_s)^zeta
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dtrmm

from gapy._jit.covariance import kernel
from gapy._jit.few_centres import few_squares
from gapy.error_bars.extrapolation import SpeciesExtrapolation, norms
from gapy.error_bars.mixed_precision import CLOSE, MixedFactor

FEW = 8
"""Centres for which one compiled pass in double precision is faster than matrix products."""


@dataclass(frozen=True)
class Triangle:
    """Triangular T (m, m) of one block, and the same in mixed precision where that pays."""

    matrix: np.ndarray
    lower: bool
    mixed: MixedFactor | None = None

    def explained(self, t_is, zeta: int, delta: float) -> np.ndarray:
        """|T k|^2 (b,), in mixed precision unless too little of the prior delta^2 is left."""
        if len(t_is) <= FEW:
            return self.of_few(t_is, zeta)[0]
        if self.mixed is None:
            l_mi = self.product(t_is, zeta)
            return np.einsum("mi,mi->i", l_mi, l_mi)
        total, single = self.mixed.of(t_is, zeta)
        close = delta**2 - total < CLOSE * single
        if close.any():
            exact = Triangle(self.matrix, self.lower)
            total[close] = exact.explained(t_is[close], zeta, delta)
        return total

    def of_few(self, t_is, zeta: int, n_leading: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """|T k|^2 (b,) of FEW centres at most, and that of the leading rows of T alone."""
        square_i, leading_i = np.empty(len(t_is)), np.empty(len(t_is))
        few_squares(t_is, zeta, self.matrix.T, self.lower, n_leading, square_i, leading_i)
        return square_i, leading_i

    def product(self, t_is, zeta: int) -> np.ndarray:
        """T k (m, b) in double precision."""
        # A triangular factor halves the product; k_is.T is Fortran-ordered.
        k_is = _kernel(t_is, zeta, self.matrix.shape[1])
        return dtrmm(1.0, self.matrix, k_is.T, lower=self.lower, overwrite_b=1)


@dataclass(frozen=True)
class SharedFactor:
    """Columns (R, m) of T for one of several terms of a species, whose errors are correlated."""

    matrix: np.ndarray


@dataclass(frozen=True)
class Distances:
    """T = delta L^-1 of some leading inducing points, `near`, and of the `first` few of them, for
    k = t^exponent."""

    exponent: int
    near: Triangle
    first: Triangle

    def explained(self, t_is, delta: float) -> tuple[np.ndarray, np.ndarray]:
        """|T k|^2 (b,) of both."""
        # T is lower triangular: its leading rows are those of `first`.
        if len(t_is) <= FEW:
            return self.near.of_few(t_is, self.exponent, len(self.first.matrix))
        if self.near.mixed is not None:
            of = (t_is, self.exponent, delta)
            return self.near.explained(*of), self.first.explained(*of)
        l_mi = self.near.product(t_is, self.exponent)
        first_mi = l_mi[: len(self.first.matrix)]
        return np.einsum("mi,mi->i", l_mi, l_mi), np.einsum("mi,mi->i", first_mi, first_mi)


@dataclass(frozen=True)
class VarianceBlock:
    """What one term adds to the variances of one species slot; stands beside its EnergyBlock.

    x_sd: its leading inducing points, as many as the factors cover. `posterior`: factor of the
    posterior variance. `distances`: those from the inducing points, if wanted. `reach`: of the
    species, if known.
    """

    x_sd: np.ndarray
    zeta: int
    delta: float
    posterior: Triangle | SharedFactor
    distances: Distances | None = None
    reach: SpeciesExtrapolation | None = None


class VarianceSums:
    """Variances (n,) eV^2, and what else the blocks hold; atoms of no block have zero."""

    def __init__(self, blocks, n_atoms: int):
        self.excess = np.zeros(n_atoms)
        self._has_distances = any(b.distances is not None for b in blocks)
        self._prior = np.zeros(n_atoms)
        self._explained = np.zeros(n_atoms)
        self._near = np.zeros(n_atoms)
        self._first = np.zeros(n_atoms)
        shared = (b.posterior for b in blocks if isinstance(b.posterior, SharedFactor))
        width = max((len(factor.matrix) for factor in shared), default=0)
        self._shared_ir = np.zeros((n_atoms if width else 0, width))

    def add(self, block: VarianceBlock, atoms, t_is) -> None:
        """Some atoms, from their products t with the inducing points of one block."""
        zeta, delta = block.zeta, block.delta
        self._prior[atoms] += delta**2
        if block.distances is not None:
            near, first = block.distances.explained(t_is, delta)
            self._near[atoms] += near
            self._first[atoms] += first
        if isinstance(block.posterior, SharedFactor):
            matrix = block.posterior.matrix
            k_is = _kernel(t_is, zeta, matrix.shape[1])
            self._shared_ir[atoms, : len(matrix)] += k_is @ matrix.T
        else:
            self._explained[atoms] = block.posterior.explained(t_is, zeta, delta)

    def add_excess(self, block: VarianceBlock, atoms, x_id, inv_norm_i, unseen_i=None) -> None:
        """How far some atoms, with normalised descriptors and what they were times, lie outside.

        unseen_i: squared length of what the descriptors leave out, None for nothing.
        """
        if block.reach is not None:
            excess = block.reach.excess(x_id, norms(inv_norm_i), unseen_i)
            self.excess[atoms] = np.maximum(self.excess[atoms], excess)

    def variances(self) -> np.ndarray:
        """Posterior variance of every local energy, eV^2."""
        explained = self._explained
        if self._shared_ir.size:
            explained = explained + np.einsum("ir,ir->i", self._shared_ir, self._shared_ir)
        return nonnegative(self._prior - explained, self._prior)

    def distances(self) -> np.ndarray | None:
        """Prior variance of every local energy that the inducing points leave, eV^2."""
        return self._left(self._near)

    def first(self) -> np.ndarray | None:
        """Prior variance of every local energy that the first inducing points leave, eV^2."""
        return self._left(self._first)

    def _left(self, explained) -> np.ndarray | None:
        return nonnegative(self._prior - explained, self._prior) if self._has_distances else None


def _kernel(t_is, zeta: int, n_points: int) -> np.ndarray:
    """k = t^zeta of the leading points."""
    k_is = np.empty((len(t_is), n_points))
    kernel(t_is, zeta, k_is)
    return k_is


def nonnegative(variance: np.ndarray, scale) -> np.ndarray:
    """Rounding may take a vanishing variance below zero; anything larger is a fault."""
    worst = float((variance / np.maximum(scale, 1e-300)).min(initial=0.0))
    if worst < -1e-6:
        raise FloatingPointError(
            f"variance: expected at least zero, got {worst:.2e} of the prior; the covariance "
            "factors of the model are inconsistent"
        )
    return np.maximum(variance, 0.0)
