"""What `inspect` found, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from gapy.inspection.findings import Outlier, Suggestion
from gapy.inspection.twins import Twin


@dataclass(frozen=True)
class Group:
    """One config_type, or one element; None where the data do not say.

    share: of all environments. volume: A^3 per atom (min, max). energy: eV/atom less free atoms
    (min, max). force_rms, force_max: eV/A, of components and of vectors. coordination: neighbours
    (min, mean, max). nearest: shortest distance, A. distance_within, distance_outside: mean kernel
    distance to the nearest environment of another structure, and of another group.
    energy_error (eV/atom), force_error (eV/A): RMS with each structure left out; leverage: mean.
    """

    name: str
    n_structures: int
    n_atoms: int
    share: float
    volume: tuple[float, float] | None
    energy: tuple[float, float] | None
    force_rms: float | None
    force_max: float | None
    coordination: tuple[int, float, int]
    nearest: float | None
    distance_within: float | None
    distance_outside: float | None
    energy_error: float | None
    force_error: float | None
    leverage: float | None


@dataclass(frozen=True)
class Histogram:
    """counts of each group in the bins between `edges`."""

    quantity: str
    edges: tuple[float, ...]
    counts: dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class KernelMap:
    """Kernel PCA of the sampled environments of one element: xy (n, 2), group names (n,), the share
    of the variance that each axis shows, and the structure and atom of each (n,)."""

    symbol: str
    xy: np.ndarray
    group: np.ndarray
    share: np.ndarray
    structure: np.ndarray
    atom: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """A structure proposed for labelling; distance: of its farthest environment when chosen."""

    where: str
    distance: float


@dataclass(frozen=True, eq=False)
class InspectionReport:
    """Result of `gapy.inspect`.

    groups, elements: one Group each. volume, novelty, leverage, energy_leverage, energy_error
    (eV/atom), force_error (eV/A): of every structure (S,), NaN if unknown; novelty is the largest
    kernel distance of an atom to the nearest environment of another structure. coordination:
    {symbol: {neighbours: atoms}}; shortest: {"A-B": A}. fit: what the errors come from. thin:
    {group: reason}; uncovered: what the data do not cover. maps: for the picture.
    """

    n_structures: int
    n_atoms: int
    labels: dict[str, int]
    neighbour_cutoff: float
    neighbour_cutoff_source: str
    fit: str
    groups: tuple[Group, ...]
    elements: tuple[Group, ...]
    histograms: tuple[Histogram, ...]
    volume: np.ndarray
    novelty: np.ndarray
    leverage: np.ndarray
    energy_leverage: np.ndarray
    energy_error: np.ndarray
    force_error: np.ndarray
    coordination: dict[str, dict[int, int]]
    shortest: dict[str, float]
    force_max: float | None
    maps: tuple[KernelMap, ...]
    twins: tuple[Twin, ...]
    outliers: tuple[Outlier, ...] = ()
    thin: dict[str, str] = field(default_factory=dict)
    uncovered: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    where: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        """Plain JSON, without the maps; None for what is unknown."""
        per_structure = ("volume", "novelty", "leverage", "energy_leverage")
        per_structure += ("energy_error", "force_error")
        columns = [[_plain(v) for v in getattr(self, name)] for name in per_structure]
        return {
            "n_structures": self.n_structures,
            "n_atoms": self.n_atoms,
            "labels": self.labels,
            "neighbour_cutoff": self.neighbour_cutoff,
            "neighbour_cutoff_source": self.neighbour_cutoff_source,
            "fit": self.fit,
            "groups": [asdict(g) for g in self.groups],
            "elements": [asdict(g) for g in self.elements],
            "histograms": [asdict(h) for h in self.histograms],
            "coordination": {
                symbol: {str(c): n for c, n in counts.items()}
                for symbol, counts in self.coordination.items()
            },
            "shortest": self.shortest,
            "force_max": self.force_max,
            "duplicates": [
                {**asdict(t), "contradicts": t.contradicts, "where": self.where[t.repeat],
                 "same_as": self.where[t.first]}
                for t in self.twins
            ],
            "outliers": [asdict(o) for o in self.outliers],
            "thin_groups": self.thin,
            "uncovered": list(self.uncovered),
            "suggestions": [asdict(s) for s in self.suggestions],
            "structures": [
                {"where": where, **dict(zip(per_structure, values))}
                for where, values in zip(self.where, zip(*columns))
            ],
        }  # fmt: skip


def _plain(value) -> float | None:
    return float(value) if np.isfinite(value) else None
