"""Local energies of normalised descriptors and their gradients: as fitted, or with less work.

eps_i = sum_s alpha_s (xh_i . x_s)^zeta
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import local
from typing import Any

import numpy as np

from gapy._jit.covariance import energy_and_weights, quadratic_energy
from gapy._jit.few_centres import few_centres
from gapy._jit.few_rows import product
from gapy.descriptors.base import Passes

FEW = 6
"""Centres for which one pass over the inducing points takes less time than matrix products: half
for two to four; both take the same for 6 on an Intel Xeon and for 12 on an AMD EPYC (measured)."""


class _Scratch(local):
    """Of each thread: room for the largest array of a block, kept between blocks.

    A new one for each block goes back to the system at once, and the page faults of the next cost
    7 % of a force call (measured).
    """

    buffer = np.empty(0)


_SCRATCH = _Scratch()


def _room(n_rows: int, n_columns: int) -> np.ndarray:
    """An array whose content is undefined; the next call of this thread takes it again."""
    size = n_rows * n_columns
    if len(_SCRATCH.buffer) < size:
        _SCRATCH.buffer = np.empty(size)
    return _SCRATCH.buffer[:size].reshape(n_rows, n_columns)


@dataclass(frozen=True)
class Kernel:
    """x_sd (M, D) normalised inducing points, alpha_s (M,) eV, zeta."""

    x_sd: np.ndarray
    alpha_s: np.ndarray
    zeta: int

    def energy_and_gradient(self, x_id, t_is=None) -> tuple[np.ndarray, np.ndarray]:
        """eps_i and d eps_i / d xh; `t_is` = xh x_s, if at hand, is overwritten."""
        if t_is is None:
            t_is = _room(len(x_id), len(self.x_sd))
            np.matmul(x_id, self.x_sd.T, out=t_is)
        eps_i = np.empty(len(x_id))
        energy_and_weights(t_is, self.alpha_s, self.zeta, eps_i)
        return eps_i, t_is @ self.x_sd

    def of_few(self, x_id, inv_norm_i, *, products: bool):
        """eps_i, d eps_i / dx, and xh x_s if `products` are wanted, of FEW descriptors at most.

        The descriptors become normalised, inv_norm_i what they were multiplied with.
        """
        eps_i, g_id = np.empty(len(x_id)), np.empty_like(x_id)
        t_is = np.empty((len(x_id), len(self.x_sd) if products else 0))
        few_centres(x_id, self.x_sd, self.alpha_s, self.zeta, inv_norm_i, eps_i, g_id, t_is)
        return eps_i, g_id, t_is


@dataclass(frozen=True)
class Quadratic:
    """sum_s alpha_s x_s x_s^T (D, D): the kernel of zeta = 2, exact and independent of M."""

    form_dd: np.ndarray

    def energy_and_gradient(self, x_id) -> tuple[np.ndarray, np.ndarray]:
        """eps_i and d eps_i / d xh."""
        g_id = product(x_id, self.form_dd)
        eps_i = np.empty(len(x_id))
        quadratic_energy(x_id, g_id, eps_i)
        return eps_i, g_id


@dataclass(frozen=True)
class Projected:
    """The kernel of descriptors projected onto orthonormal columns basis_dr (D, r).

    An approximation whose energy and forces are still exact derivatives of one another. x_sr are
    the projected inducing points.
    """

    basis_dr: np.ndarray
    x_sr: np.ndarray
    alpha_s: np.ndarray
    zeta: int

    def energy_and_gradient(self, x_id) -> tuple[np.ndarray, np.ndarray]:
        """eps_i and d eps_i / d xh."""
        t_is = (x_id @ self.basis_dr) @ self.x_sr.T
        eps_i = np.empty(len(x_id))
        energy_and_weights(t_is, self.alpha_s, self.zeta, eps_i)
        return eps_i, (t_is @ self.x_sr) @ self.basis_dr.T


@dataclass(frozen=True)
class EnergyBlock:
    """What one term says of the local energies of one species slot of its descriptor.

    single: the descriptor's passes in single precision, if these are to be taken.
    """

    descriptor: Any
    slot: int
    kernel: Kernel
    short_cut: Quadratic | Projected | None = None
    single: Passes | None = None

    @property
    def passes(self) -> Any:
        """What has the verbs of `Passes`."""
        return self.descriptor if self.single is None else self.single
