"""Errors of a potential on labelled structures, and what its error bars are worth there."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from gapy._support.voigt import has_volume, stress_of
from gapy.errors import GapyError
from gapy.geometry.symmetry import vanishes
from gapy.gp.noise import outliers
from gapy.structures import LabelledStructure, check_structures, from_atoms
from gapy.validation.overconfidence import OverConfident, over_confident
from gapy.validation.reliability import ErrorBars, default_threshold, error_bars


@dataclass(frozen=True)
class Errors:
    """Errors of one group of structures; None where no label of the kind exists.

    Energies in eV/atom, forces in eV/A per component, stresses in eV/A^3. `*_max` are the largest
    absolute errors, `*_spread` the standard deviation of the labels themselves (of energies per
    atom less e0): a model that predicts the mean has that RMSE. `mean_force_std` is the mean
    calibrated sigma of the atoms, eV/A.
    """

    n_structures: int
    n_atoms: int
    energy_rmse: float | None
    energy_mae: float | None
    energy_max: float | None
    energy_spread: float | None
    forces_rmse: float | None
    forces_mae: float | None
    forces_max: float | None
    forces_spread: float | None
    stress_rmse: float | None
    stress_mae: float | None
    stress_max: float | None
    stress_spread: float | None
    mean_force_std: float


@dataclass(frozen=True, eq=False)
class Samples:
    """Labels and predictions behind an EvaluationReport, one entry per label.

    energy and energy_predicted: eV/atom less e0 (per structure with an energy), energy_group its
    config_type. forces and forces_predicted (n, 3) eV/A and forces_std (n,) eV/A of the atoms
    with forces, forces_group their config_type, forces_structure the number of their structure
    among those with forces; forces_symmetric (n,) says whose force is zero by symmetry
    (`gapy.geometry.symmetry`). stress and stress_predicted (n, 6) eV/A^3.
    """

    energy: np.ndarray
    energy_predicted: np.ndarray
    energy_group: np.ndarray
    forces: np.ndarray
    forces_predicted: np.ndarray
    forces_std: np.ndarray
    forces_group: np.ndarray
    forces_structure: np.ndarray
    forces_symmetric: np.ndarray
    stress: np.ndarray
    stress_predicted: np.ndarray

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

    def _of(self, config_type: str | None) -> np.ndarray:
        if config_type is None:
            return np.ones(len(self.forces), dtype=bool)
        return self.forces_group == config_type


@dataclass(frozen=True)
class EvaluationReport:
    """Result of `evaluate`.

    total: errors over all structures; by_config_type: the same for each config_type.
    error_bars: coverage, miscalibration area, likelihood, rank correlation, AUROC and reliability
    bins of the calibrated force sigma, without atoms whose force is zero by symmetry;
    error_bars_by_config_type: the same for each config_type, with the same error_threshold.
    over_confident: the config_types whose error bars are too narrow (see
    gapy.validation.overconfidence). noise_outliers: label groups of the model whose learnt noise is
    far above that of the others (see gapy.gp.noise.outliers). seconds: wall time of the
    predictions, error bars included. samples: the numbers behind it, for plots.
    """

    total: Errors
    by_config_type: dict[str, Errors]
    error_bars: ErrorBars
    error_bars_by_config_type: dict[str, ErrorBars]
    over_confident: tuple[OverConfident, ...]
    noise_outliers: tuple[dict, ...]
    seconds: float
    samples: Samples

    @property
    def forces_std_spearman(self) -> float | None:
        """Rank correlation, over atoms, of sigma with the length of the force error."""
        return self.error_bars.forces_std_spearman

    @property
    def coverage_68(self) -> float | None:
        """Share of force components within 1 sigma."""
        return self.error_bars.coverage_68

    @property
    def coverage_95(self) -> float | None:
        """Share of force components within 1.96 sigma."""
        return self.error_bars.coverage_95

    def to_dict(self) -> dict:
        """Plain JSON: the fields of `total` and `error_bars` at the top level, None for what is
        undefined."""
        return {
            **_fields(self.total),
            **self.error_bars.to_dict(),
            "over_confident": [group.to_dict() for group in self.over_confident],
            "noise_outliers": [dict(group) for group in self.noise_outliers],
            "seconds": self.seconds,
            "config_types": {
                name: {**_fields(e), **self.error_bars_by_config_type[name].to_dict()}
                for name, e in self.by_config_type.items()
            },
        }


@dataclass(frozen=True, eq=False)
class _Compared:
    """One structure: labels, and predictions by its side."""

    structure: LabelledStructure
    e0: float
    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    force_std: np.ndarray


def evaluate(
    potential, structures, *, threads: int = 1, error_threshold: float | None = None
) -> EvaluationReport:
    """Compare a potential with labelled structures.

    Arguments
    ---------
    potential : gapy.Potential
    structures : LabelledStructure or ase.Atoms with labels under the default keys, one or many
    threads : results do not depend on it
    error_threshold : eV/A; `auroc` says how well sigma finds the atoms whose RMS force component
        error is above it. By default 3 times the force RMSE on these structures.

    Raises
    ------
    GapyError : error_threshold is not a positive number
    StructureError, SpeciesError : structures or labels that cannot be used
    """
    if error_threshold is not None and not 0.0 < error_threshold < math.inf:
        raise GapyError(
            f"error_threshold: expected a positive number (eV/A), got {error_threshold!r}"
        )
    structures = from_atoms(structures)
    check_structures(structures, species=potential.species)
    began = time.perf_counter()
    predicted = potential.evaluate_many(structures, force_std=True, threads=threads)
    seconds = time.perf_counter() - began
    compared = [_compare(potential, s, out) for s, out in zip(structures, predicted)]
    samples = _samples(compared)
    if error_threshold is None:
        error_threshold = default_threshold(samples.forces_predicted - samples.forces)
    names = sorted({c.structure.config_type for c in compared})

    def bars(name: str | None = None) -> ErrorBars:
        left_out = samples.n_symmetric(name)
        return error_bars(*samples.judged(name), error_threshold, n_symmetric=left_out)

    return EvaluationReport(
        total=_errors(compared),
        by_config_type={
            name: _errors([c for c in compared if c.structure.config_type == name])
            for name in names
        },
        error_bars=bars(),
        error_bars_by_config_type={name: bars(name) for name in names},
        over_confident=over_confident(
            *samples.judged(),
            samples.forces_group[~samples.forces_symmetric],
            samples.forces_structure[~samples.forces_symmetric],
        ),
        noise_outliers=outliers(potential.noise, potential.metadata),
        seconds=seconds,
        samples=samples,
    )


def _compare(potential, s: LabelledStructure, out) -> _Compared:
    if not (math.isfinite(out.energy) and np.isfinite(out.forces).all()):
        raise GapyError(f"{s.where}: the potential gives no finite energy and forces; remove it")
    return _Compared(
        structure=s,
        e0=sum(potential.e0[int(z)] for z in s.atoms.numbers),
        energy=out.energy,
        forces=out.forces,
        stress=stress_of(out.virial, s.atoms) if has_volume(s.atoms) else None,
        force_std=out.forces_std,
    )


def _samples(compared: Sequence[_Compared]) -> Samples:
    energy = [c for c in compared if c.structure.energy is not None]
    forces = [c for c in compared if c.structure.forces is not None]
    stress = [c for c in compared if c.structure.stress is not None and c.stress is not None]
    labels = _stack([c.structure.forces for c in forces], 3)
    predicted = _stack([c.forces for c in forces], 3)
    return Samples(
        energy=np.array([(c.structure.energy - c.e0) / len(c.forces) for c in energy]),
        energy_predicted=np.array([(c.energy - c.e0) / len(c.forces) for c in energy]),
        energy_group=np.array([c.structure.config_type for c in energy], dtype=str),
        forces=labels,
        forces_predicted=predicted,
        forces_std=np.concatenate([np.empty(0), *(c.force_std for c in forces)]),
        forces_group=np.repeat(
            np.array([c.structure.config_type for c in forces], dtype=str),
            [len(c.forces) for c in forces],
        ),
        forces_structure=np.repeat(np.arange(len(forces)), [len(c.forces) for c in forces]),
        forces_symmetric=vanishes(labels, predicted),
        stress=_stack([c.structure.stress[None] for c in stress], 6),
        stress_predicted=_stack([c.stress[None] for c in stress], 6),
    )


def _stack(parts: list[np.ndarray], width: int) -> np.ndarray:
    return np.concatenate([np.empty((0, width)), *parts])


def _errors(compared: Sequence[_Compared]) -> Errors:
    samples = _samples(compared)
    kinds = {
        "energy": (samples.energy, samples.energy_predicted),
        "forces": (samples.forces, samples.forces_predicted),
        "stress": (samples.stress, samples.stress_predicted),
    }
    return Errors(
        n_structures=len(compared),
        n_atoms=sum(len(c.forces) for c in compared),
        mean_force_std=float(np.concatenate([c.force_std for c in compared]).mean()),
        **{k: v for name, pair in kinds.items() for k, v in _moments(name, *pair).items()},
    )


def _moments(name: str, label: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    names = [f"{name}_{what}" for what in ("rmse", "mae", "max", "spread")]
    if label.size == 0:
        return dict.fromkeys(names)
    error = np.abs(predicted - label)
    values = (np.sqrt((error**2).mean()), error.mean(), error.max(), label.std())
    return dict(zip(names, map(float, values)))


def _fields(errors: Errors) -> dict:
    return {f.name: getattr(errors, f.name) for f in fields(errors)}
