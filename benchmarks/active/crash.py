"""Kill a small loop with SIGKILL at random moments, resume it, and compare with an undisturbed one.

    python benchmarks/active/crash.py [--kills 50] [--seed 0] [--engine lammps]

Prints how many kills there were, and whether any label was lost, computed twice after it had been
stored, or different, and whether the final model has the same bytes.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from ase.io import write
from ase.spacegroup import crystal

HERE = Path(__file__).resolve().parent
PROGRAM = "from gapy.cli import main; main()"
CONFIG = """
directory = "loop"
seed = 3
checkpoint_steps = {checkpoint}
[oracle]
calculator = "counted.CountedEMT"
arguments = {{ log = "./calls.log" }}
workers = 2
[model]
r_cut = 4.2
n_max = 4
l_max = 3
n_inducing = 80
[policy]
max_force_std = 0.04
batch = 3
[initial]
rattles = 2
[budget]
labels = {labels}
[[explore]]
kind = "md"
walkers = 2
start = "start.xyz"
supercell = [2, 1, 1]
ensemble = "npt"
temperature = 300
temperature_end = 1200
ps = {ps}
timestep = 2.0
engine = "{engine}"
"""


def prepare(directory: Path, *, labels=25, ps=1.5, checkpoint=50, engine="ase") -> Path:
    """A directory with the loop's file; its path."""
    directory.mkdir(parents=True)
    (directory / "counted.py").write_text((HERE / "counted.py").read_text())
    atoms = crystal(["Cu", "Au"], [(0, 0, 0), (0.5, 0.5, 0.5)], cellpar=[2.8, 2.8, 3.6, 90, 90, 90])
    write(directory / "start.xyz", Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True))
    config = directory / "loop.toml"
    config.write_text(CONFIG.format(labels=labels, ps=ps, checkpoint=checkpoint, engine=engine))
    return config


def contents(directory: Path) -> dict:
    """Labels (geometry and values, bit by bit, in the order of their requests) and model hash."""
    rows = list(ase.db.connect(directory / "loop" / "labels.db", use_lock_file=False).select())
    labels = sorted((r for r in rows if r.record == "label"), key=lambda r: r.request)
    digest = hashlib.sha256()
    for r in labels:
        for array in (r.numbers, r.positions, r.cell, r.forces, r.stress, np.float64(r.energy)):
            digest.update(np.ascontiguousarray(array).tobytes())
    return {
        "labels": len(labels),
        "distinct": len({r.label_key for r in labels}),
        "data_hash": digest.hexdigest(),
        "model_hash": hashlib.sha256((directory / "loop" / "model.gapy").read_bytes()).hexdigest(),
    }


def calls(directory: Path) -> dict:
    """Calculations begun and ended, and how many ended more than once."""
    counts = collections.Counter((directory / "calls.log").read_text().splitlines())
    ended = {name: n for name, n in counts.items() if name.startswith("end")}
    begun = sum(n for name, n in counts.items() if name.startswith("begin"))
    return {"begun": begun, "ended": sum(ended.values()), "structures": len(ended)}


def start(arguments: list[str]) -> subprocess.Popen:
    """A process of `gapy` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def undisturbed(config: Path, start=start) -> float:
    """Run to the end; the seconds that it took."""
    began = time.perf_counter()
    process = start(["learn", str(config)])
    out, err = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"exit code {process.returncode}: {out}{err}")
    return time.perf_counter() - began


def disturbed(
    config: Path, kills: int, rng: random.Random, longest: float, start=start
) -> tuple[int, int]:
    """Run to the end, killed up to `kills` times; (kills, labels in the store that vanished)."""
    done = lost = stored = 0
    while True:
        arguments = ["learn", str(config)]
        # A loop may be killed after its database was made and before its first state was on disk.
        if any((config.parent / "loop" / name).exists() for name in ("state.json", "labels.db")):
            arguments.append("--resume")
        process = start(arguments)
        if done < kills:
            try:
                process.wait(rng.uniform(0.2, longest))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        database = config.parent / "loop" / "labels.db"
        now = (
            ase.db.connect(database, use_lock_file=False).count(record="label")
            if database.exists()
            else 0
        )
        lost += max(stored - now, 0)
        stored = now
        if process.returncode == 0:
            return done, lost
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"exit code {process.returncode}: {out}{err}")
        done += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["ase", "lammps"], default="ase")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        config = prepare(scratch / "reference", engine=args.engine)
        alone = undisturbed(config)
        reference = contents(config.parent)
        print(f"undisturbed: {alone:.1f} s, {json.dumps(reference)}", flush=True)
        kills = loops = lost = different = repeated = doubled = 0
        while kills < args.kills:
            config = prepare(scratch / f"loop{loops}", engine=args.engine)
            # Long enough for the program to start and to get on by a part of the loop.
            n, gone = disturbed(config, args.kills - kills, rng, 0.6 * alone)
            found, made = contents(config.parent), calls(config.parent)
            kills, loops, lost = kills + n, loops + 1, lost + gone
            different += found != reference
            doubled += found["labels"] - found["distinct"]
            repeated += made["ended"] - made["structures"]
            print(f"loop {loops}: {n} kills, {json.dumps({**found, **made})}", flush=True)
    print(
        f"{kills} kills in {loops} loops: {lost} labels lost, {doubled} stored twice, "
        f"{repeated} calculations ended just before a kill could store them and ran again, "
        f"{different} loops with other labels or another model"
    )
    raise SystemExit(bool(lost or doubled or different))


if __name__ == "__main__":
    main()
