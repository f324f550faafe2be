"""Counts, ranges and histograms of groups and elements."""

from __future__ import annotations

from dataclasses import dataclass

import ase.data
import numpy as np

from gapy.inspection.report import Group, Histogram
from gapy.structures import is_isolated_atom

N_BINS = 24


@dataclass(frozen=True, eq=False)
class Data:
    """Everything known of the structures, in their order."""

    structures: list
    shape: object  # Geometry
    near: object  # Neighbourhood
    effect: object  # Influence
    e0: dict

    def energies(self) -> np.ndarray:
        """eV/atom less free atoms (S,), NaN without a label."""
        out = np.full(len(self.structures), np.nan)
        for k, s in enumerate(self.structures):
            if s.energy is not None:
                free = sum(self.e0.get(int(z), 0.0) for z in s.atoms.numbers)
                out[k] = (s.energy - free) / len(s.atoms)
        return out


def by_group(data: Data) -> tuple[Group, ...]:
    """One Group for each config_type."""
    names = sorted({s.config_type for s in data.structures})
    every = [np.ones(len(s.atoms), dtype=bool) for s in data.structures]
    return tuple(
        _group(
            data, name, [k for k, s in enumerate(data.structures) if s.config_type == name], every
        )
        for name in names
    )


def by_element(data: Data) -> tuple[Group, ...]:
    """One Group for each element: its atoms, and the structures that hold any."""
    numbers = sorted({int(z) for s in data.structures for z in s.atoms.numbers})
    out = []
    for z in numbers:
        masks = [s.atoms.numbers == z for s in data.structures]
        index = [k for k, mask in enumerate(masks) if mask.any()]
        out.append(_group(data, ase.data.chemical_symbols[z], index, masks))
    return tuple(out)


def _group(data: Data, name: str, index: list[int], masks) -> Group:
    def atoms_of(arrays):
        return np.concatenate([arrays[k][masks[k]] for k in index])

    coordination, nearest = atoms_of(data.shape.coordination), atoms_of(data.shape.nearest)
    forces = [data.structures[k].forces[masks[k]] for k in index
              if data.structures[k].forces is not None]  # fmt: skip
    forces = np.concatenate([np.empty((0, 3)), *forces])
    effect, n_all = data.effect, sum(len(s.atoms) for s in data.structures)
    return Group(
        name=name,
        n_structures=len(index),
        n_atoms=len(coordination),
        share=len(coordination) / n_all,
        volume=_range(data.shape.volume[index]),
        energy=_range(data.energies()[index]),
        force_rms=_rms(forces.ravel()),
        force_max=float(np.linalg.norm(forces, axis=1).max()) if len(forces) else None,
        coordination=(
            int(coordination.min()), float(coordination.mean()), int(coordination.max()),
        ),
        nearest=_or_none(nearest.min()),
        distance_within=_mean(atoms_of(data.near.other_structure)),
        distance_outside=_mean(atoms_of(data.near.other_group)),
        energy_error=_rms(effect.energy_error[index]),
        force_error=_rms(effect.force_error[index]),
        leverage=_mean(effect.leverage[index]),
    )  # fmt: skip


def coordination(data: Data) -> dict[str, dict[int, int]]:
    """{symbol: {neighbours: atoms}}; isolated atoms do not count."""
    kept = [
        (s.atoms.numbers, c)
        for s, c in zip(data.structures, data.shape.coordination)
        if not is_isolated_atom(s)
    ]
    numbers = np.concatenate([np.empty(0, dtype=int), *(z for z, _ in kept)])
    counts = np.concatenate([np.empty(0, dtype=int), *(c for _, c in kept)])
    return {
        ase.data.chemical_symbols[z]: {
            int(c): int(n) for c, n in zip(*np.unique(counts[numbers == z], return_counts=True))
        }
        for z in np.unique(numbers).tolist()
    }


def largest_force(structures) -> float | None:
    """Length of the largest force label, eV/A."""
    norms = [np.linalg.norm(s.forces, axis=1).max() for s in structures if s.forces is not None]
    return float(max(norms)) if norms else None


def histograms(data: Data) -> tuple[Histogram, ...]:
    """Of volume, energy, force and coordination, by group; those without data left out."""
    group = np.array([s.config_type for s in data.structures])
    sizes = [len(s.atoms) for s in data.structures]
    with_forces = [s for s in data.structures if s.forces is not None]
    force = [np.linalg.norm(s.forces, axis=1) for s in with_forces]
    force_group = np.repeat([s.config_type for s in with_forces], [len(f) for f in force])
    counted = np.concatenate(data.shape.coordination)
    candidates = (
        ("volume (A^3/atom)", data.shape.volume, group, None),
        ("energy less free atoms (eV/atom)", data.energies(), group, None),
        ("force (eV/A)", np.concatenate([np.empty(0), *force]), force_group, None),
        (
            "neighbours", counted.astype(float), np.repeat(group, sizes),
            np.arange(counted.min(), counted.max() + 2) - 0.5,
        ),
    )  # fmt: skip
    return tuple(
        _histogram(quantity, values, groups, edges)
        for quantity, values, groups, edges in candidates
        if np.isfinite(values).any()
    )


def _histogram(quantity, values, groups, edges) -> Histogram:
    known = np.isfinite(values)
    if edges is None:
        low, high = values[known].min(), values[known].max()
        margin = 0.5e-6 * max(abs(low), abs(high), 1.0) if high - low < 1e-6 else 0.0
        edges = np.linspace(low - margin, high + margin, N_BINS + 1)
    return Histogram(
        quantity,
        tuple(map(float, edges)),
        {
            str(name): tuple(
                map(int, np.histogram(values[known & (groups == name)], bins=edges)[0])
            )
            for name in np.unique(groups)
        },
    )


def _range(values) -> tuple[float, float] | None:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else None


def _mean(values) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _rms(values) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.sqrt((known**2).mean())) if len(known) else None


def _or_none(value) -> float | None:
    return float(value) if np.isfinite(value) else None
