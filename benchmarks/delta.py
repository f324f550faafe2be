"""How many labels a cheap baseline saves: force errors on ethanol with and without GFN2-xTB.

    OMP_NUM_THREADS=1 python benchmarks/delta.py --data DIR [--sizes 25 50 100 200 400] [--json OUT]

DIR (default: the environment variable GAPY_BENCH_DATA) holds ethanol/ as benchmarks/README.md says;
the baseline needs `pip install tblite`. Only the training file is used: for each seed 200 of its
structures are left out and judge, the others give training sets of growing size, each within the
next. Both models have the same settings. Then the time of a force call of either.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from statistics import mean, median

import numpy as np

import gapy
from gapy.baselines import ASECalculator
from gapy.descriptors import smooth_soap

LEFT_OUT = 200
NAMES = ("SOAP alone", "SOAP + GFN2-xTB")


def fitted(frames, baselines):
    """The model of a training set."""
    soap = smooth_soap(["H", "C", "O"], r_cut=4.5, n_max=8, l_max=6, sigma=0.4)
    gp = gapy.SparseGPRegressor(
        soap, n_inducing=400, zeta=4, optimize=True, e0="fit", baselines=["zbl", *baselines]
    )
    return gp.fit(frames).potential_


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
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA", "."))
    parser.add_argument("--sizes", type=int, nargs="*", default=[25, 50, 100, 200, 400])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    structures = gapy.read_structures(Path(options.data) / "ethanol/train.xyz")
    xtb = ASECalculator("tblite.ase.TBLite", {"method": "GFN2-xTB", "verbosity": 0})
    rows = []
    names = " | ".join(f"{name}, eV/A" for name in NAMES)
    print(f"| labels | {names} | rank of sigma | 95 % |\n|---|---|---|---|---|")
    for n in options.sizes:
        found: dict[str, list] = {name: [] for name in NAMES}
        for seed in range(options.seeds):
            order = np.random.default_rng(seed).permutation(len(structures))
            test = [structures[i] for i in order[:LEFT_OUT]]
            train = [structures[i] for i in order[LEFT_OUT : LEFT_OUT + n]]
            for name, baselines in zip(NAMES, ((), (xtb,))):
                potential = fitted(train, baselines)
                found[name].append(gapy.evaluate(potential, test))
        errors = [mean(r.total.forces_rmse for r in found[name]) for name in NAMES]
        rank, covered = (
            [mean(getattr(r, key) for r in found[name]) for name in NAMES]
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
    both = fitted(train, [xtb])
    alone = fitted(train, [])
    call_seconds(alone, moved[:2])
    times = [call_seconds(alone, moved), call_seconds(both, moved)]
    print(f"force call: {1e3 * times[0]:.2f} ms alone, {1e3 * times[1]:.2f} ms with the baseline")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows, "call_seconds": times}, file, indent=2)


if __name__ == "__main__":
    main()
