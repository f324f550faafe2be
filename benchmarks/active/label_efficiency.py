"""Labels that active learning needs for a force error, against random frames of its trajectories.

    python benchmarks/active/label_efficiency.py phases --ps 5 --rare 0.1 --labels 70 \\
        --threshold 0.04 --factor 3 --points 5 --test 8
    python benchmarks/active/label_efficiency.py rotamers --ps 16 --rare 0.0375 --labels 200 \\
        --threshold 0.2 --patience 0 --min-interval 20 --points 6 --test-ps 4 --test-rare 0.15

For each seed: a loop that begins with one rattled copy of each start structure; a fit to the first
n of its labels, for several n; and fits to the same first structures and random frames, drawn
uniformly from the very trajectories that the loop's walkers ran, labelled by the same oracle. All
fits have the same settings. Errors on frames of the oracle's own dynamics over the same ramps, the
same number from every start: RMSE of a component over all of them, that of the worst start, and the
99th percentile of the component errors. For several targets, n of both and the ratio; medians over
the seeds.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from systems import NAMES, System, force_errors

from gapy.active import Budget, Store, learn

MEASURES = ("RMSE", "RMSE of the worst start", "99th percentile")


def fitted(system, seed, frames):
    model = system.model(seed, optimize=False)
    model.update(frames, len(frames))
    return model.potential


def errors(potential, test):
    """The three measures, eV/A, and the RMSE of every group."""
    groups = {name: force_errors(potential, frames)[0] for name, frames in test.items()}
    rmse, quantile = force_errors(potential, [f for frames in test.values() for f in frames])
    return [rmse, max(groups.values()), quantile, groups]


def curve(system, seed, frames, sizes, test):
    """Errors after the first n frames, for n in sizes."""
    return {n: errors(fitted(system, seed, frames[:n]), test) for n in sizes}


def needed(errors, target, which):
    """Labels for an error of at most `target`, by interpolation in log n and log error; or inf."""
    sizes = sorted(errors)
    values = [errors[n][which] for n in sizes]
    for k, value in enumerate(values):
        if value <= target:
            if k == 0:
                return float(sizes[0])
            above, share = values[k - 1], np.log(values[k - 1] / target)
            share /= np.log(above / value)
            return float(np.exp(np.log(sizes[k - 1]) + share * np.log(sizes[k] / sizes[k - 1])))
    return float("inf")


def one_seed(system, seed, args, test):
    trajectory = []

    def watch(walker, frame, verdict, version):
        if frame.broken is None and frame.step % args.stride == 0:
            trajectory.append(frame.atoms.copy())

    begin = system.beginning(seed)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "loop"
        result = learn(
            directory, system.walkers(args.ps), system.oracle(),
            system.policy(
                args.threshold, patience=args.patience, batch=args.batch,
                min_interval=args.min_interval,
            ),
            model=system.model(seed), training=begin, seed=seed,
            budget=Budget(labels=args.labels), on_frame=watch,
        )  # fmt: skip
        store = Store(directory / "labels.db", "loop")
        rows = store.rows()
        frames = begin + [store.structure(row.label_key) for row in rows]
    rng = np.random.default_rng(seed)
    most = min(len(trajectory), args.factor * len(frames) - len(begin))
    chosen = rng.permutation(len(trajectory))[:most]
    # Both begin with the same few structures: what is compared is the choice of the others.
    random = begin + [system.label(trajectory[k]) for k in chosen]

    def sizes(n):
        return sorted({int(v) for v in np.geomspace(1.5 * len(begin), n, args.points)})

    walkers = [row.walker for row in rows]
    return {
        "seed": seed,
        "labels": len(frames),
        "labels_by_walker": {name: walkers.count(name) for name in sorted(set(walkers))},
        "status": f"{result.status}: {result.reason}",
        "ps": result.ps,
        "frames_to_choose_from": len(trajectory),
        "active": curve(system, seed, frames, sizes(len(frames)), test),
        "random": curve(system, seed, random, sizes(len(random)), test),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=NAMES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument(
        "--rare", type=float, default=1.0,
        help="rare starts (vacancy, surface and liquid; hot molecules) run for this share of --ps",
    )  # fmt: skip
    parser.add_argument("--test", type=int, default=12, help="test frames of every start")
    parser.add_argument(
        "--test-ps", type=float,
        help="length of the dynamics that test frames come from; default: --ps",
    )  # fmt: skip
    parser.add_argument("--test-rare", type=float, help="as --rare; default: --rare")
    parser.add_argument("--labels", type=int, default=60)
    parser.add_argument("--ps", type=float, default=2.0)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--min-interval", type=int, default=10)
    parser.add_argument("--stride", type=int, default=5)
    parser.add_argument("--factor", type=int, default=3, help="random frames per active label")
    parser.add_argument("--points", type=int, default=7, help="fits per curve")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    system = System(args.system, rare=args.rare)
    # A run of its own, from the same starts; it may be shorter than the walkers'.
    tested = System(args.system, rare=args.rare if args.test_rare is None else args.test_rare)
    test = tested.dynamics(args.test_ps or args.ps, args.test, seed=12345)
    runs = []
    for seed in range(args.first, args.first + args.seeds):
        began = time.perf_counter()
        run = one_seed(system, seed, args, test)
        runs.append(run)
        seconds = time.perf_counter() - began
        print(f"seed {seed}: {run['labels']} labels in {run['ps']:.2f} ps, {seconds:.0f} s")
        print(f"   {run['status']}; {run['labels_by_walker']}")
        for how in ("active", "random"):
            parts = (f"{n}: {e[0]:.4f}/{e[1]:.4f}/{e[2]:.4f}" for n, e in run[how].items())
            print(f"   {how}: {', '.join(parts)}", flush=True)
        if args.json:
            args.json.write_text(json.dumps(runs, indent=1))
    compare(runs)


def compare(runs):
    """Print what random frames need for the error of each loop, and for looser common targets.

    A target that random frames do not reach counts with all the random frames there were, so that
    the ratio is an upper bound.
    """
    for which, name in enumerate(MEASURES):
        finals = [run["active"][max(run["active"])][which] for run in runs]
        show(name, [compared(run, f, which) for run, f in zip(runs, finals)], "of each loop's end")
        for looser in (1.25, 1.5, 2.0):
            target = looser * float(np.median(finals))
            show(name, [compared(run, target, which) for run in runs], f"{target:.4f} eV/A")


def compared(run, target, which):
    """(labels of the loop, random labels, ratio) for a target."""
    active = needed(run["active"], target, which)
    random = min(needed(run["random"], target, which), float(max(run["random"])))
    return active, random, active / random


def show(name, rows, target):
    active, random, ratio = np.median(rows, axis=0)
    each = " ".join(f"{row[2]:.2f}" for row in rows)
    print(f"{name} {target}: active {active:.0f}, random {random:.0f}, ratio {ratio:.2f} ({each})")


if __name__ == "__main__":
    main()
