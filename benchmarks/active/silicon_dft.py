"""Silicon learned on the fly from density-functional theory, checked, and used for 216 atoms.

    python benchmarks/active/silicon_dft.py WORK [--resume] [--ps 20] [--quick]

1. A loop from the 8-atom crystal: walkers in NVT from 300 K up to --hottest, --ps in total,
   labels from pw.x at the settings of the shipped data (--quick: coarser ones).
2. Test: new walkers with other seeds in the same ensemble with the final model; --frames frames at
   equal distances, labelled by pw.x, never trained on.
3. 216 atoms for 20 ps with the final model.

WORK holds everything, and every finished label stays: the script may be stopped and started again
with --resume. `ESPRESSO_PSEUDO` names the folder of the pseudopotentials. Results go to
WORK/result.json.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from ase.build import bulk

import gapy
from gapy.active import MD, Budget, Failure, GPModel, Initial, Oracle, Policy, Request, Store, learn
from gapy.active.display import Live
from gapy.active.explorers.base import rng_of

LATTICE = 5.39


def oracle(args):
    cutoff, grid = (16.0, 3) if args.quick else (args.cutoff, args.grid)
    return Oracle(
        "ase.calculators.espresso.Espresso",
        {
            "profile": {
                "class": "ase.calculators.espresso.EspressoProfile",
                "command": args.pw,
                "pseudo_dir": os.environ.get("ESPRESSO_PSEUDO", "/usr/share/espresso/pseudo"),
            },
            "pseudopotentials": {"Si": "Si.pz-vbc.UPF"},
            "kpts": [grid] * 3,
            "koffset": [1] * 3,
            "input_data": {
                "control": {"tprnfor": True, "tstress": True, "disk_io": "none"},
                "system": {
                    "ecutwfc": cutoff,
                    "occupations": "smearing",
                    "smearing": "marzari-vanderbilt",
                    "degauss": 0.02,
                },
                "electrons": {"conv_thr": 1.6e-8, "electron_maxstep": 80},
            },
        },
        workers=args.workers,
        timeout=1800.0,
        environment={"OMP_NUM_THREADS": "1"},
    )


def walkers(args):
    """Two ramps and two constant temperatures, --ps in total."""
    start = bulk("Si", a=LATTICE, cubic=True)
    ramp = {"temperature": 300, "temperature_end": args.hottest}
    common = {"ps": args.ps / 4, "timestep": 2.0}
    return [
        MD(start, **ramp, **common),
        MD(start, **ramp, **common),
        MD(start, temperature=300, **common),
        MD(start, temperature=args.hottest, **common),
    ]


def test_frames(potential, args):
    """Frames of new walkers with the final model, equally spaced in each."""
    per_walker = -(-args.frames // 4)
    frames = []
    for k, walker in enumerate(walkers(args)):
        walker.begin(rng_of(args.seed + 1000, k))
        walker.attach(potential.calculator(uncertainty=True))
        every = walker.steps // per_walker
        while (frame := walker.advance()) is not None:
            if frame.broken is not None:
                raise SystemExit(f"test walker {k} broke at step {frame.step}: {frame.broken}")
            if frame.step % every == 0:
                frames.append((Request.of_frame(frame, f"test-{k}", "md", 0), frame.temperature))
    return frames


def checked(frames, reference, work):
    """Labels of the test frames; those that are in the store are not computed again."""
    store = Store(work / "test.db", "test")
    requests = [r for r, _ in frames]
    todo = [k for k, r in enumerate(requests) if store.outcome(reference.key(r)) is None]
    try:
        for place, outcome in reference.label([requests[k] for k in todo], work / "test_oracle"):
            k = todo[place]
            key = reference.key(requests[k])
            store.add(key, k, requests[k], outcome, reference.settings)
    finally:
        reference.close()
    return [store.outcome(reference.key(r)) for r in requests]


def errors(frames, labels):
    """Force RMSE of all, of the coldest and of the hottest third, largest, and 2-sigma share."""
    pairs = [(r, t, o) for (r, t), o in zip(frames, labels) if not isinstance(o, Failure)]
    pairs.sort(key=lambda p: p[1])
    difference = [p[0].forces - p[2].forces for p in pairs]
    third = len(pairs) // 3

    def rmse(parts):
        return float(np.sqrt((np.concatenate([p.ravel() for p in parts]) ** 2).mean()))

    return {
        "frames": len(pairs),
        "unlabelled": len(frames) - len(pairs),
        "forces_rmse": rmse(difference),
        "forces_rmse_coldest_third": rmse(difference[:third]),
        "forces_rmse_hottest_third": rmse(difference[-third:]),
        "forces_max": float(max(np.abs(d).max() for d in difference)),
        "forces_rms_of_labels": rmse([p[2].forces for p in pairs]),
    }


def large_cell(potential, args, work):
    atoms = bulk("Si", a=LATTICE, cubic=True).repeat(3)
    restart = (work / "large" / "checkpoint.npz").exists()
    run = gapy.run_md(
        atoms,
        potential.calculator(uncertainty=True),
        work / "large",
        temperature=args.large_temperature,
        steps=int(args.large_ps * 500),
        timestep=2.0,
        seed=args.seed,
        log_interval=50,
        traj_interval=500,
        restart=restart,
    )
    return {
        "status": run.status,
        "reason": run.reason,
        "steps": run.n_steps,
        "mean_temperature": run.mean_temperature,
        "max_force_std": run.max_force_std,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--ps", type=float, default=20.0, help="of all four walkers together")
    parser.add_argument("--hottest", type=float, default=1800.0)
    parser.add_argument("--threshold", type=float, default=0.15, help="max_force_std, eV/A")
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--large-ps", type=float, default=20.0)
    parser.add_argument("--large-temperature", type=float, default=1200.0)
    parser.add_argument("--pw", default="pw.x")
    parser.add_argument("--cutoff", type=float, default=24.0, help="Ry")
    parser.add_argument("--grid", type=int, default=4, help="k-points along each axis")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    result = learn(
        args.work / "loop",
        walkers(args),
        oracle(args),
        Policy(max_force_std=args.threshold, batch=2),
        model=GPModel(["Si"], r_cut=5.0, n_max=8, l_max=6, n_inducing=500, seed=args.seed),
        initial=Initial(rattles=4, rattle=0.08),
        budget=Budget(labels=args.labels, hours=args.hours),
        seed=args.seed,
        resume=args.resume,
        display=Live(),
    )
    print(f"{result.status}: {result.reason}", file=sys.stderr)
    if result.model_path is None or "h of this call" in result.reason:
        raise SystemExit("stopped before the end; start again with --resume")
    potential = gapy.load(result.model_path)
    frames = test_frames(potential, args)
    labels = checked(frames, oracle(args), args.work)
    summary = {
        "loop": {
            "ps": result.ps,
            "steps": result.n_steps,
            "labels": result.n_labels,
            "failures": result.n_failures,
            "share_of_steps_without_dft": result.share_without_label,
            "seconds": result.seconds,
        },
        "test": errors(frames, labels),
        "large": large_cell(potential, args, args.work),
    }
    (args.work / "result.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
