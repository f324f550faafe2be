"""The frame at which a force sigma passes its limit, gathered from all ranks and saved."""

from __future__ import annotations

from typing import NamedTuple

import ase.units
import numpy as np
from ase import Atoms

from gapy._support.files import write_whole
from gapy.structures.writing import as_extxyz

PER_PICOSECOND = 1.0 / (1000.0 * ase.units.fs)
"""A/ps, LAMMPS' unit of velocity, in ASE's."""


class RankAtoms(NamedTuple):
    """Atoms of a rank: LAMMPS' IDs, positions (A), velocities (A/ps), force sigma (eV/A)."""

    tag: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    sigma: np.ndarray


class Box(NamedTuple):
    """Lattice vectors as rows and the origin, A; which directions are periodic."""

    cell: np.ndarray
    origin: np.ndarray
    periodic: np.ndarray


def save_frame(world, atoms: RankAtoms, box: Box, *, step: int, limit: float, path: str) -> str:
    """Write the atoms of all ranks as extended XYZ, on rank 0; returns why the run stopped.

    world: mpi4py's communicator, all of whose ranks call it. limit: max_force_std, eV/A. Atoms are
    in the order of their LAMMPS IDs, with velocities and `forces_std` (n,) eV/A.

    Raises GapyError, on all ranks, where the file cannot be written.
    """
    gathered = world.gather(atoms)
    told: str | Exception = ""
    if gathered is not None:
        try:
            everything = RankAtoms(*map(np.concatenate, zip(*gathered)))
            told = _written(everything, box, step, limit, path)
        except Exception as error:  # for all ranks, which wait for it
            told = error
    told = world.bcast(told)
    if isinstance(told, Exception):
        raise told
    return told


def _written(all_atoms: RankAtoms, box: Box, step: int, limit: float, path: str) -> str:
    order = np.argsort(all_atoms.tag)
    tag, numbers, positions, velocities, sigma = (a[order] for a in all_atoms)
    worst = int(np.argmax(sigma))
    atoms = Atoms(
        numbers,
        positions - box.origin,
        cell=box.cell,
        pbc=box.periodic,
        velocities=velocities * PER_PICOSECOND,
        info={"step": step},
    )
    atoms.arrays["forces_std"] = sigma
    write_whole(path, as_extxyz([atoms]))
    return (
        f"force uncertainty above max_force_std = {limit:.6g} eV/A at step {step}: atom "
        f"{int(tag[worst])} {sigma[worst]:.4g} eV/A; the frame is in {path}"
    )
