"""What the calibrated sigma of the energy is worth, by the size of the structures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from gapy.validation.reliability import COVERAGE

SIZES = (1, 4, 16, 64, 256)
"""Largest number of atoms of each size but the last."""


@dataclass(frozen=True)
class EnergyBars:
    """Shares of energies within 1 and 1.645 sigma (0.683 and 0.90 if sigma is right).

    n_judged structures of n_atoms_least to n_atoms_most atoms. by_size: the same for structures of
    similar size, since errors of atoms may add coherently or as a root
    (`gapy.error_bars.energy`).
    """

    n_judged: int
    n_atoms_least: int
    n_atoms_most: int
    coverage_68: float
    coverage_90: float
    by_size: tuple[EnergyBars, ...] = ()

    def to_dict(self) -> dict:
        """Plain JSON."""
        out = asdict(self)
        out["by_size"] = [
            {k: v for k, v in one.items() if k != "by_size"} for one in out["by_size"]
        ]
        return out


def energy_bars(error, sigma, n_atoms) -> EnergyBars | None:
    """Of errors (m,) and sigmas (m,) of structures, in one unit, with n_atoms (m,).

    None where there are none, or the model knows no sigma (nan).
    """
    known = np.isfinite(sigma)
    if not known.any():
        return None
    error, sigma, n_atoms = np.abs(error[known]), sigma[known], n_atoms[known]
    bins = np.searchsorted(SIZES, n_atoms)
    parts = tuple(_bars(*(x[bins == k] for x in (error, sigma, n_atoms))) for k in np.unique(bins))
    return _bars(error, sigma, n_atoms, parts if len(parts) > 1 else ())


def _bars(error, sigma, n_atoms, by_size=()) -> EnergyBars:
    within = [float((error <= COVERAGE[share] * sigma).mean()) for share in (68, 90)]
    return EnergyBars(len(error), int(n_atoms.min()), int(n_atoms.max()), *within, by_size)
