"""Time of a force call on 512 rattled silicon atoms, with and without the local sigma.

    python benchmarks/force_call.py [--model MODEL.gapy] [--repeat 30] [--threads 1] [--json OUT]

Without --model a potential of the usual size (r_cut 5.4 A, n_max = l_max = 8, 1000 inducing
points) is fitted to energies of ASE's Tersoff silicon; the labels do not change the cost. Between
calls the atoms move as in MD, so that the neighbour list is updated and now and then rebuilt.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.tersoff import Tersoff, TersoffParameters
from threadpoolctl import threadpool_limits

import gapy
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms

TERSOFF_SI = TersoffParameters(
    A=1830.8, B=471.18, lambda1=2.4799, lambda2=1.7322, lambda3=0.0, beta=1.1000e-6, n=0.78734,
    c=1.0039e5, d=16.217, h=-0.59825, R=2.85, D=0.15, m=3, gamma=1.0,
)  # fmt: skip


def fitted(n_inducing: int):
    """A silicon potential of the size asked for."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(24):
        atoms = bulk("Si", cubic=True).repeat(2)
        atoms.set_cell(atoms.cell * rng.uniform(0.94, 1.06), scale_atoms=True)
        atoms.positions += rng.normal(scale=rng.uniform(0.02, 0.3), size=(len(atoms), 3))
        atoms.calc = Tersoff(parameters={("Si", "Si", "Si"): TERSOFF_SI})
        atoms.info["REF_energy"] = float(atoms.get_potential_energy())
        atoms.calc = None
        frames.append(atoms)
    gp = gapy.SparseGPRegressor(smooth_soap(["Si"], r_cut=5.4), n_inducing=n_inducing)
    return gp.fit(from_atoms(frames, source="Tersoff silicon")).potential_


def microseconds_per_atom(potential, atoms, *, uncertainty: bool, threads: int, repeat: int):
    """Medians of wall time and CPU time of energy and forces (with sigma), us/atom."""
    rng = np.random.default_rng(1)
    atoms = atoms.copy()
    atoms.calc = potential.calculator(uncertainty=uncertainty, threads=threads)
    atoms.get_forces()
    times = []
    for _ in range(repeat):
        atoms.positions += rng.normal(scale=0.01, size=(len(atoms), 3))
        began = time.perf_counter(), time.process_time()
        atoms.get_forces()
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, cpu = np.median(times, axis=0) / len(atoms)
    return {"wall_us_per_atom": 1e6 * float(wall), "cpu_us_per_atom": 1e6 * float(cpu)}


def main() -> int:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--n-inducing", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with threadpool_limits(1):
        potential = gapy.load(arguments.model) if arguments.model else fitted(arguments.n_inducing)
        atoms = bulk("Si", cubic=True).repeat(4)
        atoms.rattle(0.05, seed=2)
        sizes = {"threads": arguments.threads, "repeat": arguments.repeat}
        result = {
            "n_atoms": len(atoms),
            "n_inducing": len(potential.posterior.alpha),
            "threads": arguments.threads,
            "forces": microseconds_per_atom(potential, atoms, uncertainty=False, **sizes),
            "forces_and_sigma": microseconds_per_atom(potential, atoms, uncertainty=True, **sizes),
        }
    print(f"{result['n_atoms']} atoms, {result['n_inducing']} inducing points", end=", ")
    print(f"{result['threads']} thread(s), median of {arguments.repeat} calls, us/atom")
    for name, title in (("forces", "energy, forces"), ("forces_and_sigma", "with sigma")):
        times = result[name]
        print(
            f"{title:15s} wall {times['wall_us_per_atom']:7.1f}   "
            f"CPU {times['cpu_us_per_atom']:7.1f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
