"""Row g: threads, and whether the results depend on them."""

from __future__ import annotations

import os

import numpy as np

from peers.systems import silicon, silicon_potential
from peers.timing import force_call, interleaved

THREADS = (1, 2, 4)


def measure(options) -> dict:
    """Speed-up over one thread for two sizes, and bit-identity for 1, 2, 4 threads."""
    potential = silicon_potential(options)
    cores = len(os.sched_getaffinity(0))
    row = {"notes": [], "cores": cores}
    for repeats in (options.repeats_of_atoms, 2 * options.repeats_of_atoms):
        atoms = silicon(repeats)
        used = [t for t in THREADS if t <= cores]
        seconds = interleaved(
            {str(t): force_call(potential, atoms, threads=t) for t in used}, options.repeat
        )
        for t in used[1:]:
            row[f"speedup_{t}_{len(atoms)}"] = seconds["1"] / seconds[str(t)]
    row["sizes"] = [8 * r**3 for r in (options.repeats_of_atoms, 2 * options.repeats_of_atoms)]
    row["notes"] += [f"no speed-up of {t} threads on {cores} cores" for t in THREADS if t > cores]
    row["identical"] = _identical(potential, silicon(options.repeats_of_atoms))
    return {"g": row}


def _identical(potential, atoms) -> bool:
    results = [potential.evaluate(atoms, local_std=True, threads=t) for t in THREADS]
    names = ("energies", "forces", "virial", "energies_std")
    return all(
        np.array_equal(getattr(results[0], name), getattr(other, name))
        for other in results[1:]
        for name in names
    )
