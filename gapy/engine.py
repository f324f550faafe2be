"""Reverse-mode evaluation: environments -> local energies, forces, virial and local variances.

For a block of centres of one species, x -> t = xh Xs^T -> eps = sum alpha t^zeta, dE/dxh =
(alpha zeta t^(zeta-1)) Xs, then back through the descriptor. Two matrix products dominate. The
engine sees arrays only: no ASE object passes this line except through a descriptor's own verbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import dtrmm

from gapy._jit.covariance import energy_and_weights, kernel, normalise, tangent
from gapy.gp.explained import CLOSE, Explained
from gapy.gp.reach import SpeciesReach, norms
from gapy.threads import blas_threads, workers

BLOCK = 128
"""Centres in one block: enough for the matrix products to run at full speed (measured: 64 is 5 %
slower, 256 no faster), few enough that all arrays of a block stay near the cache."""


@dataclass(frozen=True)
class Fitted:
    """What the engine needs of one (term, species) block.

    x_sd (M, D) normalised inducing points, alpha_s (M,). For the variance, `spread_rs` (R, M)
    with var_i = sum delta^2 - |sum spread k_i|^2, the sums over the terms that describe the
    species; None: no variances. With one term it is upper triangular; with several, `n_terms` > 1,
    the terms' errors are correlated and R counts the inducing points of all of them. For the
    distance from the inducing points, lower triangular `whiten_ms` = delta L^-1, and `first_ms` for
    that from the first few of them. All may cover fewer inducing points than the energy, the
    leading ones. `explained` and `near`: the factors of variance and distance in mixed precision.
    `reach`: of the species, if known.

    Two ways to less work: `quadratic_dd` = sum_s alpha_s x_s x_s^T, with which zeta = 2 is a
    quadratic form, exact and independent of M; or `basis_dr` (D, r), orthonormal columns onto
    which descriptors and inducing points are projected (`x_sr`), an approximation whose energy
    and forces are still exact derivatives of one another.
    """

    descriptor: object
    slot: int
    zeta: int
    delta: float
    x_sd: np.ndarray
    alpha_s: np.ndarray
    spread_rs: np.ndarray | None = None
    n_terms: int = 1
    whiten_ms: np.ndarray | None = None
    first_ms: np.ndarray | None = None
    reach: SpeciesReach | None = None
    explained: Explained | None = None
    near: Explained | None = None
    quadratic_dd: np.ndarray | None = None
    basis_dr: np.ndarray | None = None
    x_sr: np.ndarray | None = None


class Sums(NamedTuple):
    """Energies (n,) eV, forces (n, 3) eV/A, virial (3, 3) = dE/d(strain) eV.

    variances (n,) eV^2: posterior, of the local energies; distances (n,) eV^2: prior variance
    that the inducing points do not explain, and first (n,) eV^2 that only the first few do not;
    excess (n,): how far each environment lies beyond the reach of the training set. None unless
    asked for.
    """

    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    variances: np.ndarray | None = None
    distances: np.ndarray | None = None
    first: np.ndarray | None = None
    excess: np.ndarray | None = None


def evaluate(fitted, envs, n_atoms: int, *, variance: bool, distance=False, threads=1) -> Sums:
    """Sum of all blocks.

    Arguments
    ---------
    fitted : sequence of Fitted
    envs : dict from descriptor id to Environments
    variance, distance : whether the sums hold them
    threads : blocks of atoms run in parallel; results do not depend on it
    """
    energies = np.zeros(n_atoms)
    forces = np.zeros((n_atoms, 3))
    virial = np.zeros((3, 3))
    spread = _Spread(fitted, n_atoms, variance, distance) if variance or distance else None
    with blas_threads(1):
        for group in _by_descriptor(fitted):
            descriptor = group[0].descriptor
            env = envs[id(descriptor)]
            gradients = descriptor.gradient_store(env)
            jobs = [(f, b, e) for f in group for b, e in env.blocks(f.slot, BLOCK)]

            def run(job, env=env, gradients=gradients):
                _evaluate_block(*job, env, gradients, energies, spread)
                return job

            parallel = threads > 1 and len(jobs) > 1
            done = workers(threads).map(run, jobs) if parallel else map(run, jobs)
            # Forces are summed here, in the order of the blocks, while the next are computed.
            for _, begin, end in done:
                descriptor.collect(env, begin, end, gradients, forces, virial)
    return Sums(
        energies,
        forces,
        virial,
        spread.variances() if variance else None,
        spread.distances() if distance else None,
        spread.first() if distance else None,
        spread.excess if spread is not None else None,
    )


def _by_descriptor(fitted):
    """Blocks that may run side by side: one descriptor, every species slot at most once."""
    groups: dict[tuple[int, int], list[Fitted]] = {}
    seen: dict[tuple[int, int], int] = {}
    for f in fitted:
        turn = seen.get((id(f.descriptor), f.slot), 0)
        seen[id(f.descriptor), f.slot] = turn + 1
        groups.setdefault((id(f.descriptor), turn), []).append(f)
    return groups.values()


def _evaluate_block(f: Fitted, begin, end, env, gradients, energies, spread) -> None:
    state, x_id = f.descriptor.forward(env, begin, end)
    atoms = env.atom_i[begin:end]
    inv_norm_i = np.empty(end - begin)
    normalise(x_id, inv_norm_i)
    if spread is not None and f.reach is not None:
        excess = f.reach.excess(x_id, norms(inv_norm_i))
        spread.excess[atoms] = np.maximum(spread.excess[atoms], excess)
    eps_i, g_id = _energy_and_gradient(f, x_id, atoms, spread)
    energies[atoms] += eps_i
    tangent(g_id, x_id, inv_norm_i, f.zeta, eps_i)
    f.descriptor.backward(env, begin, end, state, g_id, gradients)


def _energy_and_gradient(f: Fitted, x_id, atoms, spread):
    """eps_i and d eps_i / d xh of normalised descriptors; variances on the way if asked for."""
    exact = f.basis_dr is None
    t_is = None
    if spread is not None:
        shares = exact and f.quadratic_dd is None
        t_is = x_id @ (f.x_sd if shares else f.x_sd[: _points(f)]).T
        spread.add(f, atoms, t_is)
    if f.quadratic_dd is not None:
        g_id = x_id @ f.quadratic_dd
        eps_i = np.einsum("id,id->i", g_id, x_id)
        g_id *= 2.0
        return eps_i, g_id
    if exact:
        t_is = x_id @ f.x_sd.T if t_is is None else t_is
    else:
        t_is = (x_id @ f.basis_dr) @ f.x_sr.T
    eps_i = np.empty(len(x_id))
    energy_and_weights(t_is, f.alpha_s, f.zeta, eps_i)
    return eps_i, t_is @ f.x_sd if exact else (t_is @ f.x_sr) @ f.basis_dr.T


def _points(f: Fitted) -> int:
    """Number of leading inducing points that the variance of a block covers."""
    return max(0 if a is None else a.shape[1] for a in (f.spread_rs, f.whiten_ms))


class _Spread:
    """Local variances and distances, gathered block by block."""

    def __init__(self, fitted, n_atoms: int, variance: bool, distance: bool):
        self._variance, self._distance = variance, distance
        self._prior = np.zeros(n_atoms)
        self._explained = np.zeros(n_atoms)
        self._near = np.zeros(n_atoms)
        self._first = np.zeros(n_atoms)
        self.excess = np.zeros(n_atoms)
        shared = [len(f.spread_rs) for f in fitted if variance and f.n_terms > 1]
        width = max(shared, default=0)
        self._shared_ir = np.zeros((n_atoms if width else 0, width))

    def add(self, f: Fitted, atoms, t_is) -> None:
        """Some atoms, from their products t with the inducing points of one block."""
        self._prior[atoms] += f.delta**2
        if self._distance:
            self._near[atoms] += _explained(f, f.whiten_ms, f.near, t_is, lower=True)
            self._first[atoms] += _explained(f, f.first_ms, None, t_is, lower=True)
        if self._variance and f.n_terms > 1:
            k_is = _kernel(t_is, f.zeta, f.spread_rs.shape[1])
            self._shared_ir[atoms, : len(f.spread_rs)] += k_is @ f.spread_rs.T
        elif self._variance:
            self._explained[atoms] = _explained(f, f.spread_rs, f.explained, t_is, lower=False)

    def variances(self) -> np.ndarray:
        """Variance of every local energy, eV^2."""
        explained = self._explained
        if self._shared_ir.size:
            explained = explained + np.einsum("ir,ir->i", self._shared_ir, self._shared_ir)
        return nonnegative(self._prior - explained, self._prior)

    def distances(self) -> np.ndarray:
        """Prior variance of every local energy that the inducing points leave, eV^2."""
        return nonnegative(self._prior - self._near, self._prior)

    def first(self) -> np.ndarray:
        """Prior variance of every local energy that the first inducing points leave, eV^2."""
        return nonnegative(self._prior - self._first, self._prior)


def _explained(f: Fitted, factor_ms, mixed, t_is, *, lower: bool) -> np.ndarray:
    """|T k|^2 of triangular T, in mixed precision unless too little of the prior is left."""
    if mixed is None:
        # A triangular factor halves the product; k_is.T is Fortran-ordered.
        k_is = _kernel(t_is, f.zeta, factor_ms.shape[1])
        l_mi = dtrmm(1.0, factor_ms, k_is.T, lower=lower, overwrite_b=1)
        return np.einsum("mi,mi->i", l_mi, l_mi)
    total, single = mixed.of(t_is, f.zeta)
    close = f.delta**2 - total < CLOSE * single
    if close.any():
        total[close] = _explained(f, factor_ms, None, t_is[close], lower=lower)
    return total


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
