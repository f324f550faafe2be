"""Several potentials that differ in their weights only, evaluated together.

Members share neighbours, descriptors and kernel values. Their energies cost one more matrix
product, (block x M)(M x members). Their forces cost one product and one reverse pass each; the
reverse passes of eight members share radial functions and harmonics.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gapy._jit.covariance import kernel_and_weights, normalise, powers, tangent
from gapy._jit.soap_members import tangent_members
from gapy._jit.vector import LANES
from gapy._support.threads import blas_threads, workers
from gapy.model import engine
from gapy.model.local_energy import EnergyBlock, Quadratic


class MemberSums(NamedTuple):
    """`driver`: engine.Sums of the one that gives energy and forces; of the members: energies
    (k, n) eV, forces (k, n, 3) eV/A and virials (k, 3, 3) eV, the last two None unless asked for.
    """

    driver: engine.Sums
    energies: np.ndarray
    forces: np.ndarray | None
    virials: np.ndarray | None


def evaluate_members(
    blocks, alphas, envs, n_atoms: int, *, forces: bool, quadratics=None, threads=1
) -> MemberSums:
    """Energy and forces of `blocks`, and energies (and forces) of all members.

    Arguments
    ---------
    blocks : sequence of EnergyBlock without a projection, the weights of the driver in it
    alphas : weights (M, k) of the members for each block
    envs : dict from descriptor id to Environments
    forces : whether forces and virials of the members are computed
    quadratics : for each block None or (k, D, D), the members' quadratic forms of zeta = 2
    threads : blocks of atoms run in parallel; results do not depend on it
    """
    n_members = alphas[0].shape[1]
    driver = engine.Sums(np.zeros(n_atoms), np.zeros((n_atoms, 3)), np.zeros((3, 3)))
    energies = np.zeros((n_members, n_atoms))
    groups = range(0, n_members, LANES) if forces else ()
    forces_gncv = np.zeros((len(groups), n_atoms, 3, LANES))
    virial_gccv = np.zeros((len(groups), 3, 3, LANES))
    with blas_threads(1):
        for group in engine.side_by_side(blocks, range(len(blocks))):
            descriptor = group[0][0].descriptor
            env = envs[id(descriptor)]
            reverse = _reverse_pass(descriptor)
            gradients = descriptor.gradient_store(env)
            stores = [reverse.gradient_store_members(env) for _ in groups]

            def run(job, env=env, gradients=gradients, stores=stores, reverse=reverse):
                (energy_block, b), begin, end = job
                block = _Block(energy_block, env, begin, end, keep_slopes=forces)
                block.driver(driver.energies, gradients)
                eps_ik = block.k_is @ alphas[b]
                energies[:, block.atoms] += eps_ik.T
                form = None if quadratics is None else quadratics[b]
                for k0, store in zip(groups, stores):
                    chosen = slice(k0, k0 + LANES)
                    g_vid = block.gradients(
                        alphas[b][:, chosen], None if form is None else form[chosen]
                    )
                    g_idv = block.tangents(g_vid, eps_ik[:, chosen])
                    reverse.backward_members(env, begin, end, block.state, g_idv, store)

            jobs = [
                (pair, b, e) for pair in group for b, e in env.blocks(pair[0].slot, engine.BLOCK)
            ]
            if threads > 1 and len(jobs) > 1:
                list(workers(threads).map(run, jobs))
            else:
                for job in jobs:
                    run(job)
            descriptor.collect(env, 0, len(env), gradients, driver.forces, driver.virial)
            for store, f_ncv, v_ccv in zip(stores, forces_gncv, virial_gccv):
                reverse.collect_members(env, store, f_ncv, v_ccv)
    if not forces:
        return MemberSums(driver, energies, None, None)
    return MemberSums(
        driver, energies, _members_first(forces_gncv, n_members),
        _members_first(virial_gccv, n_members),
    )  # fmt: skip


def _members_first(by_group: np.ndarray, n_members: int) -> np.ndarray:
    """(groups, ..., 8) as (members, ...)."""
    first = np.moveaxis(by_group, -1, 1)
    return np.ascontiguousarray(first.reshape(-1, *first.shape[2:])[:n_members])


class _Block:
    """What members share for some centres of one species: descriptors and kernel values."""

    def __init__(self, block: EnergyBlock, env, begin: int, end: int, *, keep_slopes: bool):
        f = block.kernel
        self._block, self._env, self._range = block, env, (begin, end)
        self.state, self._x_id = block.descriptor.forward(env, begin, end)
        self._inv_norm_i = np.empty(end - begin)
        normalise(self._x_id, self._inv_norm_i)
        self.atoms = env.atom_i[begin:end]
        t_is = self._x_id @ f.x_sd.T
        self.k_is = np.empty_like(t_is)
        if keep_slopes:
            powers(t_is, f.zeta, self.k_is)
            self._slope_is, self._eps_i = t_is, self.k_is @ f.alpha_s
            self._weights_is = t_is * f.alpha_s
        else:
            self._eps_i = np.empty(end - begin)
            kernel_and_weights(t_is, f.alpha_s, f.zeta, self.k_is, self._eps_i)
            self._weights_is = t_is

    def driver(self, energies, gradients) -> None:
        """Local energies of the driver, and its gradients with respect to the neighbours."""
        kernel, short_cut = self._block.kernel, self._block.short_cut
        if isinstance(short_cut, Quadratic):
            g_id = 2.0 * (self._x_id @ short_cut.form_dd)
        else:
            g_id = self._weights_is @ kernel.x_sd
        energies[self.atoms] += self._eps_i
        tangent(g_id, self._x_id, self._inv_norm_i, kernel.zeta, self._eps_i)
        self._block.descriptor.backward(self._env, *self._range, self.state, g_id, gradients)

    def gradients(self, alpha_sv, quadratic_vdd) -> np.ndarray:
        """d eps / d xh (v, b, D) of some members."""
        if quadratic_vdd is not None:
            return 2.0 * (self._x_id @ quadratic_vdd)
        out = np.empty((alpha_sv.shape[1], *self._x_id.shape))
        weights_is = np.empty_like(self._slope_is)
        for g_id, alpha_s in zip(out, alpha_sv.T.copy()):
            np.multiply(self._slope_is, alpha_s, out=weights_is)
            np.matmul(weights_is, self._block.kernel.x_sd, out=g_id)
        return out

    def tangents(self, g_vid, eps_iv) -> np.ndarray:
        """d eps / d x (b, D, 8) from d eps / d xh; lanes without a member are zero."""
        out = np.empty((*self._x_id.shape, LANES))
        tangent_members(
            g_vid, self._x_id, self._inv_norm_i, self._block.kernel.zeta,
            np.ascontiguousarray(eps_iv), out,
        )  # fmt: skip
        return out


def _reverse_pass(descriptor):
    """The descriptor itself if it takes eight members at once, else one member after the other."""
    return descriptor if hasattr(descriptor, "backward_members") else _OneByOne(descriptor)


class _OneByOne:
    """`backward_members` of a descriptor that has only `backward`."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def gradient_store_members(self, env) -> list:
        return [self._descriptor.gradient_store(env) for _ in range(LANES)]

    def backward_members(self, env, begin, end, state, g_idv, stores) -> None:
        for v, store in enumerate(stores):
            g_id = np.ascontiguousarray(g_idv[:, :, v])
            self._descriptor.backward(env, begin, end, state, g_id, store)

    def collect_members(self, env, stores, forces_ncv, virial_ccv) -> None:
        for v, store in enumerate(stores):
            forces, virial = np.zeros(forces_ncv.shape[:2]), np.zeros((3, 3))
            self._descriptor.collect(env, 0, len(env), store, forces, virial)
            forces_ncv[:, :, v] += forces
            virial_ccv[:, :, v] += virial
