"""Velocities and temperature: who counts as a degree of freedom."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units


def draw_velocities(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Give `atoms` Maxwell-Boltzmann momenta at `temperature` (K), total momentum zero.

    Nothing is rescaled to hit the temperature exactly: its spread is part of the distribution.
    """
    masses = atoms.get_masses()
    scale = np.sqrt(masses * units.kB * temperature)
    momenta = rng.standard_normal((len(atoms), 3)) * scale[:, None]
    atoms.set_momenta(momenta)
    if not atoms.constraints:
        remove_drift(atoms)


def remove_drift(atoms: Atoms) -> None:
    """Set the total momentum to zero, the same velocity taken from every atom."""
    masses = atoms.get_masses()
    momenta = atoms.get_momenta()
    atoms.set_momenta(momenta - masses[:, None] * momenta.sum(axis=0) / masses.sum())


def temperature(atoms: Atoms, *, keeps_momentum: bool) -> float:
    """Instantaneous temperature in K, 2 E_kin / (k_B degrees of freedom).

    Where the dynamics keeps the total momentum (NVE, Bussi; no fixed atoms) the motion of the
    centre of mass is not thermal: its energy and its three degrees of freedom are left out.
    """
    kinetic = atoms.get_kinetic_energy()
    freedoms = atoms.get_number_of_degrees_of_freedom()
    if keeps_momentum and not atoms.constraints:
        total = atoms.get_momenta().sum(axis=0)
        kinetic -= 0.5 * float(total @ total) / atoms.get_masses().sum()
        freedoms -= 3
    return 2.0 * kinetic / (freedoms * units.kB) if freedoms > 0 else 0.0
