"""Force errors at the steps that were not labelled, checked with the oracle on a random sample.

    python benchmarks/active/safety.py cuau [--ps 20] [--sample 500] [--seed 0]

Prints the share of the sampled steps at which the largest force error of an atom (length over
sqrt(3), the measure of the calibrated sigma) exceeds once and twice the threshold, and the same
for the largest single component.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from systems import System

from gapy.active import learn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=("cuau", "ethanol"))
    parser.add_argument("--ps", type=float, default=20.0)
    parser.add_argument("--sample", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threshold", type=float)
    args = parser.parse_args()
    system = System(args.system)
    policy = system.policy(args.threshold)
    rng = np.random.default_rng(args.seed)
    kept, seen = [], 0

    def watch(walker, frame, verdict, version):
        """A uniform sample of all steps at which nothing was flagged."""
        nonlocal seen
        if verdict != "ok":
            return
        seen += 1
        place = len(kept) if len(kept) < args.sample else int(rng.integers(seen))
        if place < args.sample:
            kept[place : place + 1] = [(frame.atoms.copy(), frame.forces.copy(), version)]

    with tempfile.TemporaryDirectory() as scratch:
        result = learn(
            Path(scratch) / "loop", system.walkers(args.ps), system.oracle(), policy,
            model=system.model(args.seed), initial=system.initial(), seed=args.seed,
            on_frame=watch,
        )  # fmt: skip
    by_atom, by_component = [], []
    for atoms, forces, _ in kept:
        error = forces - system.label(atoms).arrays["REF_forces"]
        by_atom.append(np.linalg.norm(error, axis=1).max() / np.sqrt(3.0))
        by_component.append(np.abs(error).max())
    print(
        f"{result.n_labels} labels, {result.n_steps} steps, "
        f"{100 * result.share_without_label:.2f} % without a label; {len(kept)} of {seen} steps "
        f"without a flag checked, threshold {policy.max_force_std:g} eV/A"
    )
    for name, values in (("atom", np.array(by_atom)), ("component", np.array(by_component))):
        print(
            f"largest error by {name}: median {np.median(values):.4f}, largest {values.max():.4f} "
            f"eV/A; above the threshold {100 * np.mean(values > policy.max_force_std):.2f} %, "
            f"above twice the threshold {100 * np.mean(values > 2 * policy.max_force_std):.2f} %"
        )


if __name__ == "__main__":
    main()
