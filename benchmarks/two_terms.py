"""Error bars of a sum of two SOAPs beside those of one: the same data, the same number of points.

    python benchmarks/two_terms.py --data DIR [--train TRAIN.xyz] [--test TEST.xyz]

DIR as in accuracy.py; without files the silicon of mlearn. Noise and delta are learnt. Printed are
test errors, the rank correlation of the calibrated force sigma with the force error, and coverage.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import gapy
from gapy.descriptors import smooth_soap

LONG, SHORT = 5.4, 4.0
"""Cutoffs, A."""


def models(species: list[str], n_inducing: int) -> dict:
    """Descriptors of one term and of two, and the points of each term."""
    long = smooth_soap(species, r_cut=LONG, n_max=8, l_max=8)
    short = smooth_soap(species, r_cut=SHORT, n_max=8, l_max=8, sigma=0.4)
    half = n_inducing // 2
    return {
        f"SOAP {LONG} A": (long, n_inducing),
        f"SOAP {LONG} A + SOAP {SHORT} A": ([long, short], half),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA", "."))
    parser.add_argument("--train", default="mlearn/Si_train.xyz")
    parser.add_argument("--test", default="mlearn/Si_test.xyz")
    parser.add_argument("--n-inducing", type=int, default=1000)
    options = parser.parse_args()
    train, test = (
        gapy.read_structures(Path(options.data) / name) for name in (options.train, options.test)
    )
    species = sorted({s for one in train for s in one.atoms.get_chemical_symbols()})
    print(f"{'model':<28}{'meV/atom':>10}{'eV/A':>9}{'rank':>7}{'68 %':>7}{'95 %':>7}{'fit s':>8}")
    for name, (descriptor, n_inducing) in models(species, options.n_inducing).items():
        began = time.perf_counter()
        gp = gapy.SparseGPRegressor(descriptor, n_inducing=n_inducing, optimize=True).fit(train)
        seconds = time.perf_counter() - began
        report = gapy.evaluate(gp.potential_, test)
        print(
            f"{name:<28}{1e3 * report.total.energy_rmse:>10.2f}{report.total.forces_rmse:>9.4f}"
            f"{report.forces_std_spearman:>7.3f}{report.coverage_68:>7.2f}"
            f"{report.coverage_95:>7.2f}{seconds:>8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
