"""Labels that active learning needs for a force error, against random frames of its trajectories.

    python benchmarks/active/label_efficiency.py cuau [--seeds 5] [--labels 80] [--ps 10]
    python benchmarks/active/label_efficiency.py ethanol

For each seed: a loop with a budget of labels; a fit to the first n of its labels, for several n;
and fits to n random frames of the very trajectories that the loop's walkers ran, labelled by the
same oracle. Errors on frames of the oracle's own dynamics over the same temperatures. For several
target errors, n of both, and the ratio; medians over the seeds.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from systems import System, force_errors

from gapy.active import Budget, Store, learn


def fitted(system, seed, frames):
    model = system.model(seed)
    model.update(frames, len(frames))
    return model.potential


def curve(system, seed, frames, sizes, test):
    """RMSE after the first n frames, for n in sizes."""
    return {n: force_errors(fitted(system, seed, frames[:n]), test) for n in sizes}


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

    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "loop"
        result = learn(
            directory, system.walkers(args.ps), system.oracle(),
            system.policy(args.threshold, args.patience),
            model=system.model(seed), initial=system.initial(), seed=seed,
            budget=Budget(labels=args.labels), on_frame=watch,
        )  # fmt: skip
        store = Store(directory / "labels.db", "loop")
        frames = [store.structure(row.label_key) for row in store.rows()]
    rng = np.random.default_rng(seed)
    most = min(len(trajectory), args.factor * len(frames))
    chosen = rng.permutation(len(trajectory))[:most]
    n_initial = sum(1 for _ in system.initial().requests([("w", system.start())], seed))
    # Both begin with the same few structures: what is compared is the choice of the others.
    begin = frames[:n_initial]
    random = begin + [system.label(trajectory[k]) for k in chosen]

    def sizes(n):
        return sorted({int(v) for v in np.geomspace(max(n_initial, 5), n, args.points)})

    return {
        "seed": seed,
        "labels": len(frames),
        "ps": result.ps,
        "frames_to_choose_from": len(trajectory),
        "active": curve(system, seed, frames, sizes(len(frames)), test),
        "random": curve(system, seed, random, sizes(len(random)), test),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=("cuau", "ethanol"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=80)
    parser.add_argument("--ps", type=float, default=10.0)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--patience", type=int, default=0)
    parser.add_argument("--stride", type=int, default=5)
    parser.add_argument("--factor", type=int, default=4, help="random frames per active label")
    parser.add_argument("--points", type=int, default=9, help="fits per curve")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    system = System(args.system)
    test = system.dynamics(args.ps, 100, seed=12345)
    runs = []
    for seed in range(args.seeds):
        run = one_seed(system, seed, args, test)
        runs.append(run)
        last = max(run["active"])
        print(
            f"seed {seed}: {run['labels']} labels in {run['ps']:.2f} ps, RMSE "
            f"{run['active'][last][0]:.4f} eV/A; {max(run['random'])} random ones: "
            f"{run['random'][max(run['random'])][0]:.4f} eV/A",
            flush=True,
        )
    for which, name in ((0, "RMSE"), (1, "99th percentile")):
        finals = [run["active"][max(run["active"])][which] for run in runs]
        for looser in (1.0, 1.25, 1.5, 2.0):
            target = looser * float(np.median(finals))
            active = [needed(run["active"], target, which) for run in runs]
            random = [needed(run["random"], target, which) for run in runs]
            ratios = [a / r if np.isfinite(a) else np.inf for a, r in zip(active, random)]
            print(
                f"{name} {target:.4f} eV/A: active {np.median(active):.0f}, random "
                f"{np.median(random):.0f} labels (medians; inf: not reached), ratio "
                f"{np.median(ratios):.2f}"
            )
    if args.json:
        args.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
