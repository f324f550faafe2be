"""What a check of health is asked, and what it says: a value, its threshold and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from gapy.errors import GapyError


@dataclass(frozen=True)
class Settings:
    """What the checks of one model share.

    cutoffs: of terms and baselines, A. endless: whether a baseline has none. flag: largest force
    sigma that the model saw in its own data, eV/A; above it the flag is up. None where no
    calibrated sigma is known. shortest: (lower, higher atomic number) -> shortest distance of the
    data, A. farthest: atomic number -> longest distance of an atom of the data to its nearest
    neighbour, A. lowest: energy per atom of the lowest structure of the composition that is known,
    eV; None for none. seed: of every random choice.
    """

    cutoffs: tuple[float, ...]
    endless: bool = False
    flag: float | None = None
    shortest: Mapping[tuple[int, int], float] = field(default_factory=dict)
    farthest: Mapping[int, float] = field(default_factory=dict)
    lowest: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.cutoffs or not all(0.0 < r < np.inf for r in self.cutoffs):
            raise GapyError(
                f"cutoffs: expected positive lengths in A, got {self.cutoffs}; give those of the "
                "terms"
            )

    @property
    def cutoff(self) -> float:
        """The largest cutoff, A."""
        return max(self.cutoffs)

    def is_up(self, sigma: float) -> bool:
        """Whether the flag is up at a largest force sigma, eV/A."""
        return self.flag is not None and sigma > self.flag

    def rng(self) -> np.random.Generator:
        """Random numbers that are the same for every call."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class Check:
    """One check.

    verdict: "pass", "fail" or "skipped". value: what was found, the smaller the better, in `unit`;
    None where it was skipped. threshold: largest value that passes. note: one sentence. arrays:
    name with unit -> (k,), for a picture, the first along x. flagged: caption -> structure that is
    worth a look.
    """

    name: str
    value: float | None
    threshold: float | None
    unit: str
    verdict: str
    note: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    flagged: Mapping[str, Atoms] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """Plain JSON, without the structures."""
        return {
            "name": self.name,
            "value": plain(self.value),
            "threshold": self.threshold,
            "unit": self.unit,
            "verdict": self.verdict,
            "note": self.note,
            "arrays": {name: [plain(x) for x in a.tolist()] for name, a in self.arrays.items()},
        }


def plain(value: float | None) -> float | None:
    """A number that JSON has; None for what is not finite."""
    return None if value is None or not np.isfinite(value) else float(value)


def judged(
    name: str, value: float, threshold: float, unit: str, note: str, *, arrays=None, flagged=None
) -> Check:
    """A check that passes where the value is at most the threshold; NaN fails."""
    verdict = "pass" if value <= threshold else "fail"
    return Check(name, float(value), threshold, unit, verdict, note, arrays or {}, flagged or {})


def skipped(name: str, why: str) -> Check:
    """A check that does not apply."""
    return Check(name, None, None, "", "skipped", why)


def largest_sigma(calculator, atoms: Atoms) -> float:
    """Largest force sigma of an atom (eV/A), root mean square over x, y, z; NaN without one."""
    std = calculator.get_property("forces_std", atoms) if has_sigma(calculator) else None
    return float("nan") if std is None else float(np.sqrt((std**2).mean(axis=1)).max())


def has_sigma(calculator) -> bool:
    """Whether a calculator states calibrated force sigmas and how far its data reach."""
    return getattr(calculator, "largest_force_std", None) is not None


def has_flag(calculator, settings: Settings) -> bool:
    """Whether a flag can go up: sigmas are stated, and how large they are in the data."""
    return settings.flag is not None and has_sigma(calculator)
