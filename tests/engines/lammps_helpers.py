"""What the LAMMPS cases start from, how they are run, and the ASE calculator's answers."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io.lammpsdata import read_lammps_data, write_lammps_data
from helpers import labelled_frames, with_posterior

import gapy
from gapy.baselines import ZBL
from gapy.descriptors import smooth_soap

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
STORED = Path(__file__).parents[1] / "data" / "version-2.json"
"""Energy, forces and sigmas of a model file, as an earlier version of gapy found them."""
CASES = Path(__file__).parent / "lammps_cases.py"


def prepare(folder: Path, potential, frames) -> None:
    """Models cual.gapy and zbl.gapy with the cheap sigma, dear_* with that of samples, and data."""
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    gp = gapy.SparseGPRegressor(soap, n_inducing=15, baselines=[ZBL(1.5, 2.6)]).fit(frames)
    for name, one in (("cual", potential), ("zbl", gp.potential_)):
        calibration = replace(one.calibration, posterior=None, gain=0.0)
        replace(one, calibration=calibration).save(folder / f"{name}.gapy")
        with_posterior(one).save(folder / f"dear_{name}.gapy")
    rng = np.random.default_rng(5)
    alloy = bulk("Cu", a=3.85, cubic=True).repeat((4, 3, 3))
    alloy.numbers[rng.permutation(len(alloy))[:60]] = 13
    cell = alloy.cell.array.copy()
    cell[1, 0], cell[2, 0], cell[2, 1] = 2.1, -1.3, 1.7
    alloy.set_cell(cell, scale_atoms=True)
    alloy.rattle(0.1, rng=rng)
    small = bulk("Cu", a=3.7, cubic=True)
    small.numbers[:2] = 13
    small.rattle(0.1, rng=rng)
    cluster = alloy.copy()
    cluster.set_cell(np.diag([80.0, 20.0, 20.0]))
    cluster.positions += 1.0 - cluster.positions.min(axis=0)
    touching = alloy.copy()
    last = int(np.argmax(touching.positions[:, 0]))
    touching.positions[last] = touching.positions[(last + 1) % len(touching)]
    shutil.copy(STORED.with_suffix(".gapy"), folder / "stored.gapy")
    named = {"alloy": alloy, "small": small, "cluster": cluster, "touching": touching}
    for name, atoms in {**named, "stored": labelled_frames(1, seed=2)[0]}.items():
        write_lammps_data(
            folder / f"{name}.data", atoms, specorder=["Cu", "Al"], masses=True,
            atom_style="atomic", units="metal", prismobj=None,
        )  # fmt: skip


def run_cases(folder: Path, ranks: int, names, way="plugin", **environment) -> None:
    """Run cases on so many ranks; they must end without a crash."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    done = subprocess.run(
        [mpiexec, "-n", str(ranks), sys.executable, CASES, folder, way, *names],
        capture_output=True, text=True, timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def reference(folder: Path, name: str):
    """The ASE structure of a case with its calculator."""
    name = name.removeprefix("external_")
    samples, name = name.startswith("samples_"), name.removeprefix("samples_")
    data = {"small": "small.data", "cluster": "cluster.data"}.get(name.split("_")[0], "alloy.data")
    atoms = start(folder, data, pbc=name != "cluster")
    file = "zbl.gapy" if name.startswith("baseline") else "cual.gapy"
    model = gapy.load(folder / (f"dear_{file}" if samples else file))
    if name in ("member", "lent"):
        model = model.sample(4).potentials[1]
    precision = "single" if name.endswith("single") else "double"
    atoms.calc = model.calculator(
        uncertainty="posterior" if samples else "cheap", precision=precision
    )
    return atoms


def start(folder: Path, data: str, pbc=True):
    """A data file as ASE structure, in the order of IDs."""
    atoms = read_lammps_data(
        folder / data, atom_style="atomic", units="metal", sort_by_id=True,
        Z_of_type={1: 29, 2: 13},
    )  # fmt: skip
    atoms.pbc = pbc
    return atoms


class Result:
    """What a case gave: thermo output, atoms of the last dumped frame."""

    def __init__(self, folder: Path, name: str, ranks: int):
        self.thermo = json.loads((folder / f"{name}-{ranks}.json").read_text())
        self.error, self.errors = self.thermo.get("error"), self.thermo["errors"]
        self._dump = folder / f"{name}-{ranks}.dump"

    def columns(self, frame: int = -1) -> dict:
        """Columns of a frame of the dump by name, in the order of IDs."""
        text = self._dump.read_text().split("ITEM: TIMESTEP\n")[1:][frame]
        head, body = text.split("ITEM: ATOMS ")
        names, *rows = body.strip().split("\n")
        table = np.array([row.split() for row in rows], dtype=float)
        return {"step": int(head.split()[0]), **dict(zip(names.split(), table.T))}

    def xyz(self, prefix: str, frame: int = -1) -> np.ndarray:
        """Three columns, `x y z` for "" and `fx fy fz` for "f"."""
        columns = self.columns(frame)
        return np.stack([columns[prefix + c] for c in "xyz"], axis=1)

    @property
    def pressure(self) -> np.ndarray:
        """xx, yy, zz, yz, xz, xy in bar."""
        return np.array([self.thermo[f"p{v}"] for v in ("xx", "yy", "zz", "yz", "xz", "xy")])


def pressure_of(atoms) -> np.ndarray:
    """Of ASE's stress, bar, with LAMMPS' constant of its units metal."""
    return -atoms.get_stress() * 1.6021765e6


def assert_single(result: Result, atoms) -> None:
    """The case is in single precision, as the calculator of `atoms`, with other sums' rounding."""
    assert result.error is None
    assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < 1e-5 * len(atoms)
    forces = result.xyz("f")
    assert np.abs(forces - atoms.get_forces()).max() < 1e-5
    double = atoms.calc.potential.in_precision("double").evaluate(atoms).forces
    assert 1e-9 < np.abs(forces - double).max() < 1e-4
