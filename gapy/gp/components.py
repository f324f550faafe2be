"""The components of descriptor space in which a term's kernel works: y = P x.

P holds the leading eigenvectors of second moments over environments of the training structures,
of the normalised descriptors xh and of their derivatives along random displacements of the
neighbours,

    C = <xh xh^T> + <dxh dxh^T> / tr <dxh dxh^T>,      C = sum_r lambda_r p_r p_r^T,

with as few directions as leave the tolerance of its trace (which is 2). Energies need the first
moment and forces the second, so that both lose the same small share. No labels are needed: P comes
before the inducing points, and the kernel of y is a model of its own, whose energy and forces are
exact derivatives of one another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg

from gapy._jit.covariance import normalise, project
from gapy.descriptors.projected import ProjectedSOAP
from gapy.descriptors.soap import CompiledSOAP
from gapy.gp.frames import Frames

N_CENTRES = 1000
"""Environments of each species that are looked at, where there are so many."""
PER_STRUCTURE = 16
"""Of one species of one structure, so that many structures are seen."""
N_DISPLACEMENTS = 4
"""Random displacements of the neighbours of each."""
TOLERANCE = 1e-4
"""Share of the moments that `components="auto"` leaves out."""
LEAST_FEATURES = 160
"""Descriptors of fewer components stay as they are: there is little to save."""
ROUND = 8
"""Ranks are multiples of it: full vectors."""


class Moments(NamedTuple):
    """Of one species: C (D, D), its number of environments with neighbours, and of all."""

    matrix: np.ndarray
    n_bound: int
    n: int


def projected(frames: Frames, term: int, descriptor, components, seed: int):
    """The descriptor of a term with the components that training environments ask for.

    components: number of them, the share of the moments that may be lost (below 1), "auto", or
    "off" for the descriptor as it is, which is also returned where nothing would be saved.
    """
    if components == "off" or not isinstance(descriptor, CompiledSOAP):
        return descriptor
    if components == "auto" and descriptor.n_features < LEAST_FEATURES:
        return descriptor
    found = moments(frames, term, descriptor, np.random.default_rng(seed))
    spectra = [scipy.linalg.eigh(m.matrix) if m.n else None for m in found]
    rank = _rank([s[0][::-1] for s in spectra if s is not None], components)
    if rank >= descriptor.n_features:
        return descriptor
    bases = [
        # A species without data takes any directions: nothing is known of it.
        np.eye(descriptor.n_features, rank) if s is None else s[1][:, ::-1][:, :rank]
        for s in spectra
    ]
    return ProjectedSOAP(descriptor, bases)


def _rank(spectra, components) -> int:
    if components != "auto" and components >= 1:
        return int(components)
    tolerance = TOLERANCE if components == "auto" else float(components)
    needed = 1
    for falling in spectra:
        left = 1.0 - np.cumsum(falling) / falling.sum()
        needed = max(needed, int((left > tolerance).sum()) + 1)
    return -(-needed // ROUND) * ROUND


def moments(frames: Frames, term: int, descriptor, rng) -> list[Moments]:
    """Moments of each species slot, from a sample of environments of random structures."""
    n_slots, n_d = len(descriptor.species), descriptor.n_features
    values, slopes = np.zeros((n_slots, n_d, n_d)), np.zeros((n_slots, n_d, n_d))
    count, bound = np.zeros(n_slots, dtype=int), np.zeros(n_slots, dtype=int)
    for k in rng.permutation(len(frames)):
        if (bound >= N_CENTRES).all():
            break
        env = frames.environments(k)[term]
        for slot in range(n_slots):
            centres = np.arange(env.start_s[slot], env.start_s[slot + 1])
            if len(centres) > PER_STRUCTURE:
                centres = np.sort(rng.choice(centres, PER_STRUCTURE, replace=False))
            if bound[slot] >= N_CENTRES:
                continue
            for i in centres.tolist():
                xh_d, dxh_qd = _displaced(descriptor, env, i, rng)
                values[slot] += np.outer(xh_d, xh_d)
                count[slot] += 1
                if len(dxh_qd):
                    slopes[slot] += dxh_qd.T @ dxh_qd
                    bound[slot] += 1
    return [
        Moments(_sum(values[s], slopes[s]), int(bound[s]), int(count[s])) for s in range(n_slots)
    ]


def _displaced(descriptor, env, i: int, rng):
    """xh (D,) of a centre and its changes (q, D) along random displacements of its neighbours."""
    block = descriptor.derivative_block(env, i, i + 1)
    inv_norm_i = np.empty(1)
    normalise(block.x_id, inv_norm_i)
    project(block.first_i, block.x_id, inv_norm_i, block.dx_pcd)
    dxh_md = block.dx_pcd.reshape(-1, descriptor.n_features)
    n = N_DISPLACEMENTS if len(dxh_md) else 0
    return block.x_id[0], rng.standard_normal((n, len(dxh_md))) @ dxh_md


def _sum(values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    return sum(
        (m / np.trace(m) for m in (values, slopes) if np.trace(m) > 0.0), np.zeros_like(values)
    )
