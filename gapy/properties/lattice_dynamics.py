"""Phonons by finite displacements in a supercell, by phonopy.

    D(q) e = w^2 e,   D_ab(q) = (m_a m_b)^(-1/2) sum_R Phi_ab(R) exp(i q . R)

Force constants Phi from forces at +- and - displacements. Where w^2 < 0 the frequency is imaginary
and is given as a negative number, as phonopy does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from gapy.errors import GapyError
from gapy.properties.relaxing import at_rest, relax
from gapy.properties.result import Result, require_periodic, required
from gapy.structures.spins import known_signs, with_signs

IMAGINARY = -0.1
"""Frequencies below it, THz, are imaginary; acoustic ones at Gamma vanish only to rounding."""
EVERY = 6
"""Atoms up to which every branch is a number; of more, the lowest and the highest."""
JOULE_PER_MOL = 1.0364269656262e-5
"""1 J/mol in eV."""
FARADAY = 1.0364269656262e-2
"""1 kJ/mol in eV."""


@dataclass(frozen=True)
class Phonons(Result):
    """Frequencies in THz, negative where imaginary.

    points: name -> (3 n,) at the high-symmetry points; path: (q, 3 n) along the bands, with
    `distances` (q,) 1/A and `labels` ((distance, name), ...). lowest: on the mesh.
    exact: points that the supercell holds; at others force constants are interpolated. thermal:
    at `temperature` (K), of an atom: zero-point and free energy (eV), entropy and heat capacity
    (eV/K). displaced: supercells with their forces.
    """

    units: ClassVar[Mapping[str, str]] = {
        "zero-point energy": "eV/atom", "free energy": "eV/atom", "entropy": "eV/K/atom",
        "heat capacity": "eV/K/atom",
    }  # fmt: skip
    unit: ClassVar[str] = "THz"
    atoms: Atoms
    points: Mapping[str, np.ndarray]
    exact: tuple[str, ...]
    path: np.ndarray
    distances: np.ndarray
    labels: tuple[tuple[float, str], ...]
    lowest: float
    temperature: float
    thermal: Mapping[str, float]
    displaced: tuple[Atoms, ...]

    @property
    def is_stable(self) -> bool:
        """Whether no frequency on the mesh or at the points is imaginary."""
        found = [self.lowest, *(float(w.min()) for w in self.points.values())]
        return min(found) > IMAGINARY

    def frames(self) -> tuple[Atoms, ...]:
        """The supercells with displacements, and their forces."""
        return self.displaced

    def numbers(self) -> dict[str, float]:
        """THz by point and branch, the lowest of the mesh, and thermal properties.

        Thermal properties only without imaginary frequencies, of which they know nothing.
        """
        out = {}
        for name, w in self.points.items():
            if len(self.atoms) <= EVERY:
                out |= {f"{name}{k + 1}": float(x) for k, x in enumerate(w) if name != "G" or k > 2}
            else:
                out |= {f"{name} lowest": float(w[0]), f"{name} highest": float(w[-1])}
        out["lowest"] = self.lowest
        return {**out, **self.thermal} if self.is_stable else out


def phonons(
    calculator,
    atoms: Atoms,
    *,
    supercell=(2, 2, 2),
    distance: float = 0.03,
    mesh: int = 12,
    temperature: float = 300.0,
    force: float = 1e-3,
) -> Phonons:
    """Frequencies at high-symmetry points, bands and thermal properties of a crystal.

    Arguments
    ---------
    atoms : primitive cell; cell and positions relax first
    supercell : repeats of it in which atoms are displaced
    distance : of a displacement, A, both signs
    mesh : points along each reciprocal axis for the thermal properties
    temperature : K

    Polar splitting of optical branches at Gamma is left out. Raises PropertyError where the
    relaxation fails, PackageError without phonopy. Source: Togo, J. Phys. Soc. Jpn. 92, 012001
    (2023).
    """
    required("phonopy", "phonons")
    require_periodic(atoms, "phonons")
    if not (distance > 0.0 and mesh >= 2 and temperature > 0.0):
        raise GapyError(
            "distance, mesh, temperature: expected positive numbers, a mesh of at least 2, got "
            f"{distance}, {mesh} and {temperature}"
        )
    crystal = relax(calculator, atoms, cell="free", force=force).atoms
    phonon, displaced = _force_constants(calculator, crystal, supercell, distance)
    names = crystal.cell.bandpath(npoints=2).special_points
    points = {name: _frequencies(phonon, [q])[0] for name, q in names.items()}
    repeats = np.asarray(supercell)
    exact = tuple(n for n, q in names.items() if np.allclose((q * repeats) % 1.0 % 1.0, 0.0))
    band = crystal.cell.bandpath(npoints=60)
    along, at, labels = band.get_linear_kpoint_axis()
    phonon.run_mesh([mesh] * 3, is_gamma_center=True)
    elsewhere = np.abs(phonon.mesh.qpoints).max(axis=1) > 1e-8  # acoustic ones vanish at Gamma
    lowest = float(phonon.mesh.frequencies[elsewhere].min())
    return Phonons(
        crystal,
        points,
        exact,
        _frequencies(phonon, band.kpts),
        along,
        tuple(zip(map(float, at), labels)),
        lowest,
        temperature,
        _thermal(phonon, temperature, len(crystal)),
        displaced,
    )


def _force_constants(calculator, crystal: Atoms, supercell, distance: float):
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    signs = known_signs(crystal)
    cell = PhonopyAtoms(
        symbols=crystal.get_chemical_symbols(),
        cell=crystal.cell.array,
        scaled_positions=crystal.get_scaled_positions(),
        magnetic_moments=None if signs is None else signs.astype(float),
    )
    phonon: Any = Phonopy(
        cell, supercell_matrix=np.diag(supercell), primitive_matrix=np.eye(3), log_level=0
    )
    phonon.generate_displacements(distance=distance, is_plusminus=True)
    displaced = []
    for one in phonon.supercells_with_displacements:
        frame = Atoms(one.symbols, cell=one.cell, scaled_positions=one.scaled_positions, pbc=True)
        if signs is not None:
            with_signs(frame, np.sign(one.magnetic_moments))
        frame.calc = calculator
        displaced.append(at_rest(frame))
    phonon.forces = np.array([frame.get_forces() for frame in displaced])
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    return phonon, tuple(displaced)


def _frequencies(phonon, qpoints) -> np.ndarray:
    """THz (q, 3 n)."""
    phonon.run_qpoints(np.asarray(qpoints))
    return np.sort(phonon.qpoints.frequencies, axis=1)


def _thermal(phonon, temperature: float, n: int) -> dict[str, float]:
    # The acoustic branches at Gamma are no vibrations, and their logarithm is rounding.
    phonon.run_thermal_properties(temperatures=[0.0, temperature], cutoff_frequency=-IMAGINARY)
    found = phonon.thermal_properties
    return {
        "zero-point energy": float(found.free_energy[0]) * FARADAY / n,
        "free energy": float(found.free_energy[1]) * FARADAY / n,
        "entropy": float(found.entropy[1]) * JOULE_PER_MOL / n,
        "heat capacity": float(found.heat_capacity[1]) * JOULE_PER_MOL / n,
    }
