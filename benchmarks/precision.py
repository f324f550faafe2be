"""Single beside double precision: how far the numbers differ, and what a call costs.

    python benchmarks/precision.py --data DIR [--only NAME...] [--keep FOLDER]

The models are those that `gapy fit` chooses by itself, as in automatic.py, whose folder of models
`--keep` may be. Differences are the largest over the test structures: of forces, in eV/A and over
the RMSE of the model's own errors, of the energy per atom, and of the sigmas relative to
themselves. Times are CPU times in us/atom of one thread, double and single in turns, the atoms
moved between calls as in MD: a call, one with the cheap sigma, and a batch of all test structures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy import CASES, structures_of
from automatic import BATCH, SETS, fitted, large, present
from threadpoolctl import threadpool_limits

TURNS = 15
HEAD = (
    "set", "forces, eV/Å", "of RMSE", "energy, eV/atom", "forces_std", "energies_std", "atoms",
    "call", "single", "sigma", "single", "batch", "single",
)  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA"))
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--keep", type=Path, help="folder for the models")
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in present(options):
            print(f"| {' | '.join(row(name, data, folder))} |", flush=True)


def row(name: str, data: Path | None, folder: Path) -> list[str]:
    """The cells of one row."""
    import gapy

    double = gapy.load(fitted(name, data, 1, folder)[0])
    both = (double, double.in_precision("single"))
    test = structures_of(CASES[name].tests["test"], data)
    frames = [s.atoms for s in test]
    found = [p.evaluate_many(frames, "cheap") for p in both]
    rmse = np.sqrt(np.mean([np.mean((e.forces - s.forces) ** 2) for e, s in zip(found[0], test)]))
    forces = max(np.abs(a.forces - b.forces).max() for a, b in zip(*found))
    energy = max(abs(a.energy - b.energy) / len(a.energies) for a, b in zip(*found))
    sigmas = [
        max(np.abs(getattr(b, of) / getattr(a, of) - 1.0).max() for a, b in zip(*found))
        for of in ("forces_std", "energies_std")
    ]
    atoms = large(test)
    times = [
        *calls(both, atoms, uncertainty=False),
        *calls(both, atoms, uncertainty="cheap"),
        *batches(both, frames[:BATCH]),
    ]
    return [
        name, f"{forces:.1e}", f"{forces / rmse:.0e}", f"{energy:.1e}",
        *(f"{sigma:.1e}" for sigma in sigmas), str(len(atoms)), *(f"{t:.1f}" for t in times),
    ]  # fmt: skip


def calls(potentials, atoms, uncertainty) -> list[float]:
    """us/atom of a force call of each potential, medians of calls in turns."""
    rng = np.random.default_rng(1)
    each = [atoms.copy() for _ in potentials]
    for one, potential in zip(each, potentials):
        one.calc = potential.calculator(uncertainty=uncertainty)
        one.get_forces()
    times = []
    for _ in range(TURNS if len(atoms) > 100 else 20 * TURNS):
        moves = rng.normal(scale=0.002, size=(len(atoms), 3))
        times.append([])
        for one in each:
            one.positions += moves
            began = time.process_time()
            one.get_forces()
            times[-1].append(time.process_time() - began)
    return [1e6 * float(t) / len(atoms) for t in np.median(times, axis=0)]


def batches(potentials, frames) -> list[float]:
    """us/atom of many structures at once, medians of three turns."""
    times = []
    for _ in range(3):
        times.append([])
        for potential in potentials:
            began = time.process_time()
            potential.evaluate_many(frames)
            times[-1].append(time.process_time() - began)
    return [1e6 * float(t) / sum(map(len, frames)) for t in np.median(times, axis=0)]


if __name__ == "__main__":
    main()
