"""The integrators, all from ASE, and the state each carries between steps.

Langevin (BAOAB) and Bussi were preferred to Nose-Hoover chains: both sample the canonical
ensemble, also for stiff crystals and small cells where a deterministic chain may not be ergodic,
and their only memory is that of the random generator, so a restart can be exact.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms, FixCartesian
from ase.md.bussi import Bussi
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

from gapy._support.voigt import is_crystal
from gapy.errors import GapyError
from gapy.md.settings import Settings


def keeps_momentum(ensemble: str) -> bool:
    """Whether the dynamics conserves the total momentum of atoms without constraints."""
    return ensemble in ("nve", "nvt-bussi")


def check_atoms(atoms: Atoms, ensemble: str) -> None:
    """Raise GapyError where `atoms` cannot be moved in this ensemble."""
    if len(atoms) == 0:
        raise GapyError("atoms is empty; MD needs at least one atom")
    if atoms.get_number_of_degrees_of_freedom() < 1:
        raise GapyError("every atom is fixed; free at least one with atoms.set_constraint")
    if ensemble == "nvt-bussi" and len(atoms) < 2:
        raise GapyError("ensemble 'nvt-bussi' needs at least two atoms; choose ensemble 'nvt'")
    other = [c for c in atoms.constraints if not isinstance(c, (FixAtoms, FixCartesian))]
    if other:
        raise GapyError(
            f"atoms carry the constraint {type(other[0]).__name__}; MD here supports FixAtoms and "
            "FixCartesian only: remove the others with atoms.set_constraint"
        )
    if ensemble == "npt":
        if atoms.constraints:
            raise GapyError(
                "ensemble 'npt' cannot move a cell with fixed atoms; remove the constraints with "
                "atoms.set_constraint() or choose ensemble 'nvt'"
            )
        if not is_crystal(atoms):
            raise GapyError(
                f"ensemble 'npt' needs a cell periodic in three directions, got pbc "
                f"{atoms.pbc.tolist()}; choose ensemble 'nvt' or set atoms.pbc and atoms.cell"
            )


def barostat_mass(atoms: Atoms, settings: Settings) -> float:
    """Mass W of the cell (eV times ASE time squared) for ensemble 'npt'.

    The isotropic piston obeys W d2(eps)/dt2 = -9 V B eps, so W = 9 V B (tau / 2 pi)^2 makes a
    material of bulk modulus B oscillate with period tau. W changes no average, only the pace.
    """
    tau = settings.barostat_time * units.fs
    stiffness = 9.0 * atoms.get_volume() * settings.bulk_modulus * units.GPa
    return stiffness * (tau / (2.0 * math.pi)) ** 2


def make_dynamics(
    atoms: Atoms, settings: Settings, rng: np.random.Generator, barostat: dict | None
) -> MolecularDynamics:
    """The ASE integrator for `settings`; `barostat` is what `barostat_state` returned, or mass."""
    dt = settings.timestep * units.fs
    tau = settings.thermostat_time * units.fs
    if settings.ensemble == "nve":
        return VelocityVerlet(atoms, dt)
    if settings.ensemble == "nvt-bussi":
        dynamics = Bussi(atoms, dt, settings.temperature, tau, rng=rng)
        if not atoms.constraints:
            # ASE counts 3N; the three of the centre of mass are at rest and must not be fed.
            dynamics.ndof -= 3
        return dynamics
    if settings.ensemble == "nvt":
        return LangevinBAOAB(
            atoms, dt, temperature_K=settings.temperature, hydrostatic=True, T_tau=tau, rng=rng
        )
    dynamics = LangevinBAOAB(
        atoms,
        dt,
        temperature_K=settings.temperature,
        externalstress=-settings.pressure * units.GPa,  # ASE: tension is positive
        hydrostatic=True,
        T_tau=tau,
        P_tau=settings.barostat_time * units.fs,
        P_mass=barostat["mass"],
        rng=rng,
    )
    if "momentum" in barostat:
        dynamics.p_eps = barostat["momentum"]
        dynamics.force_eps = barostat["force"]
    return dynamics


def set_temperature(dynamics: MolecularDynamics, temperature: float) -> None:
    """Set the thermostat of `dynamics` to `temperature` (K); nothing to set for NVE."""
    if isinstance(dynamics, Bussi):
        dynamics.temp = temperature * units.kB
        dynamics.target_kinetic_energy = 0.5 * dynamics.temp * dynamics.ndof
    elif isinstance(dynamics, LangevinBAOAB):
        dynamics.set_temperature(temperature)


def barostat_state(dynamics: MolecularDynamics) -> dict | None:
    """Mass, momentum and force of the cell's volume, None without a barostat.

    The force is stored because the next half kick uses the one computed before the last half kick
    of the atoms, which positions and momenta alone do not give back.
    """
    if not isinstance(dynamics, LangevinBAOAB) or dynamics.externalstress is None:
        return None
    return {
        "mass": float(dynamics.barostat_mass),
        "momentum": float(dynamics.p_eps),
        "force": float(dynamics.force_eps),
    }
