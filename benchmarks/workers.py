"""A fit in parts on workers of this machine: time on one and on two, memory by the size of the set.

    python benchmarks/workers.py [--atoms 30000 100000 300000] [--workers 1 2] [--points 1000]
        [--weak] [--keep FOLDER] [--json OUT]

The set is made here, labels from ASE's EMT: rattled and strained fcc crystals of copper and gold,
108 atoms each, seeded; `--keep` keeps it. Given noise. Printed are wall times (at their end one
process solves), CPU seconds of all processes, and the peak memory of the driver and of the largest
worker, imports included. With --weak the numbers of atoms are those of one worker, so that equal
times are perfect scaling.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

ATOMS = 108
PER_FILE = 300
"""Structures of a file."""


def made(folder: Path, n_structures: int) -> list[str]:
    """Files with so many structures at least, those that are there taken as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for k in range(-(-n_structures // PER_FILE)):
        path = folder / f"cuau-{k:04d}.xyz"
        names.append(str(path))
        if not path.exists():
            temporary = path.with_suffix(".part")
            frames = [labelled(np.random.default_rng((k, i))) for i in range(PER_FILE)]
            write(temporary, frames, format="extxyz")
            temporary.rename(path)
    return names


def labelled(rng):
    """One structure with its energy and forces."""
    atoms = bulk("Cu", cubic=True).repeat(3)
    atoms.symbols[rng.random(ATOMS) < rng.random()] = "Au"
    share = (atoms.numbers == 79).mean()
    atoms.set_cell(atoms.cell * (1.0 + 0.12 * share) * rng.uniform(0.97, 1.05), scale_atoms=True)
    atoms.positions += rng.normal(scale=rng.uniform(0.02, 0.25), size=(ATOMS, 3))
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = None
    atoms.info["REF_energy"] = float(energy)
    atoms.arrays["REF_forces"] = forces
    return atoms


def peak_gb() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def cpu_seconds() -> float:
    """Of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(files: list[str], workers: int, points: int) -> dict:
    """One fit on a cluster of its own."""
    import gapy
    from gapy.descriptors import smooth_soap
    from gapy.distributed import fit
    from gapy.distributed.cluster import connected

    soap = smooth_soap(["Cu", "Au"], r_cut=5.0, n_max=8, l_max=6)
    gp = gapy.SparseGPRegressor(soap, n_inducing=points, zeta=2, sigma_energy=0.002)
    with connected(workers) as client:
        client.run(_warm)  # imports and compiled kernels, once per worker
        before, own = sum(client.run(cpu_seconds).values()), cpu_seconds()
        began = time.perf_counter()
        fit(files, gp, client=client)
        wall = time.perf_counter() - began
        cpu = sum(client.run(cpu_seconds).values()) - before + cpu_seconds() - own
        memory = max(client.run(peak_gb).values())
    return {
        "structures": gp.n_structures_,
        "workers": workers,
        "wall_s": wall,
        "cpu_s": cpu,
        "worker_gb": memory,
        "driver_gb": peak_gb(),
    }


def _warm() -> None:
    import gapy
    from gapy.descriptors import smooth_soap

    frames = [labelled(np.random.default_rng(k)) for k in range(2)]
    soap = smooth_soap(["Cu", "Au"], r_cut=5.0, n_max=8, l_max=6)
    gapy.SparseGPRegressor(soap, n_inducing=10, zeta=2, n_components=16).fit(frames)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", nargs="+", type=int, default=[30_000, 100_000, 300_000])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--weak", action="store_true", help="atoms are of each worker")
    parser.add_argument("--keep", type=Path, help="folder for the set")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        print("| atoms | structures | workers | wall s | CPU s | worker GB | driver GB |")
        print("|---|---|---|---|---|---|---|")
        for atoms in options.atoms:
            for workers in options.workers:
                files = made(folder, -(-atoms * (workers if options.weak else 1) // ATOMS))
                r = run(files, workers, options.points)
                results.append(r)
                print(
                    f"| {ATOMS * r['structures']} | {r['structures']} | {workers} | "
                    f"{r['wall_s']:.1f} | {r['cpu_s']:.1f} | {r['worker_gb']:.2f} | "
                    f"{r['driver_gb']:.2f} |",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
