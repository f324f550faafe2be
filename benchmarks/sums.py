"""Sums of terms against one SOAP: errors on structures left out of the training file, and cost.

    python benchmarks/sums.py [SET...] [--data DIR] [--every N] [--points M]

A fifth of the training structures, drawn by a seed, is left out; each sum of `gapy fit --terms` is
fitted to the others with what `gapy fit` chooses from the data and learnt noise. Two SOAPs get 0.7
times the points each. No test set is looked at. Costs are force calls on one thread, and ratios to
two matrix products timed in turns with them.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from accuracy import structures_of

import gapy
from gapy.descriptors import auto_soap
from gapy.fit.settings import ModelSettings
from gapy.fit.term_tables import SUMS
from gapy.tuning.cost import force_cost, timing_structure

SETS = {
    "shipped-si": ("shipped:si:train", 1, 500),
    "shipped-alas": ("shipped:alas:train", 1, 300),
    "si": ("mlearn/Si_train.xyz", 1, 700),
    "mo": ("mlearn/Mo_train.xyz", 1, 700),
    "nbmo": ("snap/NbMo_train.xyz", 6, 300),
    "ethanol": ("ethanol/train.xyz", 4, 300),
}
"""File, every how many-th structure, and inducing points per species."""
FIFTH = 5


def parts_of(name: str, data: Path | None, every: int):
    """(for training, left out) of a training file."""
    structures = list(structures_of(SETS[name][0], data))[::every]
    rng = np.random.default_rng(0)
    out = set(rng.choice(len(structures), len(structures) // FIFTH, replace=False).tolist())
    parts: tuple[list, list] = ([], [])
    for k, s in enumerate(structures):
        parts[k in out and len(s.atoms) > 1].append(s)  # free atoms are always there
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="directory of the public sets")
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--every", type=int, help="every how many-th structure")
    parser.add_argument("--points", type=int, help="inducing points per species of one SOAP")
    given = parser.parse_args()
    print("set       terms            meV/atom (MAE)   eV/A (MAE)        fit/s  us/atom  ratio")
    for name in given.sets or SETS:
        training, rest = parts_of(name, given.data, given.every or SETS[name][1])
        points = given.points or SETS[name][2]
        chosen = auto_soap(training)
        for terms in SUMS:
            settings = ModelSettings(
                r_cut=chosen.r_cut, n_max=chosen.n_max, l_max=chosen.l_max, sigma=chosen.sigma,
                compression=chosen.compression, terms=terms,
            )  # fmt: skip
            m = int(0.7 * points) if "soap+soap" in terms else points
            began = time.process_time()
            gp = gapy.SparseGPRegressor(
                settings.descriptors(list(chosen.n_inducing)), m, chosen.zeta, optimize=True
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gp.fit(training)
            seconds = time.process_time() - began
            e = gapy.evaluate(gp.potential_, rest).total
            us, ratio = force_cost(gp.potential_, timing_structure(rest))
            print(
                f"{name:9} {terms:15} {1e3 * e.energy_rmse:7.2f} ({1e3 * e.energy_mae:.2f})    "
                f"{e.forces_rmse:.4f} ({e.forces_mae:.4f})  {seconds:6.1f}  {us:7.1f}  {ratio:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
