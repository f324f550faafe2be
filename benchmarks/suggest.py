"""Labels for a property: suggested, at random, or where the force sigma is largest.

    python benchmarks/suggest.py [si|alas ...] [--property elastic|eos] [--seeds N] [--labels N]

The shipped training set stands for a pool without labels. A model begins with FIRST structures
drawn at random; then STEP more at a time are labelled, by `gapy.active.suggestion`, at random, or
those with the largest force sigma of an atom. Points (of all structures of the pool, which needs no
labels), free atoms and noise (the defaults of the regressor) are those of all three. Printed: the
true error against the DFT of `properties-NAME.json`, mean over the numbers of the property of the
absolute difference over the reference, %, median of the seeds, by the number of labels; and how
many labels each way needs until its median stays below an error. A model whose property cannot be
computed has an infinite error, and its next choice is random.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from ase.build import bulk
from properties import CRYSTALS

import gapy
from gapy.active.suggestion import suggest
from gapy.descriptors import auto_soap
from gapy.errors import PropertyError
from gapy.fit.solving import solve
from gapy.fit.training import absorb
from gapy.properties.linearised import linearised
from gapy.structures import from_atoms, is_isolated_atom

FIRST, STEP, POINTS = 8, 4, 300
WAYS = ("suggest", "random", "sigma")
NUMBERS = {
    "elastic": {"C11": "elastic C11", "C12": "elastic C12", "C44": "elastic C44"},
    "eos": {"volume": "eos volume", "B": "eos B"},
}


def errors(name: str, way: str, of: str, seed: int, labels: int, pool, start, known) -> list[float]:
    """Error in % after FIRST, FIRST + STEP, ... labels."""
    rng = np.random.default_rng(seed)
    formula, structure, a = CRYSTALS[name]
    crystal = bulk(formula, structure, a=a)
    order = [int(k) for k in rng.permutation(len(pool))]
    taken, left = order[:FIRST], order[FIRST:]
    state = absorb(start, [pool[k] for k in taken])
    out = []
    while True:
        potential = solve(state).potential
        found = None
        try:
            found = linearised(of, potential.calculator(), crystal)
            wanted = np.array([known[NUMBERS[of][n]] for n in found.names])
            out.append(100.0 * float(np.abs(found.values / wanted - 1.0).mean()))
        except (PropertyError, KeyError):  # not cubic: other numbers
            found = None
            out.append(np.inf)
        if len(taken) + STEP > labels or len(left) < STEP:
            return out
        if way == "suggest" and found is not None:
            chosen = suggest(potential, found, [pool[k].atoms for k in left], STEP).chosen
        elif way == "sigma":
            sigma = [potential.evaluate(pool[k].atoms, force_std=True).forces_std for k in left]
            chosen = np.argsort([-s.max() for s in sigma], kind="stable")[:STEP]
        else:
            chosen = rng.permutation(len(left))[:STEP]
        new = [left[int(c)] for c in chosen]
        taken, left = taken + new, [k for k in left if k not in set(new)]
        state = absorb(state, [pool[k] for k in new])


def learning(name: str, of: str, seeds: int, labels: int) -> None:
    structures = from_atoms(gapy.data.frames(name, "train"), source=name)
    atoms = [s for s in structures if is_isolated_atom(s)]
    pool = [s for s in structures if not is_isolated_atom(s)]
    path = Path(__file__).parent / "datasets" / f"properties-{name}.json"
    known = json.loads(path.read_text())["numbers"]
    regressor = gapy.SparseGPRegressor(auto_soap(structures).soap, POINTS, 2)
    start = absorb(regressor.begin(structures), atoms)
    medians = {}
    for way in WAYS:
        runs = [errors(name, way, of, seed, labels, pool, start, known) for seed in range(seeds)]
        medians[way] = np.median(runs, axis=0)
    counts = FIRST + STEP * np.arange(len(medians["random"]))
    print(f"{name}, {of}: error in %, median of {seeds} seeds, pool of {len(pool)}")
    print("labels   " + "".join(f"{n:7}" for n in counts))
    for way, values in medians.items():
        print(f"{way:9}" + "".join(f"{v:7.2f}" for v in values))
    for limit in (20.0, 10.0, 5.0, 3.0):
        needed = {way: _needed(values, counts, limit) for way, values in medians.items()}
        print(f"labels until it stays below {limit:g} %: {needed}", flush=True)


def _needed(values, counts, limit: float) -> int | None:
    above = np.flatnonzero(np.asarray(values) > limit)
    first = 0 if not len(above) else int(above[-1]) + 1
    return int(counts[first]) if first < len(counts) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crystals", nargs="*", metavar="CRYSTAL", help="si, alas")
    parser.add_argument("--property", choices=list(NUMBERS), default="elastic")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=60)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in given.crystals or CRYSTALS:
        learning(name, given.property, given.seeds, given.labels)


if __name__ == "__main__":
    main()
