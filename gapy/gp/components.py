"""The components of descriptor space in which a term's kernel works: y = P x.

First, where the densities of a centre have many channels (several species, a large radial basis),
they are mixed into the leading eigenvectors of

    C^l_uv = w <sum_m c_ku c_kv> / tr + <sum_m grad c_ku . grad c_kv> / tr,

gradients with respect to a neighbour, whose mean over directions is (2l + 1) (R'_u R'_v + l (l + 1)
R_u R_v / r^2) over 4 pi, and the traces sums over l (`gapy.descriptors.mixed`). Then P holds the
leading eigenvectors of second moments of the normalised descriptors xh of training environments,
and of their changes along random displacements of the neighbours,

    C = <xh xh^T> / tr + <dxh dxh^T> / tr.

Energies need the first moment and forces the second. No labels are needed: P comes before the
inducing points, and the kernel of y is a model of its own, whose energy and forces are exact
derivatives of one another.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from gapy._jit.covariance import normalise, project
from gapy._jit.vector import LANES
from gapy.descriptors import MIXED, mixed_soap
from gapy.descriptors.projected import ProjectedSOAP
from gapy.descriptors.soap import CompiledSOAP
from gapy.gp.frames import Frames

N_CENTRES = 1000
"""Environments of each species that are looked at, where there are so many."""
PER_STRUCTURE = 16
"""Of one species of one structure, so that many structures are seen."""
N_DISPLACEMENTS = 4
"""Random displacements of the neighbours of each."""
TOLERANCE = 3e-5
"""Share of the moments that `components="auto"` leaves out."""
LEAST_FEATURES = 160
"""Descriptors of fewer components stay as they are: there is little to save."""
MIXING_TOLERANCE = 1e-2
"""Share of the density moments that mixing may leave out."""
BESIDE_TOTAL = 4
"""Mixed channels beside the total density. It carries where the neighbours are, they who is where;
more of them weigh the second against the first (`benchmarks/mixing.py`: 76, 75 and 138 meV/A with
3, 4 and 8 for five metals; molecules of many kinds prefer more)."""
DENSITY_WEIGHT = 0.1
"""w: densities count less than their gradients, which the forces follow (measured on ethanol: the
force error with 8 of 24 channels is 3 % lower than with 1)."""


def projected(frames: Frames, term: int, descriptor, components, n_points: int, seed: int):
    """The descriptor of a term with the components that training environments ask for.

    components: number of them, the share of the moments of what is mixed that may be lost (below 1;
    the mixing comes before, and a number may ask for more channels), "auto", or
    "off" for the descriptor as it is, which is also returned where nothing would be saved. With
    "auto" that goes by the products with n_points inducing points of a species; compressed
    descriptors whose densities cannot be mixed stay (measured: their components are too many).
    """
    if components == "off" or not isinstance(descriptor, CompiledSOAP):
        return descriptor
    if components == "auto" and not _worth_a_try(frames, descriptor):
        return descriptor
    mixed = _mixed(frames, term, descriptor, components, seed)
    found = moments(frames, term, mixed, np.random.default_rng(seed))
    if not found.any():
        return descriptor  # free atoms only
    spectra = [scipy.linalg.eigh(m_dd) for m_dd in _pooled(found)]
    rank = _rank([values[::-1] for values, _ in spectra], components)
    whole = descriptor.n_features
    if rank >= whole:
        return descriptor
    rank = min(rank, mixed.n_features)
    if components == "auto" and rank * (mixed.n_features + n_points) > whole * n_points:
        return descriptor
    scale = np.sqrt(mixed.metric_d)[:, None]
    return ProjectedSOAP(mixed, [scale * vectors[:, ::-1][:, :rank] for _, vectors in spectra])


def _worth_a_try(frames: Frames, descriptor: CompiledSOAP) -> bool:
    """Whether "auto" may save work, and no species is still to come, which P would not see."""
    occurring = set(np.unique(np.concatenate([atoms.numbers for atoms in frames.atoms])).tolist())
    large = descriptor.n_features >= LEAST_FEATURES and _mode(descriptor) in MIXED
    return large and occurring.issuperset(descriptor.species)


def _pooled(found: np.ndarray) -> np.ndarray:
    """Moments of each species; of all others together for one that only occurs as a free atom."""
    return np.stack([m if m.any() else found.sum(axis=0) for m in found])


def _rank(spectra, components) -> int:
    if components != "auto" and components >= 1:
        return int(components)
    tolerance = TOLERANCE if components == "auto" else float(components)
    needed = 1
    for falling in spectra:
        left = 1.0 - np.cumsum(falling) / falling.sum()
        needed = max(needed, int((left > tolerance).sum()) + 1)
    return _full(needed)


def _mode(descriptor: CompiledSOAP) -> str:
    return descriptor.soap.compression.get("mode", "off")


def _full(n: int) -> int:
    """n or a little more, a whole number of vectors."""
    return -(-n // LANES) * LANES


# -- mixing -------------------------------------------------------------------------------------


def _mixed(frames: Frames, term: int, descriptor: CompiledSOAP, components, seed: int):
    """The descriptor with mixed densities, or as it is where that saves no channels."""
    n_channels = descriptor.n_densities * descriptor.soap._n_max
    if _mode(descriptor) not in MIXED or n_channels <= LANES:
        return descriptor
    found = density_moments(frames, term, descriptor, np.random.default_rng(seed))
    spectra = [np.linalg.eigh(c_luu) for c_luu in _pooled(found)]
    with_total = _mode(descriptor) == "mu1nu1"
    if with_total:
        q = BESIDE_TOTAL
    else:  # fewer than a vector cost as much
        q = max(_channels(spectra), LANES) if found.any() else LANES
    if components != "auto" and components >= 1:
        n_l, n = descriptor.soap._l_max + 1, descriptor.soap._n_max
        while n_l * (q * n if with_total else q * (q + 1) // 2) < components:
            q += 1
    if q >= n_channels:
        return descriptor
    return mixed_soap(descriptor, [vectors[:, :, ::-1][:, :, :q] for _, vectors in spectra])


def _channels(spectra) -> int:
    """How many keep all but MIXING_TOLERANCE of the moments of every central species."""
    needed = 1
    for values_lu, _ in spectra:
        left = 1.0 - np.cumsum(values_lu[:, ::-1].sum(axis=0)) / values_lu.sum()
        needed = max(needed, int((left > MIXING_TOLERANCE).sum()) + 1)
    return needed


def density_moments(frames: Frames, term: int, descriptor: CompiledSOAP, rng) -> np.ndarray:
    """C^l_uv (S, l_max + 1, U, U) of each central species, U = densities * n_max; 0 without data.

    The gradients of two densities of one neighbour, as a magnetic one has, count as independent.
    """
    n_l, n, n_slots = descriptor.soap._l_max + 1, descriptor.soap._n_max, descriptor.n_densities
    n_pad, slots = descriptor.channels.n_pad, descriptor.channels.slots
    real = (np.arange(n_slots)[:, None] * n_pad + np.arange(n)).ravel()
    values, slopes = np.zeros((2, len(descriptor.species), n_l, n_slots * n, n_slots * n))
    l = np.arange(n_l)
    for env, slot, centres in _sampled(frames, term, descriptor, rng):
        for i in centres.tolist():
            c_ku = descriptor.expand(env, i, i + 1)[0][:, real]
            for k in range(n_l):
                c_mu = c_ku[k * k : (k + 1) ** 2]
                values[slot, k] += c_mu.T @ c_mu
            pairs = slice(env.first_i[i], env.first_i[i + 1])
            r_p = np.linalg.norm(env.r_pc[pairs], axis=1)
            value_pln, slope_pln = descriptor.radial(r_p)
            around = value_pln * np.sqrt(l * (l + 1))[:, None] / r_p[:, None, None]
            for t in range(n_slots):
                of = slots[env.species_p[pairs]] == t
                u = slice(t * n, (t + 1) * n)
                for part in (slope_pln[of], around[of]):
                    slopes[slot, :, u, u] += np.einsum("l,pln,plm->lnm", 2 * l + 1.0, part, part)
    return np.stack([_sum(v, s, DENSITY_WEIGHT) for v, s in zip(values, slopes)])


# -- the projection -----------------------------------------------------------------------------


def moments(frames: Frames, term: int, descriptor, rng) -> np.ndarray:
    """C (S, D, D) of each central species in the descriptor's metric; 0 without data."""
    n_slots, n_d = len(descriptor.species), descriptor.n_features
    values, slopes = np.zeros((2, n_slots, n_d, n_d))
    for env, slot, centres in _sampled(frames, term, descriptor, rng):
        parts = [_displaced(descriptor, env, i, rng) for i in centres.tolist()]
        x_id, dx_qd = (np.concatenate(rows) for rows in zip(*parts))
        values[slot] += x_id.T @ x_id
        slopes[slot] += dx_qd.T @ dx_qd
    return np.stack([_sum(v, s) for v, s in zip(values, slopes)])


def _sampled(frames: Frames, term: int, descriptor, rng):
    """(environments, species slot, centres) of random structures, until there are enough."""
    count = np.zeros(len(descriptor.species), dtype=int)
    for k in rng.permutation(len(frames)):
        if (count >= N_CENTRES).all():
            return
        env = frames.environments(k)[term]
        for slot in np.flatnonzero(count < N_CENTRES):
            centres = np.arange(env.start_s[slot], env.start_s[slot + 1])
            # Free atoms would be alike in thousands, and have no gradients.
            centres = centres[env.first_i[centres + 1] > env.first_i[centres]]
            if len(centres) > PER_STRUCTURE:
                centres = np.sort(rng.choice(centres, PER_STRUCTURE, replace=False))
            if len(centres):
                count[slot] += len(centres)
                yield env, slot, centres


def _displaced(descriptor, env, i: int, rng):
    """xh (1, D) of a centre and its changes (q, D) along random displacements of its neighbours."""
    block = descriptor.derivative_block(env, i, i + 1)
    metric_d = np.sqrt(descriptor.metric_d)
    block.x_id[:] *= metric_d
    block.dx_pcd[:] *= metric_d
    inv_norm_i = np.empty(1)
    normalise(block.x_id, inv_norm_i)
    project(block.first_i, block.x_id, inv_norm_i, block.dx_pcd)
    dxh_md = block.dx_pcd.reshape(-1, descriptor.n_features)
    return block.x_id, rng.standard_normal((N_DISPLACEMENTS, len(dxh_md))) @ dxh_md


def _sum(values: np.ndarray, slopes: np.ndarray, weight: float = 1.0) -> np.ndarray:
    """weight * values + slopes, each over its trace: over the last axes, summed over the others."""
    out = np.zeros_like(values)
    for factor, m in ((weight, values), (1.0, slopes)):
        trace = np.trace(m, axis1=-2, axis2=-1).sum()
        if trace > 0.0:
            out += factor / trace * m
    return out
