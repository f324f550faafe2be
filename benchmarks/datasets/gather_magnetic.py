"""The shipped iron set from the stored labels: python gather_magnetic.py WORK OUT.xyz

Every frame has its labels, `magmom_sign`, the moments at the end of the calculation as
`REF_magmoms`, its order and group as `config_type` (fm_volume, ...) and the number of its
`geometry`: frames of one group and one number are the same positions with other orders.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write
from assemble import checked


def trimmed(frame):
    """The frame with what is shipped alone, rounded as in assemble.py."""
    new = Atoms(frame.symbols, cell=frame.cell, positions=frame.positions, pbc=True)
    new.info["config_type"] = frame.info["config_type"]
    new.info["geometry"] = int(frame.info["uid"][-3:])
    new.info["REF_energy"] = round(float(frame.info["REF_energy"]), 6)
    new.info["REF_stress"] = np.round(frame.info["REF_stress"], 8)
    new.arrays["magmom_sign"] = np.sign(frame.arrays["initial_magmoms"]).astype(int)
    new.arrays["REF_forces"] = np.round(frame.arrays["REF_forces"], 6)
    new.arrays["REF_magmoms"] = np.round(frame.arrays["REF_magmoms"], 3)
    return new


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    paths = sorted((args.work / "labels").glob("*.xyz"))
    write(args.out, [trimmed(checked(read(path))) for path in paths], format="extxyz")
    print(f"{len(paths)} frames")


if __name__ == "__main__":
    main()
