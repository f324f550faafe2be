"""What ZBL and a pair term add to a force call: silicon of 512 and of 8 atoms, one thread.

    python benchmarks/cost_of_terms.py [--repeat N]

Three models of the shipped silicon, which differ only in what is named: the SOAP that `gapy fit`
chooses, ZBL beneath it, a pair term beside both. Calls are made in turns, and atoms move between
them as in MD; printed are medians of processor time, us/atom, and the ratio of each call to the one
of the SOAP alone in the same turn.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from ase.build import bulk
from threadpoolctl import threadpool_limits

import gapy
from gapy.baselines import AUTOMATIC
from gapy.descriptors import auto_soap
from gapy.structures import from_atoms

PAIR = 5.0
"""Cutoff of the pair term, A."""


def models() -> dict[str, gapy.Potential]:
    train = from_atoms(gapy.data.frames("si", "train"), source="si")
    chosen = auto_soap(train)
    out = {}
    kinds = {"SOAP": ((), False), "SOAP, ZBL": ((AUTOMATIC,), False)}
    kinds["SOAP, ZBL, pair"] = ((AUTOMATIC,), True)
    for name, (baselines, pair) in kinds.items():
        terms = [chosen.soap, gapy.Pair(r_cut=PAIR)] if pair else chosen.soap
        gp = gapy.SparseGPRegressor(terms, chosen.n_inducing, chosen.zeta, baselines=baselines)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out[name] = gp.fit(train).potential_
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=40)
    given = parser.parse_args()
    potentials = models()
    for repeats in (4, 1):
        atoms = bulk("Si", a=5.43, cubic=True).repeat(repeats)
        atoms.rattle(0.05, seed=0)
        copies = {name: atoms.copy() for name in potentials}
        for name, copy in copies.items():
            copy.calc = potentials[name].calculator()
            copy.get_forces()
        rng, calls = np.random.default_rng(1), max(1, 512 // len(atoms))
        times = []
        with threadpool_limits(1):
            for _ in range(given.repeat):
                moves = rng.normal(scale=0.01, size=(calls, len(atoms), 3))
                row = []
                for copy in copies.values():
                    began = time.process_time()
                    for move in moves:
                        copy.positions = atoms.positions + move
                        copy.get_forces()
                    row.append((time.process_time() - began) / calls / len(atoms) * 1e6)
                times.append(row)
        spent = np.array(times)
        for name, cost, ratio in zip(
            copies, np.median(spent, axis=0), np.median(spent / spent[:, :1], axis=0)
        ):
            print(f"{len(atoms):4d} atoms  {name:16} {cost:7.2f} us/atom  {ratio:.3f}")


if __name__ == "__main__":
    main()
