"""Reverse-mode evaluation: environments -> local energies, forces, virial and local variances.

For a block of centres of one species, x -> t = xh Xs^T -> eps = sum alpha t^zeta, dE/dxh =
(alpha zeta t^(zeta-1)) Xs, then back through the descriptor. Two matrix products dominate. The
engine sees arrays only: no ASE object passes this line except through a descriptor's own verbs.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

import numpy as np

from gapy._jit.covariance import normalise, tangent
from gapy._support.threads import blas_threads, workers
from gapy.model.local_energy import FEW, EnergyBlock
from gapy.model.local_variance import VarianceSums

BLOCK = 128
"""Centres in one block: enough for the matrix products to run at full speed (measured: 64 is 5 %
slower, 256 no faster), few enough that all arrays of a block stay near the cache."""


class Sums(NamedTuple):
    """Energies (n,) eV, forces (n, 3) eV/A, virial (3, 3) = dE/d(strain) eV.

    With several structures the virial is (m, 3, 3), one for each.
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


def evaluate(
    energy_blocks, envs, n_atoms: int, variance_blocks=None, *, first_m=None, threads=1
) -> Sums:
    """Sum of all blocks.

    Arguments
    ---------
    energy_blocks : sequence of EnergyBlock
    envs : dict from descriptor id to Environments
    variance_blocks : VarianceBlock beside each of them, or None for no variances
    first_m : (m + 1,) where the atoms are those of m structures, one after the other: atoms
        first_m[m]:first_m[m + 1] are those of structure m
    threads : blocks of atoms run in parallel; results do not depend on it
    """
    energies = np.zeros(n_atoms)
    forces = np.zeros((n_atoms, 3))
    virial = np.zeros((3, 3) if first_m is None else (len(first_m) - 1, 3, 3))
    sums = None if variance_blocks is None else VarianceSums(variance_blocks, n_atoms)
    with blas_threads(1):
        for group in side_by_side(energy_blocks, variance_blocks or repeat(None)):
            descriptor = group[0][0].descriptor
            env = envs[id(descriptor)]
            passes = group[0][0].passes
            gradients = passes.gradient_store(env)
            jobs = [(pair, b, e) for pair in group for b, e in env.blocks(pair[0].slot, BLOCK)]

            def run(job, env=env, gradients=gradients):
                (block, variance), begin, end = job
                _evaluate_block(block, variance, begin, end, env, gradients, energies, sums)
                return job

            parallel = threads > 1 and len(jobs) > 1
            done = workers(threads).map(run, jobs) if parallel else map(run, jobs)
            # Forces are summed here, in the order of the blocks, while the next are computed.
            for _, begin, end in done:
                passes.collect(env, begin, end, gradients, forces, virial, first_m)
    if sums is None:
        return Sums(energies, forces, virial)
    return Sums(
        energies, forces, virial, sums.variances(), sums.distances(), sums.first(), sums.excess
    )


def side_by_side(energy_blocks, others):
    """Groups of (EnergyBlock, other) that may run side by side.

    Those of one group share the descriptor, and hold every species slot at most once.
    """
    groups: dict[tuple[int, int], list[tuple]] = {}
    seen: dict[tuple[int, int], int] = {}
    for block, other in zip(energy_blocks, others):
        turn = seen.get((id(block.descriptor), block.slot), 0)
        seen[id(block.descriptor), block.slot] = turn + 1
        groups.setdefault((id(block.descriptor), turn), []).append((block, other))
    return groups.values()


def _evaluate_block(
    block: EnergyBlock, variance, begin, end, env, gradients, energies, sums
) -> None:
    passes = block.passes
    state, x_id = passes.forward(env, begin, end)
    atoms = env.atom_i[begin:end]
    inv_norm_i = np.empty(end - begin)
    kernel, short_cut = block.kernel, block.short_cut
    few = end - begin <= FEW and short_cut is None
    t_is = None
    if few:
        eps_i, g_id, t_is = kernel.of_few(x_id, inv_norm_i, products=variance is not None)
    else:
        normalise(x_id, inv_norm_i)
    if variance is not None:
        unseen_i = passes.unseen(env, begin, end, state)
        sums.add_excess(variance, atoms, x_id, inv_norm_i, unseen_i)
        # The full kernel needs the products with all points; the variances use the leading ones.
        if not few:
            t_is = x_id @ (kernel if short_cut is None else variance).x_sd.T
        sums.add(variance, atoms, t_is)
    if not few:
        if short_cut is None:
            eps_i, g_id = kernel.energy_and_gradient(x_id, t_is)
        else:
            eps_i, g_id = short_cut.energy_and_gradient(x_id)
        tangent(g_id, x_id, inv_norm_i, kernel.zeta, eps_i)
    energies[atoms] += eps_i
    passes.backward(env, begin, end, state, g_id, gradients)
