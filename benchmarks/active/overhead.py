"""What the loop costs beside MD steps and oracle, as the labels come in.

    python benchmarks/active/overhead.py [--labels 220] [--oracle-seconds 10]

An EMT loop. The oracle is as good as free there, so the share of the wall time is that of the
worst case; with --oracle-seconds it is also given for an oracle that takes so long for a label.
"""

import argparse
import csv
import tempfile
from itertools import pairwise
from pathlib import Path

from systems import System

from gapy.active import Budget, Policy, learn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=220)
    parser.add_argument("--oracle-seconds", type=float, default=10.0)
    parser.add_argument("--threshold", type=float, default=0.03)
    parser.add_argument("--ps", type=float, default=200.0)
    args = parser.parse_args()
    system = System("cuau")
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "loop"
        learn(
            directory, system.walkers(args.ps), system.oracle(),
            Policy(max_force_std=args.threshold, batch=2),
            model=system.model(0), initial=system.initial(), seed=0,
            budget=Budget(labels=args.labels),
        )  # fmt: skip
        with open(directory / "loop.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    print("labels   steps  explore    label   update    other  s; overhead share; with slow oracle")
    names = ("explore_s", "label_s", "update_s", "other_s")
    edges = [0, 50, 100, 150, 200, args.labels]
    for low, high in pairwise(edges):
        part = [r for r in rows if low <= int(r["n_labels"]) <= high]
        if len(part) < 2:
            continue
        first, last = part[0], part[-1]
        explore, label, update, other = (float(last[n]) - float(first[n]) for n in names)
        labels = int(last["n_labels"]) - int(first["n_labels"])
        steps = int(last["total_steps"]) - int(first["total_steps"])
        total = explore + label + update + other
        slow = explore + labels * args.oracle_seconds + update + other
        print(
            f"{low:4d}-{high:3d} {steps:6d} {explore:8.2f} {label:8.2f} {update:8.2f} {other:8.2f}"
            f"     {100 * (update + other) / total:5.1f} %"
            f"      {100 * (update + other) / slow:5.1f} %"
        )


if __name__ == "__main__":
    main()
