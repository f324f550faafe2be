"""Errors of a potential on labelled structures, and what its error bars are worth there."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from gapy.descriptors import magnetic_elements
from gapy.errors import GapyError
from gapy.gp.noise import outliers
from gapy.structures import check_structures, from_atoms
from gapy.validation.comparison import Comparison, Samples, compare
from gapy.validation.energy_bars import EnergyBars, energy_bars
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


@dataclass(frozen=True)
class EvaluationReport:
    """Result of `evaluate`.

    total: errors over all structures; by_config_type: the same for each config_type.
    error_bars: coverage, miscalibration area, likelihood, rank correlation, AUROC and reliability
    bins of the calibrated force sigma, without atoms whose force is zero by symmetry;
    error_bars_by_config_type: the same for each config_type, with the same error_threshold.
    energy_error_bars: coverage of the calibrated energy sigma by size of structure, None where
    there are no energies or the model knows no such sigma.
    over_confident: the config_types whose error bars are too narrow (see
    gapy.validation.overconfidence). noise_outliers: label groups of the model whose learnt noise is
    far above that of the others (see gapy.gp.noise.outliers). seconds: wall time of the
    predictions, error bars included. samples: the numbers behind it, for plots.
    """

    total: Errors
    by_config_type: dict[str, Errors]
    error_bars: ErrorBars
    error_bars_by_config_type: dict[str, ErrorBars]
    energy_error_bars: EnergyBars | None
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
        bars = self.energy_error_bars
        return {
            **_fields(self.total),
            **self.error_bars.to_dict(),
            "energy_error_bars": bars and bars.to_dict(),
            "over_confident": [group.to_dict() for group in self.over_confident],
            "noise_outliers": [dict(group) for group in self.noise_outliers],
            "seconds": self.seconds,
            "config_types": {
                name: {**_fields(e), **self.error_bars_by_config_type[name].to_dict()}
                for name, e in self.by_config_type.items()
            },
        }


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
    check_threshold(error_threshold)
    structures = from_atoms(structures)
    magnetic = magnetic_elements([t.descriptor for t in potential.terms])
    check_structures(structures, species=potential.species, magnetic=magnetic)
    return report_of(potential, compare(potential, structures, threads), error_threshold)


def check_threshold(error_threshold) -> None:
    """Raise GapyError for an error_threshold that is not a positive number."""
    if error_threshold is not None and not 0.0 < error_threshold < math.inf:
        raise GapyError(
            f"error_threshold: expected a positive number (eV/A), got {error_threshold!r}"
        )


def report_of(
    potential, compared: Comparison, error_threshold: float | None = None
) -> EvaluationReport:
    """What `evaluate` says of structures that have been compared."""
    samples = compared.samples
    if error_threshold is None:
        error_threshold = default_threshold(samples.forces_predicted - samples.forces)
    names = sorted(compared.counts)

    def bars(name: str | None = None) -> ErrorBars:
        left_out = samples.n_symmetric(name)
        return error_bars(*samples.judged(name), error_threshold, n_symmetric=left_out)

    return EvaluationReport(
        total=_errors(compared),
        by_config_type={name: _errors(compared, name) for name in names},
        error_bars=bars(),
        error_bars_by_config_type={name: bars(name) for name in names},
        energy_error_bars=energy_bars(
            samples.energy_predicted - samples.energy, samples.energy_std, samples.energy_atoms
        ),
        over_confident=over_confident(
            *samples.judged(),
            samples.forces_group[~samples.forces_symmetric],
            samples.forces_structure[~samples.forces_symmetric],
        ),
        noise_outliers=outliers(potential.noise, potential.metadata),
        seconds=compared.seconds,
        samples=samples,
    )


def _errors(compared: Comparison, name: str | None = None) -> Errors:
    kinds = compared.samples.by_kind(name)
    counts = compared.counts.values() if name is None else [compared.counts[name]]
    n_structures, n_atoms, sigma = map(sum, zip(*counts))
    return Errors(
        n_structures=n_structures,
        n_atoms=n_atoms,
        mean_force_std=float(sigma / n_atoms),
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
