"""Prior variances k** of the functionals that labels are, exact within a structure.

With xh the normalised descriptors, t = xh_i . xh_i' and dxh derivatives along the functional,
the covariance of two derivative functionals is

    zeta t^(zeta-1) dxh_i . dxh_i' + zeta (zeta-1) t^(zeta-2) (xh_i' . dxh_i) (xh_i . dxh_i'),

summed over all pairs of environments of one species, times delta^2. Nothing is approximated;
the price is that all derivatives of one species are held at once: 24 n P D bytes for n atoms
with P neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy._support.voigt import voigt
from gapy.gp.rows import derivative_chunks, strain_of


@dataclass(frozen=True)
class PriorVariances:
    """k** of the total energy (eV^2), the forces (3n,) (eV/A)^2 and the stress (6,) (eV/A^3)^2.

    The sizes are upper bounds, (sum of the standard deviations of all pair terms)^2: where
    symmetry makes the terms cancel, as in a perfect crystal, they set the rounding error. None
    where not asked for.
    """

    energy: float
    forces: np.ndarray | None
    stress: np.ndarray | None
    forces_size: np.ndarray | None
    stress_size: np.ndarray | None


def _power(t: np.ndarray, exponent: int) -> np.ndarray:
    return t**exponent if exponent >= 0 else np.zeros_like(t)


def _pair_sum(zeta: int, t, gram, cross) -> float:
    """sum_ii' of the covariance of derivative functionals; `cross`[i, i'] = xh_i' . dxh_i."""
    first = zeta * _power(t, zeta - 1) * gram
    second = zeta * (zeta - 1) * _power(t, zeta - 2) * cross * cross.T
    return float((first + second).sum())


def prior_variances(
    terms, atoms, *, forces=True, stress=False, environments=None
) -> PriorVariances:
    """k** of the total energy, every force component and the stress of a structure."""
    n = len(atoms)
    envs = environments or [term.descriptor.environments(atoms) for term in terms]
    energy = 0.0
    force_nc, force_size_nc = np.zeros((2, n, 3)) if forces else (None, None)
    stress_v, stress_size_v = np.zeros((2, 6)) if stress else (None, None)
    for term, env in zip(terms, envs):
        for slot, delta in enumerate(term.delta):
            if env.start_s[slot + 1] == env.start_s[slot] or not len(term.inducing[slot]):
                continue
            chunks = list(derivative_chunks(term.descriptor, env, slot, 0))
            x_id = np.concatenate([c.x_id for c in chunks])
            t = x_id @ x_id.T
            energy += delta**2 * float((t**term.zeta).sum())
            if forces:
                _add_forces(term.zeta, delta, chunks, x_id, t, force_nc)
                force_size_nc += delta**2 * term.zeta * _force_norms(chunks, n) ** 2
            if stress:
                strain = np.concatenate([strain_of(c) for c in chunks])
                for v in range(6):
                    dx = strain[:, v]
                    stress_v[v] += delta**2 * _pair_sum(term.zeta, t, dx @ dx.T, dx @ x_id.T)
                stress_size_v += delta**2 * term.zeta * sum(_strain_norms(c) for c in chunks) ** 2
    if stress:
        stress_v /= atoms.get_volume() ** 2
        stress_size_v /= atoms.get_volume() ** 2
    if forces:
        force_nc, force_size_nc = force_nc.ravel(), force_size_nc.ravel()
    return PriorVariances(energy, force_nc, stress_v, force_size_nc, stress_size_v)


def _force_norms(chunks, n: int) -> np.ndarray:
    """Sum of |dxh_p| over all pairs that move with each atom, (n, 3)."""
    out = np.zeros((n, 3))
    for chunk in chunks:
        norm_pc = np.linalg.norm(chunk.dx_pcd, axis=2)
        np.add.at(out, chunk.j_p, norm_pc)
        np.add.at(out, np.repeat(chunk.atom_i, np.diff(chunk.first_i)), norm_pc)
    return out


def _strain_norms(chunk) -> np.ndarray:
    """Sum of the norms of the terms of d xh / d strain, (6,)."""
    if chunk.strain_ivd is not None:
        return np.linalg.norm(chunk.strain_ivd, axis=2).sum(axis=0)
    outer = np.einsum("pa,pb->ab", np.linalg.norm(chunk.dx_pcd, axis=2), np.abs(chunk.r_pc))
    return voigt(outer)


def _add_forces(zeta, delta, chunks, x_id, t, force_nc) -> None:
    """Sort the derivatives by the atom that moves, then sum over pairs of environments."""
    centre_p, atom_p, dx_pcd, offset = [], [], [], 0
    for chunk in chunks:
        counts = np.diff(chunk.first_i)
        local = np.repeat(np.arange(len(counts)), counts)
        # The centre's own derivative is minus the sum over its pairs.
        own = np.zeros((len(counts), 3, x_id.shape[1]))
        np.subtract.at(own, local, chunk.dx_pcd)
        centre_p += [local + offset, np.arange(len(counts)) + offset]
        atom_p += [chunk.j_p, chunk.atom_i]
        dx_pcd += [chunk.dx_pcd, own]
        offset += len(counts)
    centre_p, atom_p = np.concatenate(centre_p), np.concatenate(atom_p)
    dx_pcd = np.concatenate(dx_pcd)
    order = np.lexsort((centre_p, atom_p))
    bounds = np.searchsorted(atom_p[order], np.arange(len(force_nc) + 1))
    for j in range(len(force_nc)):
        take = order[bounds[j] : bounds[j + 1]]
        if not len(take):
            continue
        centres, first = np.unique(centre_p[take], return_index=True)
        # Several images of j may neighbour the same centre: their derivatives add.
        dx = np.add.reduceat(dx_pcd[take], first, axis=0)
        t_sub, x_sub = t[np.ix_(centres, centres)], x_id[centres]
        for c in range(3):
            d = dx[:, c]
            force_nc[j, c] += delta**2 * _pair_sum(zeta, t_sub, d @ d.T, d @ x_sub.T)
