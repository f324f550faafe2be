"""Several potentials that differ in their weights only, evaluated together.

Members share neighbours, descriptors and kernel values. Their energies cost one more matrix
product, (block x M)(M x members). Their forces cost one product and one reverse pass each; the
reverse passes of eight members share radial functions and harmonics.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, cast

import numpy as np

from gapy._jit.aligned import aligned_empty
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

            _run_all(run, group, env, threads)
            descriptor.collect(env, 0, len(env), gradients, driver.forces, driver.virial)
            for store, f_ncv, v_ccv in zip(stores, forces_gncv, virial_gccv):
                reverse.collect_members(env, store, f_ncv, v_ccv)
    if not forces:
        return MemberSums(driver, energies, None, None)
    return MemberSums(
        driver, energies, _members_first(forces_gncv, n_members),
        _members_first(virial_gccv, n_members),
    )  # fmt: skip


def member_forces(alphas, forms, blocks, envs, n_atoms: int, *, threads=1) -> np.ndarray:
    """Forces (k, n, 3) eV/A of members with these weights alone: no driver, no energies.

    As `evaluate_members`, with `forms` for its `quadratics`. Of a kernel of degree zeta the local
    energy is x_h . (d eps / d x_h) / zeta, so that a quadratic form asks for no kernel value.
    """
    n_members = alphas[0].shape[1]
    groups = range(0, n_members, LANES)
    forces_gncv = np.zeros((len(groups), n_atoms, 3, LANES))
    unused = np.zeros((3, 3, LANES))
    with blas_threads(1):
        for group in engine.side_by_side(blocks, range(len(blocks))):
            descriptor = group[0][0].descriptor
            env = envs[id(descriptor)]
            reverse = _reverse_pass(descriptor)
            stores = [reverse.gradient_store_members(env) for _ in groups]

            def run(job, env=env, stores=stores, reverse=reverse):
                (energy_block, b), begin, end = job
                block = _Block(energy_block, env, begin, end, keep_slopes=True)
                for k0, store in zip(groups, stores):
                    chosen = slice(k0, k0 + LANES)
                    form = None if forms[b] is None else forms[b][chosen]
                    g_vid = block.gradients(alphas[b][:, chosen], form)
                    g_idv = block.tangents(g_vid, block.energies(g_vid))
                    reverse.backward_members(env, begin, end, block.state, g_idv, store)

            _run_all(run, group, env, threads)
            for store, f_ncv in zip(stores, forces_gncv):
                reverse.collect_members(env, store, f_ncv, unused)
    return _members_first(forces_gncv, n_members)


def _run_all(run, group, env, threads: int) -> None:
    jobs = [(pair, b, e) for pair in group for b, e in env.blocks(pair[0].slot, engine.BLOCK)]
    if threads > 1 and len(jobs) > 1:
        list(workers(threads).map(run, jobs))
    else:
        for job in jobs:
            run(job)


def _members_first(by_group: np.ndarray, n_members: int) -> np.ndarray:
    """(groups, ..., 8) as (members, ...)."""
    first = np.moveaxis(by_group, -1, 1)
    return np.ascontiguousarray(first.reshape(-1, *first.shape[2:])[:n_members])


class _Values(NamedTuple):
    """Of a block of centres: kernel k_is, energies of the driver, weights of its gradient, and the
    slopes zeta t^(zeta-1) where forces of members are wanted."""

    k_is: np.ndarray
    eps_i: np.ndarray
    weights_is: np.ndarray
    slope_is: np.ndarray | None


class _Block:
    """What members share for some centres of one species: descriptors and kernel values."""

    def __init__(self, block: EnergyBlock, env, begin: int, end: int, *, keep_slopes: bool):
        self._block, self._env, self._range = block, env, (begin, end)
        self._keep_slopes = keep_slopes
        self.state, self._x_id = block.descriptor.forward(env, begin, end)
        self._inv_norm_i = np.empty(end - begin)
        normalise(self._x_id, self._inv_norm_i)
        self.atoms = env.atom_i[begin:end]

    @cached_property
    def _values(self) -> _Values:
        f = self._block.kernel
        t_is = self._x_id @ f.x_sd.T
        k_is = np.empty_like(t_is)
        if self._keep_slopes:
            powers(t_is, f.zeta, k_is)
            return _Values(k_is, k_is @ f.alpha_s, t_is * f.alpha_s, t_is)
        eps_i = np.empty(len(t_is))
        kernel_and_weights(t_is, f.alpha_s, f.zeta, k_is, eps_i)
        return _Values(k_is, eps_i, t_is, None)

    @property
    def k_is(self) -> np.ndarray:
        """Kernel values of the centres and the inducing points."""
        return self._values.k_is

    def driver(self, energies, gradients) -> None:
        """Local energies of the driver, and its gradients with respect to the neighbours."""
        kernel, short_cut = self._block.kernel, self._block.short_cut
        if isinstance(short_cut, Quadratic):
            g_id = 2.0 * (self._x_id @ short_cut.form_dd)
        else:
            g_id = self._values.weights_is @ kernel.x_sd
        eps_i = self._values.eps_i
        energies[self.atoms] += eps_i
        tangent(g_id, self._x_id, self._inv_norm_i, kernel.zeta, eps_i)
        self._block.descriptor.backward(self._env, *self._range, self.state, g_id, gradients)

    def gradients(self, alpha_sv, quadratic_vdd) -> np.ndarray:
        """d eps / d xh (v, b, D) of some members."""
        if quadratic_vdd is not None:
            return 2.0 * (self._x_id @ quadratic_vdd)
        out = np.empty((alpha_sv.shape[1], *self._x_id.shape))
        slope_is = cast("np.ndarray", self._values.slope_is)
        weights_is = np.empty_like(slope_is)
        for g_id, alpha_s in zip(out, alpha_sv.T.copy()):
            np.multiply(slope_is, alpha_s, out=weights_is)
            np.matmul(weights_is, self._block.kernel.x_sd, out=g_id)
        return out

    def energies(self, g_vid) -> np.ndarray:
        """eps (b, v) that belong to such gradients."""
        return np.einsum("vid,id->iv", g_vid, self._x_id) / self._block.kernel.zeta

    def tangents(self, g_vid, eps_iv) -> np.ndarray:
        """d eps / d x (b, D, 8) from d eps / d xh; lanes without a member are zero."""
        out = aligned_empty((*self._x_id.shape, LANES))
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
