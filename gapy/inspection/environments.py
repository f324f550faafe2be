"""Environments of a data set in the metric of the kernel: who is near whom.

See `gapy.inspection.metric`: 0 is equal, 1.41 nothing in common.
All environments are compared with a sample of them, stratified by group, so that time and memory
grow linearly with the number of atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg

from gapy.inspection.metric import Metric

SAMPLE = 2000
"""Sampled environments of each species, shared out among the groups."""
MAP = 1500
"""Environments of one species in the map: kernel PCA costs their number cubed at worst."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Sampled environments of one species: x_nd, with the structure, atom and group of each."""

    x_nd: np.ndarray
    structure_n: np.ndarray
    atom_n: np.ndarray
    group_n: np.ndarray


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Kernel distance (n,) of each structure's atoms to the nearest sampled environment.

    other_structure: of another structure; other_group: of another group (NaN if there is none).
    """

    other_structure: tuple[np.ndarray, ...]
    other_group: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Described:
    """means (S, slots, D): mean normalised descriptor of each species; samples: by slot."""

    means: np.ndarray
    samples: tuple[Sample, ...]


def describe(metric: Metric, frames, group_s: np.ndarray, seed: int) -> Described:
    """Means of all structures and a sample of their environments.

    frames: ASE Atoms; group_s (S,): number of each structure's group.
    """
    rng = np.random.default_rng(seed)
    wanted = _draw(metric.species, frames, group_s, rng)
    means = np.zeros((len(frames), len(metric.species), metric.n_features))
    parts: list[list] = [[] for _ in metric.species]
    for s, atoms in enumerate(frames):
        for slot, index, x_id in metric.by_slot(atoms):
            means[s, slot] = x_id.mean(axis=0)
            taken = np.isin(index, wanted[slot].get(s, ()))
            parts[slot].append((x_id[taken], np.full(int(taken.sum()), s), index[taken]))
    samples = []
    for slot_parts in parts:
        none = (np.empty((0, metric.n_features)), *np.empty((2, 0), dtype=int))
        x_nd, structure_n, atom_n = map(np.concatenate, zip(none, *slot_parts))
        samples.append(Sample(x_nd, structure_n, atom_n, group_s[structure_n]))
    return Described(means, tuple(samples))


def _draw(species, frames, group_s, rng) -> list[dict[int, np.ndarray]]:
    """For each slot {structure: atoms}: as many from each group, if it has them."""
    out = []
    sizes = [len(a) for a in frames]
    structure_i = np.repeat(np.arange(len(frames)), sizes)
    atom_i = np.concatenate([np.arange(n) for n in sizes])
    numbers_i = np.concatenate([a.numbers for a in frames])
    groups_i = group_s[structure_i]
    for z in species:
        of_species = numbers_i == z
        groups = np.unique(groups_i[of_species])
        quota = max(SAMPLE // max(len(groups), 1), 20)
        chosen = []
        for g in groups:
            pool = np.flatnonzero(of_species & (groups_i == g))
            chosen.append(pool if len(pool) <= quota else rng.choice(pool, quota, replace=False))
        chosen = np.sort(np.concatenate([np.empty(0, dtype=int), *chosen]))
        cuts = np.flatnonzero(np.diff(structure_i[chosen])) + 1
        out.append({int(structure_i[c[0]]): atom_i[c] for c in np.split(chosen, cuts) if len(c)})
    return out


def neighbourhood(metric: Metric, frames, group_s, samples, skip=frozenset()) -> Neighbourhood:
    """Distances of all environments to the nearest sampled ones elsewhere; NaN for those in `skip`.

    samples: by species slot; skip: indices of structures.
    """
    structure, group = [], []
    for s, atoms in enumerate(frames):
        nearest, outside = np.full((2, len(atoms)), np.nan)
        structure.append(nearest)
        group.append(outside)
        if s in skip:
            continue
        for slot, index, x_id in metric.by_slot(atoms):
            sample = samples[slot]
            k_in = metric.kernel(slot)(x_id, sample.x_nd)
            k_in[:, sample.structure_n == s] = -1.0
            nearest[index] = _distance(k_in)
            k_in[:, sample.group_n == group_s[s]] = -1.0
            outside[index] = _distance(k_in)
    return Neighbourhood(tuple(structure), tuple(group))


def _distance(k_in: np.ndarray) -> np.ndarray:
    """Distance to the nearest column; NaN where all are excluded (-1)."""
    best = k_in.max(axis=1, initial=-1.0)
    return np.where(best > -1.0, np.sqrt(np.maximum(2.0 - 2.0 * best, 0.0)), np.nan)


def kernel_map(sample: Sample, kernel, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernel PCA of a sample: which of it (n,), coordinates (n, 2), share of the variance (2,).

    kernel: that of its species, as `Metric.kernel` gives it.

    Source: Schölkopf, Smola and Müller, Neural Comput. 10, 1299 (1998).
    """
    keep = np.arange(len(sample.x_nd))
    if len(keep) > MAP:
        keep = np.sort(np.random.default_rng(seed).choice(keep, MAP, replace=False))
    x_nd = sample.x_nd[keep]
    k_nn = kernel(x_nd, x_nd)
    row = k_nn.mean(axis=0)
    k_nn += row.mean() - row[:, None] - row[None, :]
    total = max(np.trace(k_nn), 1e-300)
    if len(k_nn) < 4:
        return keep, np.zeros((len(k_nn), 2)), np.zeros(2)
    start = np.random.default_rng(seed).standard_normal(len(k_nn))
    values, vectors = scipy.sparse.linalg.eigsh(k_nn, k=2, v0=start)
    order = np.argsort(-values)
    values, vectors = np.maximum(values[order], 0.0), vectors[:, order]
    # The sign of an eigenvector is arbitrary: its largest entry is made positive.
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), [0, 1]])
    return keep, vectors * np.sqrt(values), values / total
