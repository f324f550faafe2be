"""Label structures with pw.x: resumable, several single-core workers.

    python label.py si structures.xyz WORK --workers 2 [--pw "nice -n 15 pw.x"]

Every frame of the input has a unique info key ``uid``.  A finished label is
stored at once as WORK/labels/<uid>.xyz; a frame that crashed or did not
converge is written to WORK/failed.log with the reason and never gets a label.
Frames with a label are skipped, so the command may be stopped and started again.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ase.io import read, write
from dft import BadLabel, single_point
from settings import SETTINGS


def store(labelled, path):
    """Write the labels under the REF_ keys, first beside the path, then in place."""
    frame = labelled.copy()
    results = labelled.calc.results
    frame.info["REF_energy"] = results["energy"]
    frame.info["REF_stress"] = results["stress"]
    frame.arrays["REF_forces"] = results["forces"]
    if "magmoms" in results:
        frame.arrays["REF_magmoms"] = results["magmoms"]
    half_written = path.with_suffix(".part")
    write(half_written, frame, format="extxyz")
    os.replace(half_written, path)


def label_one(frame, name, work, pw, pseudo_dir):
    """Label one frame unless it is done already; log how long it took or why it failed."""
    uid = frame.info["uid"]
    path = work / "labels" / f"{uid}.xyz"
    if path.exists():
        return
    start = time.time()
    try:
        store(single_point(frame, SETTINGS[name], pw, pseudo_dir), path)
        log, message = "done.log", f"{time.time() - start:.1f} s"
    except BadLabel as error:
        log, message = "failed.log", str(error)
    with open(work / log, "a") as out:
        out.write(f"{uid} {len(frame)} {message}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(SETTINGS))
    parser.add_argument("structures", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pw", default="pw.x")
    parser.add_argument("--pseudo-dir", help="default: $ESPRESSO_PSEUDO")
    args = parser.parse_args()
    (args.work / "labels").mkdir(parents=True, exist_ok=True)
    frames = read(args.structures, ":")
    # Threads are enough: each one only waits for its own pw.x process.
    with ThreadPoolExecutor(args.workers) as pool:
        jobs = [
            pool.submit(label_one, frame, args.name, args.work, args.pw, args.pseudo_dir)
            for frame in frames
        ]
        for job in jobs:
            job.result()


if __name__ == "__main__":
    main()
