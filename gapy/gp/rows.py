"""Rows of K_nM: the linear functionals that labels are, at delta = 1.

    energy      sum_i k(i, s)
    force a, j  -d/dr_ja sum_i k(i, s)
    stress      (1/V) d/d(strain) sum_i k(i, s)      Voigt order xx yy zz yz xz xy

Cost of the force rows of one atom with P neighbours, images of one atom counted once: 2 * 3 P * D M
floating point operations, one matrix product for a chunk of atoms; memory is bounded by the chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy._jit.covariance import (
    fold_images,
    normalise,
    powers,
    project,
    scatter_force_rows,
    strain_derivative,
)
from gapy.gp.terms import Block, blocks

CHUNK_BYTES = 8_000_000
"""Bytes of one chunk's derivatives and their products: large enough for the matrix product to
run at full speed, small enough to stay near the cache and to bound memory."""


@dataclass(frozen=True)
class Rows:
    """energy (M,), local (n, M) in atom order, forces (3n, M), stress (6, M); None if not asked."""

    energy: np.ndarray | None
    local: np.ndarray | None
    forces: np.ndarray | None
    stress: np.ndarray | None


def derivative_chunks(descriptor, env, slot: int, columns: int):
    """Derivative blocks of one slot, normalised unless it is one of pairs, chunked by memory.

    block.x_id and block.dx_pcd (and strain_ivd where the descriptor gives it) are those of xh.
    """
    begin, stop = int(env.start_s[slot]), int(env.start_s[slot + 1])
    per_pair = 3 * (descriptor.n_features + columns) * 8
    while begin < stop:
        budget = max(int(CHUNK_BYTES // per_pair), 1)
        end = begin + 1
        while end < stop and env.first_i[end + 1] - env.first_i[begin] <= budget:
            end += 1
        block = descriptor.derivative_block(env, begin, end)
        if descriptor.of_pairs:
            yield block
            begin = end
            continue
        inv_norm_i = np.empty(end - begin)
        normalise(block.x_id, inv_norm_i)
        project(block.first_i, block.x_id, inv_norm_i, block.dx_pcd)
        if block.strain_ivd is not None:
            each = np.arange(end - begin + 1)
            project(each, block.x_id, inv_norm_i, block.strain_ivd)
        yield block
        begin = end


def strain_of(block) -> np.ndarray:
    """d xh / d strain (b, 6, D) of a normalised derivative block."""
    if block.strain_ivd is not None:
        return block.strain_ivd
    out = np.empty((len(block.x_id), 6, block.x_id.shape[1]))
    strain_derivative(block.first_i, block.dx_pcd, block.r_pc, out)
    return out


def structure_rows(
    terms, atoms, *, energy=True, local=False, forces=True, stress=False, environments=None
) -> Rows:
    """Rows of one structure against all inducing points.

    `environments`: those of each term's descriptor for `atoms`, if already known.
    """
    table = blocks(terms)
    n, m = len(atoms), (table[-1].stop if table else 0)
    out_local = np.zeros((n, m)) if local else None
    out_energy = np.zeros(m) if energy else None
    out_forces = np.zeros((n, 3, m)) if forces else None
    out_stress = np.zeros((6, m)) if stress else None
    envs = environments or [term.descriptor.environments(atoms) for term in terms]
    products = _Scratch()
    for together in _sharing(table, terms):
        first = together[0]
        descriptor, env = terms[first.term].descriptor, envs[first.term]
        if not (forces or stress):
            for b in together:
                _values_only(descriptor, env, b, out_energy, out_local)
            continue
        widest = max(b.stop - b.start for b in together)
        for block in derivative_chunks(descriptor, env, first.slot, widest):
            strain = strain_of(block) if stress else None
            if forces:
                first_i, j_p = np.empty_like(block.first_i), np.empty_like(block.j_p)
                pairs = fold_images(
                    n, block.atom_i, block.first_i, block.j_p, block.dx_pcd, first_i, j_p
                )
                dx = block.dx_pcd[:pairs].reshape(3 * pairs, block.x_id.shape[1])
            points = None
            for b in together:
                if b.x_sd is not points:  # terms that differ in zeta alone share them
                    points = b.x_sd
                    t_is = block.x_id @ points.T
                    if stress:
                        along_vs = strain.reshape(-1, strain.shape[2]) @ points.T
                        along_ivs = along_vs.reshape(len(strain), 6, len(points))
                    if forces:
                        room = products.take(3 * pairs, b)
                        np.matmul(dx, points.T, out=room)
                        along_pcs = room.reshape(pairs, 3, len(points))
                slope_is = t_is.copy()
                k_is = np.empty_like(slope_is)
                powers(slope_is, b.zeta, k_is)
                if energy:
                    out_energy[b.columns] += k_is.sum(axis=0)
                if local:
                    out_local[block.atom_i, b.columns] = k_is
                if stress:
                    out_stress[:, b.columns] += np.einsum("is,ivs->vs", slope_is, along_ivs)
                if forces:
                    scatter_force_rows(
                        block.atom_i, first_i, j_p, slope_is, along_pcs,
                        out_forces[:, :, b.columns],
                    )  # fmt: skip
    if stress:
        out_stress /= atoms.get_volume()
    return Rows(out_energy, out_local, out_forces.reshape(3 * n, m) if forces else None, out_stress)


def _sharing(table, terms) -> list[list[Block]]:
    """Blocks of one descriptor and slot together: its derivatives are computed once for them."""
    groups: dict[tuple[int, int], list[Block]] = {}
    for b in table:
        groups.setdefault((id(terms[b.term].descriptor), b.slot), []).append(b)
    return list(groups.values())


class _Scratch:
    """One buffer for the products of all chunks: a new one each time costs page faults."""

    def __init__(self):
        self._buffer = np.empty(0)

    def take(self, n_rows: int, block) -> np.ndarray:
        """A (n_rows, M_block) array whose content is undefined."""
        width = block.stop - block.start
        if len(self._buffer) < n_rows * width:
            self._buffer = np.empty(n_rows * width)
        return self._buffer[: n_rows * width].reshape(n_rows, width)


def _values_only(descriptor, env, b, out_energy, out_local) -> None:
    for begin, end in env.blocks(b.slot):
        x_id = descriptor.values(env, begin, end)
        if not descriptor.of_pairs:
            normalise(x_id, np.empty(len(x_id)))
        t_is = x_id @ b.x_sd.T
        k_is = np.empty_like(t_is)
        powers(t_is, b.zeta, k_is)
        if out_energy is not None:
            out_energy[b.columns] += k_is.sum(axis=0)
        if out_local is not None:
            out_local[env.atom_i[begin:end], b.columns] = k_is
