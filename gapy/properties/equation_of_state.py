"""Equation of state: energy over volume, its minimum and what it takes to leave it.

Birch-Murnaghan, third order, x = (V0 / V)^(2/3):

    E = E0 + 9 V0 B / 16 [ (x - 1)^3 B' + (x - 1)^2 (6 - 4 x) ]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.eos import EquationOfState
from ase.units import GPa

from gapy.errors import GapyError, PropertyError
from gapy.properties.relaxing import LATTICE, lattice, relax
from gapy.properties.result import Result, require_periodic


@dataclass(frozen=True)
class EOS(Result):
    """Volumes (A^3) and energies (eV) of the cell, and their fit.

    volume: of the minimum, A^3; energy: there, eV; bulk_modulus: GPa; derivative: of the bulk
    modulus by the pressure. residual: root mean square of the fit, eV. atoms: the crystal at the
    minimum, scaled from the nearest of those `along` the curve.
    """

    units: ClassVar[Mapping[str, str]] = {**LATTICE, "B": "GPa", "B'": ""}
    atoms: Atoms
    along: tuple[Atoms, ...]
    volumes: np.ndarray
    energies: np.ndarray
    volume: float
    energy: float
    bulk_modulus: float
    derivative: float
    residual: float

    def frames(self) -> tuple[Atoms, ...]:
        """The crystal at every volume."""
        return self.along

    def numbers(self) -> dict[str, float]:
        """Lattice lengths (A), volume (A^3/atom), energy (eV/atom), B (GPa) and B' (no unit)."""
        n = len(self.atoms)
        return {
            **lattice(self.atoms),
            "volume": self.volume / n,
            "energy": self.energy / n,
            "B": self.bulk_modulus,
            "B'": self.derivative,
        }


def eos(
    calculator,
    atoms: Atoms,
    *,
    span: float = 0.06,
    points: int = 9,
    shape: bool = False,
    force: float = 1e-3,
) -> EOS:
    """Equation of state about the relaxed volume.

    Arguments
    ---------
    span : volumes from 1 - span to 1 + span of the relaxed one
    points : how many of them, 5 or more
    shape : whether the shape of the cell relaxes at each volume; positions always do
    force : largest force that remains, eV/A

    Raises PropertyError where a relaxation fails, where the phase is left, or where the energies
    have no minimum inside the span. Source: Birch, Phys. Rev. 71, 809 (1947).
    """
    require_periodic(atoms, "eos")
    if not (0.0 < span < 0.5 and points >= 5):
        raise GapyError(
            f"span, points: expected a span between 0 and 0.5 and at least 5 points, got {span} "
            f"and {points}"
        )
    start = relax(calculator, atoms, cell="free" if shape else "isotropic", force=force).atoms
    frames = tuple(scaled(start, 1.0 + x) for x in np.linspace(-span, span, points))
    kind = "shape" if shape else "fixed"
    done = [relax(calculator, one, cell=kind, force=force) for one in frames]
    volumes = np.array([one.atoms.get_volume() for one in done])
    energies = np.array([one.energy for one in done])
    e0, bulk, slope, v0 = fitted(volumes, energies)
    residual = float(
        np.sqrt(np.mean((birch_murnaghan(volumes, e0, bulk, slope, v0) - energies) ** 2))
    )
    nearest = done[int(np.argmin(np.abs(volumes - v0)))].atoms
    best = scaled(nearest, v0 / nearest.get_volume())
    return EOS(
        best,
        tuple(one.atoms for one in done),
        volumes,
        energies,
        v0,
        e0,
        bulk / GPa,
        slope,
        residual,
    )


def fitted(volumes: np.ndarray, energies: np.ndarray) -> tuple[float, float, float, float]:
    """E0 (eV), B (eV/A^3), B' and V0 (A^3) of Birch-Murnaghan.

    Raises PropertyError where there is no minimum between the volumes.
    """
    try:
        # Energies are counted from their least: large offsets cost the fit its digits.
        fit = EquationOfState(volumes, energies - energies.min(), eos="birchmurnaghan")
        fit.fit(warn=False)
    except (RuntimeError, ValueError, TypeError) as error:
        raise PropertyError(
            f"eos: no curve through the energies, {error}; narrow the span"
        ) from error
    e0, bulk, slope, v0 = (float(x) for x in fit.eos_parameters)
    if not (volumes.min() < v0 < volumes.max() and bulk > 0.0):
        raise PropertyError(
            f"eos: expected a minimum of the energy between {volumes.min():.2f} and "
            f"{volumes.max():.2f} A^3, the fit has its own at {v0:.2f}; begin from another volume"
        )
    return e0 + float(energies.min()), bulk, slope, v0


def birch_murnaghan(volumes, e0: float, bulk: float, slope: float, v0: float) -> np.ndarray:
    """Energies (eV) at volumes (A^3); bulk in eV/A^3."""
    x = (v0 / np.asarray(volumes)) ** (2.0 / 3.0) - 1.0
    return e0 + 9.0 * v0 * bulk / 16.0 * (x**3 * slope + x**2 * (2.0 - 4.0 * x))


def fitted_curve(result: EOS, volumes) -> np.ndarray:
    """Energies (eV) of the cell on the curve of an EOS at volumes (A^3)."""
    bulk = result.bulk_modulus * GPa
    return birch_murnaghan(volumes, result.energy, bulk, result.derivative, result.volume)


def scaled(atoms: Atoms, factor: float) -> Atoms:
    """A copy with its volume multiplied."""
    out = atoms.copy()
    out.set_cell(atoms.cell.array * factor ** (1.0 / 3.0), scale_atoms=True)
    return out
