"""Assemble the shipped file from the stored labels: python assemble.py WORK OUT.xyz

The split depends only on the set of labelled frames, by a fixed rule:
the group ``hot`` is its own split; of every other group about 15 percent go to
``test``, drawn by a random stream named after the group.  Frames on an exact
lattice (no force by symmetry) stay in ``train``: they form series of neighbouring
volumes, so a test frame among them would have near-duplicates in training.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

TEST_FRACTION = 0.15
EXACT_LATTICE_FORCE = 2e-3  # eV/A
LARGEST_NET_FORCE = 0.02  # eV/A, summed over the cell: more means a bad calculation


def checked(frame):
    """Return the frame if its labels are whole and finite, else raise ValueError."""
    forces = frame.arrays["REF_forces"]
    values = np.concatenate([forces.ravel(), frame.info["REF_stress"], [frame.info["REF_energy"]]])
    if not np.isfinite(values).all():
        raise ValueError(f"{frame.info['uid']}: a label is not finite")
    if np.abs(forces.sum(axis=0)).max() > LARGEST_NET_FORCE:
        raise ValueError(f"{frame.info['uid']}: the forces do not sum to zero")
    return frame


def assign_splits(frames):
    """Set info['split'] of every frame; frames must come in a fixed order."""
    groups = {}
    for frame in frames:
        groups.setdefault(frame.info["config_type"], []).append(frame)
    for group, members in groups.items():
        for frame in members:
            frame.info["split"] = "hot" if group == "hot" else "train"
        movable = [f for f in members if np.abs(f.arrays["REF_forces"]).max() > EXACT_LATTICE_FORCE]
        if group == "hot" or not movable:
            continue
        rng = np.random.default_rng(zlib.crc32(group.encode()))
        count = min(len(movable), max(1, round(TEST_FRACTION * len(members))))
        for index in rng.choice(len(movable), size=count, replace=False):
            movable[index].info["split"] = "test"


def trimmed(frame):
    """Return the frame with only the shipped keys, rounded to what the numbers are worth.

    Positions 1e-8 A, forces 1e-6 eV/A, energy 1e-6 eV, stress 1e-8 eV/A^3.
    """
    new = Atoms(frame.symbols, cell=frame.cell, positions=frame.positions, pbc=frame.pbc)
    new.info["config_type"] = frame.info["config_type"]
    new.info["split"] = frame.info["split"]
    new.info["REF_energy"] = round(float(frame.info["REF_energy"]), 6)
    if frame.pbc.any():
        # A lone atom in a box has no stress of its own.
        new.info["REF_stress"] = np.round(frame.info["REF_stress"], 8)
    new.arrays["REF_forces"] = np.round(frame.arrays["REF_forces"], 6)
    return new


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    frames = [checked(read(path)) for path in sorted((args.work / "labels").glob("*.xyz"))]
    # The lone atoms first, then the groups in order.
    frames.sort(key=lambda f: (f.info["config_type"] != "IsolatedAtom", f.info["uid"]))
    assign_splits(frames)
    write(args.out, [trimmed(frame) for frame in frames], format="extxyz")
    counts = {}
    for frame in frames:
        row = counts.setdefault(frame.info["config_type"], {"train": 0, "test": 0, "hot": 0})
        row[frame.info["split"]] += 1
        row.setdefault("atoms", set()).add(len(frame))
    print("| group | frames | atoms | train | test | hot |\n|---|---|---|---|---|---|")
    for group, row in counts.items():
        atoms = ", ".join(str(n) for n in sorted(row["atoms"]))
        total = row["train"] + row["test"] + row["hot"]
        print(f"| {group} | {total} | {atoms} | {row['train']} | {row['test']} | {row['hot']} |")
    print(f"total {len(frames)}")


if __name__ == "__main__":
    main()
