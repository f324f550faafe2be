"""Make the iron structures, each with the signs of its moments: python make_magnetic.py OUT.xyz

bcc iron in cells of two and four atoms, with collinear orders of the moments: all parallel (fm),
alternating from plane to plane (afm), in double planes (double), one of four reversed (ferri).
Every geometry comes with each order that its cell can hold, so that energies of orders can be
compared at the same positions. Fixed seeds as in make_alas.py. Lengths in A. No labels yet.
"""

import argparse

import numpy as np
from ase.build import bulk
from ase.io import write
from make_alas import stream
from shapes import random_strain, rattled, scaled, strained, tag

LATTICE, MOMENT = 2.85, 2.5
"""bcc lattice constant, and the size of the moments that a calculation starts from (Bohr
magnetons)."""
ORDERS = {
    2: {"fm": (1, 1), "afm": (1, -1)},
    4: {
        "fm": (1, 1, 1, 1),
        "afm": (1, -1, 1, -1),
        "double": (1, 1, -1, -1),
        "ferri": (1, 1, 1, -1),
    },
}
VOLUMES = np.linspace(0.94, 1.10, 9)
STRAINED, RATTLED = 9, 9


def cells():
    """bcc cells of 2 and 4 atoms, atoms from plane to plane along z."""
    cubic = bulk("Fe", "bcc", a=LATTICE, cubic=True)
    return {2: cubic, 4: cubic.repeat((1, 1, 2))}


def in_each_order(atoms, group, frames):
    """Append the geometry with each of its orders."""
    for order, signs in ORDERS[len(atoms)].items():
        new = atoms.copy()
        new.set_initial_magnetic_moments(MOMENT * np.array(signs))
        tag(new, f"{order}_{group}", frames)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    args = parser.parse_args()
    frames = []
    for ratio in VOLUMES:
        in_each_order(scaled(cells()[2], ratio), "volume", frames)
    rng = stream("fe_strained")
    for size in np.resize([0.02, 0.06, 0.1], STRAINED):
        new = strained(scaled(cells()[2], rng.uniform(0.96, 1.08)), random_strain(rng, 0.015))
        in_each_order(rattled(new, rng, size), "strained", frames)
    rng = stream("fe_rattled")
    for size in np.resize([0.04, 0.08, 0.12], RATTLED):
        new = strained(scaled(cells()[4], rng.uniform(0.96, 1.08)), random_strain(rng, 0.01))
        in_each_order(rattled(new, rng, size), "rattled", frames)
    write(args.out, frames, format="extxyz")


if __name__ == "__main__":
    main()
