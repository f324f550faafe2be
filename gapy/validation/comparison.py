"""Labels of structures beside what a potential says of them; those of parts add up."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from gapy._support.voigt import has_volume, stress_of
from gapy.errors import GapyError
from gapy.geometry.symmetry import vanishes
from gapy.structures import LabelledStructure


@dataclass(frozen=True, eq=False)
class Samples:
    """Labels and predictions behind an EvaluationReport, one entry per label.

    energy and energy_predicted: eV/atom less e0 (per structure with an energy), energy_std their
    sigma, eV/atom, nan where the model knows none, energy_atoms the number of atoms, energy_group
    the config_type. forces and forces_predicted (n, 3) eV/A and forces_std (n,) eV/A of the atoms
    with forces, forces_group their config_type, forces_structure the number of their structure
    among those with forces; forces_symmetric (n,) says whose force is zero by symmetry
    (`gapy.geometry.symmetry`). stress and stress_predicted (n, 6) eV/A^3, stress_group their
    config_type.
    """

    energy: np.ndarray
    energy_predicted: np.ndarray
    energy_std: np.ndarray
    energy_atoms: np.ndarray
    energy_group: np.ndarray
    forces: np.ndarray
    forces_predicted: np.ndarray
    forces_std: np.ndarray
    forces_group: np.ndarray
    forces_structure: np.ndarray
    forces_symmetric: np.ndarray
    stress: np.ndarray
    stress_predicted: np.ndarray
    stress_group: np.ndarray

    def judged(self, config_type: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Force errors (n, 3) and sigmas (n,), eV/A, of the atoms on which error bars are judged.

        These are all with forces, of one config_type if given, but those whose force is zero by
        symmetry.
        """
        of = self._of(config_type) & ~self.forces_symmetric
        return self.forces_predicted[of] - self.forces[of], self.forces_std[of]

    def n_symmetric(self, config_type: str | None = None) -> int:
        """Atoms left out of `judged`."""
        return int((self._of(config_type) & self.forces_symmetric).sum())

    def by_kind(self, config_type: str | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """(labels, predictions) of "energy", "forces" and "stress", of one config_type if given."""
        out = {}
        for kind in ("energy", "forces", "stress"):
            label, predicted = getattr(self, kind), getattr(self, f"{kind}_predicted")
            if config_type is not None:
                of = getattr(self, f"{kind}_group") == config_type
                label, predicted = label[of], predicted[of]
            out[kind] = (label, predicted)
        return out

    def _of(self, config_type: str | None) -> np.ndarray:
        if config_type is None:
            return np.ones(len(self.forces), dtype=bool)
        return self.forces_group == config_type


class Count(NamedTuple):
    """Structures and atoms of a config_type, and the sum of the atoms' force sigmas, eV/A."""

    structures: int
    atoms: int
    sigma: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Of some structures. counts: by config_type; seconds: wall time of the predictions."""

    samples: Samples
    counts: dict[str, Count]
    seconds: float


def compare(potential, structures: Sequence[LabelledStructure], threads: int = 1) -> Comparison:
    """The labels of checked structures and the predictions for them.

    Raises GapyError, naming the structure, where a prediction is not finite.
    """
    began = time.perf_counter()
    predicted = potential.evaluate_many(structures, force_std=True, threads=threads)
    seconds = time.perf_counter() - began
    for s, out in zip(structures, predicted):
        if not (math.isfinite(out.energy) and np.isfinite(out.forces).all()):
            raise GapyError(
                f"{s.where}: the potential gives no finite energy and forces; remove it"
            )
    counts: dict[str, Count] = {}
    for s, out in zip(structures, predicted):
        one = Count(1, len(out.forces), float(out.forces_std.sum()))
        counts[s.config_type] = _sum(counts.get(s.config_type), one)
    return Comparison(_samples(potential, structures, predicted), counts, seconds)


def joined(parts: Sequence[Comparison]) -> Comparison:
    """Of the structures of all parts, in their order."""
    counts: dict[str, Count] = {}
    for part in parts:
        for name, count in part.counts.items():
            counts[name] = _sum(counts.get(name), count)
    arrays = {
        f.name: np.concatenate([getattr(part.samples, f.name) for part in parts])
        for f in fields(Samples)
    }
    before, of = 0, []
    for part in parts:
        of.append(part.samples.forces_structure + before)
        before += int(part.samples.forces_structure.max(initial=-1)) + 1
    arrays["forces_structure"] = np.concatenate(of)
    return Comparison(Samples(**arrays), counts, sum(part.seconds for part in parts))


def _sum(a: Count | None, b: Count) -> Count:
    return b if a is None else Count(*(x + y for x, y in zip(a, b)))


def _samples(potential, structures, predicted) -> Samples:
    pairs = list(zip(structures, predicted))
    energy = [(s, out) for s, out in pairs if s.energy is not None]
    forces = [(s, out) for s, out in pairs if s.forces is not None]
    stress = [(s, out) for s, out in pairs if s.stress is not None and has_volume(s.atoms)]
    e0 = [sum(potential.e0[int(z)] for z in s.atoms.numbers) for s, _ in energy]
    labels = _stack([s.forces for s, _ in forces], 3)
    forces_predicted = _stack([out.forces for _, out in forces], 3)
    sizes = [len(s.atoms) for s, _ in forces]
    return Samples(
        energy=np.array([(s.energy - e) / len(s.atoms) for (s, _), e in zip(energy, e0)]),
        energy_predicted=np.array(
            [(out.energy - e) / len(s.atoms) for (s, out), e in zip(energy, e0)]
        ),
        energy_std=np.array(
            [np.nan if o.energy_std is None else o.energy_std / len(s.atoms) for s, o in energy]
        ),
        energy_atoms=np.array([len(s.atoms) for s, _ in energy], dtype=int),
        energy_group=_names(energy),
        forces=labels,
        forces_predicted=forces_predicted,
        forces_std=np.concatenate([np.empty(0), *(out.forces_std for _, out in forces)]),
        forces_group=np.repeat(_names(forces), sizes),
        forces_structure=np.repeat(np.arange(len(forces)), sizes),
        forces_symmetric=vanishes(labels, forces_predicted),
        stress=_stack([s.stress[None] for s, _ in stress], 6),
        stress_predicted=_stack([stress_of(out.virial, s.atoms)[None] for s, out in stress], 6),
        stress_group=_names(stress),
    )


def _names(pairs) -> np.ndarray:
    return np.array([s.config_type for s, _ in pairs], dtype=str)


def _stack(parts: list[np.ndarray], width: int) -> np.ndarray:
    return np.concatenate([np.empty((0, width)), *parts])
