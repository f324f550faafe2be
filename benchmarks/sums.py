"""Sums of terms against one SOAP: errors on structures left out of the training file, and cost.

    python benchmarks/sums.py [SET...] [--data DIR] [--every N] [--points M] [--seed S] [--accurate]
        [--test]

A fifth of the training structures, drawn by a seed, is left out; each sum of `gapy fit --terms` is
fitted to the others with what `gapy fit` chooses from the data and learnt noise. Two SOAPs get 0.7
times the points each. `--accurate` fits the sums of ACCURATE instead, which cost more than MD would
pay for most questions. No test set is looked at unless `--test` says so: then all of the training
file is fitted. Costs are force calls on one thread, and ratios to two matrix products timed in
turns with them.
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
TESTS = {"si": "mlearn/Si_test.xyz", "mo": "mlearn/Mo_test.xyz"}


def wide_and_sharp(wide: dict, sharp: dict) -> tuple[dict, ...]:
    """Tables [[term]] of a wide smooth SOAP and a sharp one, with these cutoffs (A) and points."""
    return (
        {
            "kind": "soap", "n_max": 8, "l_max": 4, "sigma": 0.6, "zeta": 3,
            "n_components": "off", **wide,
        },
        {
            "kind": "soap", "n_max": 10, "l_max": 8, "sigma": 0.35, "zeta": 4,
            "n_components": 1e-6, **sharp,
        },
    )  # fmt: skip


ACCURATE = {
    "si": ModelSettings(
        term=wide_and_sharp(
            {"r_cut": 6.5, "n_inducing": 1000, "delta": 9.0},
            {"r_cut": 5.5, "n_inducing": 2000, "delta": 2.2},
        ),
        sigma_energy=0.008, sigma_forces=0.1, sigma_stress=0.003,
    ),
    "mo": ModelSettings(
        term=wide_and_sharp({"r_cut": 6.5, "n_inducing": 700}, {"r_cut": 5.1, "n_inducing": 1000}),
    ),
}  # fmt: skip
"""By set, chosen by left-out structures of the training file; noise learnt where none is given."""


def parts_of(name: str, data: Path | None, every: int, seed: int):
    """(for training, left out) of a training file."""
    structures = list(structures_of(SETS[name][0], data))[::every]
    rng = np.random.default_rng(seed)
    out = set(rng.choice(len(structures), len(structures) // FIFTH, replace=False).tolist())
    parts: tuple[list, list] = ([], [])
    for k, s in enumerate(structures):
        parts[k in out and len(s.atoms) > 1].append(s)  # free atoms are always there
    return parts


def usual(training, points: int):
    """{name: settings} of the sums of `gapy fit --terms`, for these training structures."""
    chosen = auto_soap(training)
    one = ModelSettings(
        r_cut=chosen.r_cut, n_max=chosen.n_max, l_max=chosen.l_max, sigma=chosen.sigma,
        compression=chosen.compression, zeta=chosen.zeta,
    )  # fmt: skip
    number = {terms: int(0.7 * points) if "soap+soap" in terms else points for terms in SUMS}
    return {terms: one.but(terms=terms, n_inducing=m) for terms, m in number.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="directory of the public sets")
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--every", type=int, help="every how many-th structure")
    parser.add_argument("--points", type=int, help="inducing points per species of one SOAP")
    parser.add_argument("--seed", type=int, default=0, help="of the structures that are left out")
    parser.add_argument(
        "--accurate",
        action="store_true",
        help=f"for {', '.join(ACCURATE)}: the sums that cost more",
    )
    parser.add_argument("--test", action="store_true", help="all of training, and the test set")
    given = parser.parse_args()
    chosen = given.sets or (TESTS if given.accurate or given.test else SETS)
    if (given.accurate or given.test) and not TESTS.keys() >= set(chosen):
        parser.error(f"--accurate and --test: expected sets among {', '.join(TESTS)}")
    print("set       terms            meV/atom (MAE)   eV/A (MAE)        fit/s  us/atom  ratio")
    for name in chosen:
        every = given.every or SETS[name][1]
        training, rest = parts_of(name, given.data, every, given.seed)
        if given.test:
            training += rest
            rest = list(structures_of(TESTS[name], given.data))
        if given.accurate:
            sums = {"accurate": ACCURATE[name]}
        else:
            sums = usual(training, given.points or SETS[name][2])
        species = sorted({z for s in training for z in s.atoms.get_chemical_symbols()})
        for terms, settings in sums.items():
            began = time.process_time()
            gp = gapy.SparseGPRegressor(
                settings.descriptors(species), **settings.regressor_arguments()
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
            if given.test:
                worst = max(
                    (abs(o.energy - s.energy) / len(s.atoms), len(s.atoms), s.config_type)
                    for s, o in zip(rest, gp.potential_.evaluate_many([s.atoms for s in rest]))
                )
                print("worst energy: {:.4f} eV/atom, {} atoms, {}".format(*worst), flush=True)


if __name__ == "__main__":
    main()
