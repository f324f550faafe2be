"""The frame at which a force sigma passes its limit, gathered from all ranks and saved."""

from __future__ import annotations

import io

import ase.units
import numpy as np
from ase import Atoms
from ase.io import write

from gapy._support.files import write_whole
from gapy.engines.lammps.structs import view

PER_PICOSECOND = 1.0 / (1000.0 * ase.units.fs)
"""A/ps, LAMMPS' unit of velocity, in ASE's."""


def save_frame(frame) -> str:
    """Write the frame (`structs.Frame` on every rank) as extended XYZ; returns why it stopped.

    Atoms are in the order of their LAMMPS IDs, with velocities and `forces_std` (n,) eV/A. Rank 0
    writes. Raises GapyError where the file cannot be written.
    """
    from mpi4py import MPI

    world = MPI.Comm.f2py(frame.world)
    n = frame.n_owned
    mine = (
        view(frame.tag, n).copy(),
        view(frame.number, n).copy(),
        *(view(a, n, 3).copy() for a in (frame.positions, frame.velocities)),
        view(frame.sigma, n).copy(),
    )
    gathered = world.gather(mine)
    told: str | Exception = ""
    if gathered is not None:
        try:
            told = _written(frame, *map(np.concatenate, zip(*gathered)))
        except Exception as error:  # on all ranks, which wait for it
            told = error
    told = world.bcast(told)
    if isinstance(told, Exception):
        raise told
    return told


def _written(frame, tag, numbers, positions, velocities, sigma) -> str:
    order = np.argsort(tag)
    worst = int(tag[np.argmax(sigma)])
    atoms = Atoms(
        numbers[order],
        (positions - np.array(frame.origin))[order],
        cell=np.array(frame.cell).reshape(3, 3),
        pbc=np.array(frame.periodic, dtype=bool),
        velocities=velocities[order] * PER_PICOSECOND,
        info={"step": frame.step},
    )
    atoms.arrays["forces_std"] = sigma[order]
    text = io.StringIO()
    # ASE would wait for the other ranks, which do not come here.
    write(text, atoms, format="extxyz", parallel=False)
    path = frame.path.decode()
    write_whole(path, text.getvalue().encode())
    return (
        f"force uncertainty above max_force_std = {frame.limit:.6g} eV/A at step {frame.step}: "
        f"atom {worst} {frame.largest:.4g} eV/A; the frame is in {path}"
    )
