"""Structures that are nearly the same, whatever the order, orientation or cell of their atoms.

Two structures are twins if every environment of each has one in the other closer than a kernel
distance eps, and their volumes per atom and pair distances agree: at sites of high symmetry the
kernel's distance is of second order in a strain, so that a sheared crystal is near the ideal one.

The means of their normalised descriptors over a species then cannot be further apart than eps
allows for single ones if the match is one to one; only such pairs are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy.inspection.metric import Metric

VOLUME = 0.002
"""Relative difference of the volumes per atom of twins."""
PAIRS = 0.005
"""Mean difference of the sorted pair distances of twins, A."""
SAME_ENERGY = 0.002
"""Energies of twins further apart (eV/atom) contradict one another."""


@dataclass(frozen=True)
class Twin:
    """Structure `repeat` is nearly structure `first` (indices); `distance`: the largest of all
    environments to the nearest in the other; `energy_gap`: |difference|, eV/atom, or None.
    """

    first: int
    repeat: int
    distance: float
    energy_gap: float | None

    @property
    def contradicts(self) -> bool:
        """Whether the labels cannot both be right."""
        return self.energy_gap is not None and self.energy_gap > SAME_ENERGY


def find_twins(metric: Metric, structures, means: np.ndarray, shape, eps: float) -> list[Twin]:
    """Each structure with the first one that it repeats, if any.

    means (S, slots, D): of normalised descriptors; shape: their Geometry.
    """
    flat = means.reshape(len(means), -1)
    norms = np.einsum("sd,sd->s", flat, flat)
    volume, fractions = shape.volume, _fractions(structures, metric.species)
    kernels = [metric.kernel(slot) for slot in range(len(metric.species))]
    firsts: list[int] = []
    cache: dict[int, dict[int, np.ndarray]] = {}

    def described(s):
        if s not in cache:
            parts = metric.by_slot(structures[s].atoms)
            cache[s] = {slot: x_id for slot, _, x_id in parts}
        return cache[s]

    out = []
    reach = metric.reach(eps) + 1e-12
    for s in range(len(structures)):
        near = np.array(firsts, dtype=int)
        squared = norms[near] + norms[s] - 2.0 * (flat[near] @ flat[s])
        same = np.abs(fractions[near] - fractions[s]).max(axis=1, initial=0.0) < 1e-9
        pairs = np.abs(shape.quantiles[near] - shape.quantiles[s]).mean(axis=1)
        same &= pairs <= PAIRS
        # Where a volume is undefined (NaN) the environments alone decide.
        same &= ~(np.abs(volume[near] / volume[s] - 1.0) > VOLUME)
        for first in near[(squared <= reach) & same]:
            distance = _hausdorff(described(first), described(s), kernels)
            if distance <= eps:
                gap = _energy_gap(structures[first], structures[s])
                out.append(Twin(int(first), s, float(distance), gap))
                break
        else:
            firsts.append(s)
    return out


def _fractions(structures, species) -> np.ndarray:
    return np.array([[(s.atoms.numbers == z).mean() for z in species] for s in structures])


def _hausdorff(a, b, kernels) -> float:
    worst = 0.0
    for slot in a:
        k = kernels[slot](a[slot], b[slot])
        least = min(k.max(axis=0).min(), k.max(axis=1).min())
        worst = max(worst, 2.0 - 2.0 * least)
    return float(np.sqrt(max(worst, 0.0)))


def _energy_gap(a, b) -> float | None:
    if a.energy is None or b.energy is None:
        return None
    return float(abs(a.energy / len(a.atoms) - b.energy / len(b.atoms)))
