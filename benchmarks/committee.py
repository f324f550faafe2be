"""Cost of a committee relative to one force call: energies of all members, forces of all.

    python benchmarks/committee.py MODEL.gapy [--members 16] [--repeats 25]

512 atoms of diamond silicon (or the model's first reference structure, repeated), one thread,
interleaved calls, processor time: other work on the machine disturbs it least.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from ase.build import bulk

import gapy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    potential = gapy.load(options.model)
    if potential.species == (14,):
        atoms = bulk("Si", cubic=True).repeat(4)
    else:
        atoms = potential.references[0][0].repeat(2)
    atoms.rattle(0.1, seed=0)
    committee = potential.sample(options.members, seed=0)
    calls = {
        "one force call": lambda: potential.evaluate(atoms),
        "energies of all": lambda: committee.evaluate(atoms),
        "forces of all": lambda: committee.evaluate(atoms, forces_members=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()  # compile
    for _ in range(options.repeats):
        for name, call in calls.items():
            began = time.thread_time()
            call()
            seconds[name].append(time.thread_time() - began)
    one = np.array(seconds["one force call"])
    print(f"{len(atoms)} atoms, {len(committee)} members, {potential!r}")
    for name, values in seconds.items():
        ratio = np.median(np.array(values) / one)
        print(
            f"{name:<16} {1e6 * min(values) / len(atoms):8.1f} us/atom, median ratio {ratio:.2f}, "
            f"ratio of the fastest {min(values) / one.min():.2f}"
        )


if __name__ == "__main__":
    main()
