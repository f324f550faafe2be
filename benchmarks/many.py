"""Time of many small structures: one call for each, and all of them as one batch.

    python benchmarks/many.py [--model MODEL.gapy --xyz STRUCTURES.xyz] [--n 1000] [--json OUT]

Without --model a small potential of molecules and cells of H, C, N and O is fitted in seconds to
energies and forces of ASE's EMT, and the structures are rattled molecules (or, with --cells,
diamond cells of two atoms) of these. Ways take turns, so that a machine whose speed varies favours
none; medians over the turns are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.io import read
from threadpoolctl import threadpool_limits

import gapy
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms

MOLECULES = ("CH3CH2OH", "CH3CONH2", "C3H6_D3h", "CH3NO2", "CH3CHO", "NH3", "H2O", "CH3OCH3")


def rattled(rng, n: int, cells: bool) -> list:
    """Molecules in turn, or cells of two carbon atoms, with displaced atoms."""
    frames = []
    for k in range(n):
        name = MOLECULES[k % len(MOLECULES)]
        atoms = bulk("C", "diamond", a=3.6) if cells else molecule(name)
        atoms.positions += rng.normal(scale=0.05, size=(len(atoms), 3))
        frames.append(atoms)
    return frames


def fitted(n_inducing: int):
    """A small potential for what `rattled` gives."""
    rng = np.random.default_rng(0)
    frames = rattled(rng, 60, cells=False) + rattled(rng, 20, cells=True)
    for atoms in frames:
        atoms.calc = EMT()
        atoms.info["REF_energy"] = float(atoms.get_potential_energy())
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
    soap = smooth_soap(["H", "C", "N", "O"], r_cut=4.0, n_max=4, l_max=3)
    gp = gapy.SparseGPRegressor(soap, n_inducing=n_inducing, e0="fit")
    return gp.fit(from_atoms(frames, source="EMT")).potential_


def in_turns(ways: dict, n_atoms: int, rounds: int) -> dict:
    """(wall, CPU) of each way in us/atom, (rounds, 2)."""
    times: dict[str, list] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            began = time.perf_counter(), time.process_time()
            call()
            ended = time.perf_counter(), time.process_time()
            times[name].append([1e6 * (e - b) / n_atoms for b, e in zip(began, ended)])
    return {name: np.array(seen) for name, seen in times.items()}


def largest_differences(one: list, batch: list) -> dict:
    """Of all structures, between one call each and the batch."""
    pairs = list(zip(one, batch))
    out = {
        "energy_eV_per_atom": max(
            abs(a.energy - b.energy) / max(len(a.energies), 1) for a, b in pairs
        ),
        "forces_eV_per_A": max(np.abs(a.forces - b.forces).max(initial=0.0) for a, b in pairs),
        "virial_eV": max(np.abs(a.virial - b.virial).max() for a, b in pairs),
    }
    if one[0].forces_std is not None:
        out["forces_std_eV_per_A"] = max(
            np.abs(a.forces_std - b.forces_std).max(initial=0.0) for a, b in pairs
        )
    return {name: float(value) for name, value in out.items()}


def same_bits(some: list, others: list) -> bool:
    """Whether two batches are equal to the last bit."""
    return all(
        a.energy == b.energy
        and np.array_equal(a.forces, b.forces)
        and np.array_equal(a.virial, b.virial)
        for a, b in zip(some, others)
    )


def measured(potential, frames, *, threads, force_std: bool, rounds: int) -> dict:
    """What `main` prints."""
    n_atoms = sum(map(len, frames))

    def one_each():
        return [potential.evaluate(atoms, force_std=force_std) for atoms in frames]

    def batch(n):
        return potential.evaluate_many(frames, force_std=force_std, threads=n)

    one, many = one_each(), {n: batch(n) for n in threads}  # compiles, fills caches
    ways = {"one call each": one_each}
    ways |= {f"batch, {n} thread(s)": lambda n=n: batch(n) for n in threads}
    times = in_turns(ways, n_atoms, rounds)
    reference = times["one call each"]
    return {
        "n_structures": len(frames),
        "n_atoms": n_atoms,
        "n_inducing": len(potential.posterior.alpha),
        "force_std": force_std,
        "us_per_atom": {
            name: dict(zip(("wall", "CPU"), np.median(seen, axis=0).tolist()))
            for name, seen in times.items()
        },
        "one_call_over_this": {
            name: dict(zip(("wall", "CPU"), np.median(reference / seen, axis=0).tolist()))
            for name, seen in times.items()
        },
        "largest_difference": largest_differences(one, many[threads[0]]),
        "threads_equal_to_the_last_bit": all(
            same_bits(many[threads[0]], found) for found in many.values()
        ),
    }


def main() -> int:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="evaluate this one, on --xyz")
    parser.add_argument("--xyz", type=Path, help="structures to evaluate, of the model's species")
    parser.add_argument("--n", type=int, default=1000, help="structures at most")
    parser.add_argument("--cells", action="store_true", help="cells of two atoms, no molecules")
    parser.add_argument("--n-inducing", type=int, default=100, help="per species, without --model")
    parser.add_argument("--force-std", action="store_true", help="with the force sigma")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.model and not arguments.xyz:
        parser.error("--model needs --xyz: the structures made here may not be of its species")
    with threadpool_limits(1):
        potential = gapy.load(arguments.model) if arguments.model else fitted(arguments.n_inducing)
        if arguments.xyz:
            frames = read(arguments.xyz, f":{arguments.n}")
        else:
            frames = rattled(np.random.default_rng(1), arguments.n, arguments.cells)
        result = measured(
            potential, frames, threads=arguments.threads, force_std=arguments.force_std,
            rounds=arguments.rounds,
        )  # fmt: skip
    sizes = f"{result['n_structures']} structures, {result['n_atoms']} atoms"
    print(f"{sizes}, {result['n_inducing']} inducing points; us/atom, medians")
    print(f"{'':22s} {'wall':>8s} {'CPU':>8s}   one call over this: wall, CPU")
    for name, t in result["us_per_atom"].items():
        ratio = result["one_call_over_this"][name]
        print(f"{name:22s} {t['wall']:8.1f} {t['CPU']:8.1f}", end="   ")
        print(f"{ratio['wall']:8.2f} {ratio['CPU']:8.2f}")
    found = result["largest_difference"]
    print("largest difference:", ", ".join(f"{name} {value:.1e}" for name, value in found.items()))
    equal = "yes" if result["threads_equal_to_the_last_bit"] else "no"
    print(f"batches of all threads equal to the last bit: {equal}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
