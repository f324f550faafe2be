"""What the loop costs beside MD steps and oracle, as the labels come in.

    python benchmarks/active/overhead.py [--begin 190] [--labels 30] [--ps 10] [--oracle-seconds 10]

An EMT loop that begins with so many labelled frames of the oracle's own dynamics, so that one need
not run the loop to 200 structures to see what it costs there. EMT is as good as free, so the share
of the wall time, (update + other) / all, is that of the worst case; it is also given for an oracle
that takes --oracle-seconds for a label; the last column says how long a label must take for a share
of 10 %. The first fit is left out. The first line is all of the loop with the full fit at its end,
the others are parts of it without that.
"""

import argparse
import csv
import tempfile
import time
import types
from itertools import pairwise
from pathlib import Path

from systems import System

from gapy.active import Budget, Policy, learn, loop


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--begin", type=int, default=190)
    parser.add_argument("--labels", type=int, default=30, help="labels of the loop, at most")
    parser.add_argument("--oracle-seconds", type=float, default=10.0)
    parser.add_argument("--threshold", type=float, default=0.03)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--ps", type=float, default=10.0)
    parser.add_argument(
        "--cpu", action="store_true",
        help="CPU seconds of this process, where other programs keep the machine busy",
    )  # fmt: skip
    args = parser.parse_args()
    if args.cpu:
        loop.time = types.SimpleNamespace(perf_counter=time.process_time)
    system = System("cuau")
    begin = system.dynamics(args.ps, args.begin, seed=1)["alloy"] if args.begin else []
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "loop"
        learn(
            directory, system.walkers(args.ps), system.oracle(),
            Policy(max_force_std=args.threshold, batch=args.batch),
            model=system.model(0), initial=system.initial(), training=begin, seed=0,
            budget=Budget(labels=args.labels),
        )  # fmt: skip
        with open(directory / "loop.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    print(
        "labels   steps  explore    label   update    other  s; overhead share; with slow oracle; "
        "10 % from"
    )
    names = ("explore_s", "label_s", "update_s", "other_s")
    most = int(rows[-1]["n_labels"])
    updates = [r for r in rows if r["version"] != rows[-1]["version"]]  # without the last fit
    edges = [0, *range(50, most, 50), most]
    parts = [(rows, 0, most), *((updates, *edge) for edge in pairwise(edges))]
    for of, low, high in parts:
        part = [r for r in of if low <= int(r["n_labels"]) <= high]
        if len(part) < 2:
            continue
        first, last = part[0], part[-1]
        explore, label, update, other = (float(last[n]) - float(first[n]) for n in names)
        labels = int(last["n_labels"]) - int(first["n_labels"])
        steps = int(last["total_steps"]) - int(first["total_steps"])
        total = explore + label + update + other
        slow = explore + labels * args.oracle_seconds + update + other
        print(
            f"{args.begin + low:4d}-{args.begin + high:3d} {steps:6d}"
            f" {explore:8.2f} {label:8.2f} {update:8.2f} {other:8.2f}"
            f"     {100 * (update + other) / total:5.1f} %"
            f"      {100 * (update + other) / slow:5.1f} %"
            f"      {max(9 * (update + other) - explore, 0.0) / max(labels, 1):5.2f} s per label"
        )


if __name__ == "__main__":
    main()
