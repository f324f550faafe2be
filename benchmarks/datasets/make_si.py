"""Make the silicon structures: python make_si.py OUT.xyz [--without-dynamics | --only-dynamics]

Fixed seeds: one random stream per group, so that a change to one group leaves
the others as they are.  Lengths in A, temperatures in K.  No labels yet.
"""

import argparse
import zlib

import numpy as np
from ase import Atoms
from ase.build import bulk, diamond100, diamond111
from ase.io import write
from ase.lattice.cubic import Diamond
from dynamics import silicon, snapshot
from shapes import closest, random_strain, rattled, scaled, strained, tag, without

LATTICE = 5.39


def stream(group):
    """Return the group's own random generator."""
    return np.random.default_rng([20240, zlib.crc32(group.encode())])


def cells():
    """Return diamond cells of 8, 12 and 16 atoms, 3.8 A or more along every axis."""
    cubic = bulk("Si", "diamond", a=LATTICE, cubic=True)
    twelve = Diamond(
        "Si", latticeconstant=LATTICE, directions=[[1, -1, 0], [1, 1, 0], [0, 0, 1]], size=(1, 3, 1)
    )
    twelve = Atoms(twelve.symbols, cell=twelve.cell, positions=twelve.positions, pbc=True)
    return {8: cubic, 12: twelve, 16: cubic.repeat((2, 1, 1))}


def isolated(frames):
    tag(Atoms("Si", positions=[[5, 5, 5]], cell=[10, 10, 10], pbc=False), "IsolatedAtom", frames)


def diamond(frames):
    """Diamond: exact volume scan, random strains, uniaxial strains, rattled cells."""
    primitive = bulk("Si", "diamond", a=LATTICE)
    for ratio in np.linspace(0.85, 1.2, 15):
        tag(scaled(primitive, ratio), "diamond_volume", frames)
    rng = stream("diamond_strain")
    for _ in range(44):
        new = strained(scaled(primitive, rng.uniform(0.9, 1.1)), random_strain(rng, 0.05))
        tag(rattled(new, rng, 0.03), "diamond_strain", frames)
    rng = stream("diamond_rattled")
    for size in np.repeat([0.03, 0.07, 0.11, 0.15, 0.19], 5):
        new = scaled(cells()[8], rng.uniform(0.92, 1.1))
        tag(rattled(new, rng, size), "diamond_rattled", frames)


def vacancy(frames):
    """One atom out of 8 or 16, rattled, at volumes near the crystal's."""
    rng = stream("vacancy")
    for natoms in (8, 16):
        for size in np.repeat([0.03, 0.08, 0.13], 5):
            new = without(scaled(cells()[natoms], rng.uniform(0.93, 1.06)), 0)
            tag(rattled(new, rng, size), "vacancy", frames)


def interstitial(frames):
    """One extra atom on the tetrahedral site of the 8-atom cell, rattled."""
    rng = stream("interstitial")
    for size in np.repeat([0.03, 0.07, 0.11], 2):
        new = scaled(cells()[8], rng.uniform(0.98, 1.1))
        new += Atoms("Si", positions=[new.cell.lengths() / 2])
        tag(rattled(new, rng, size), "interstitial", frames)


def surface(frames):
    """Unreconstructed (100) and (111) slabs of 6 and 8 layers with 9 A of vacuum."""
    rng = stream("surface")
    for build, layers in ((diamond100, 8), (diamond111, 8), (diamond100, 6), (diamond111, 6)):
        for size in (0.02, 0.05, 0.08, 0.11, 0.14):
            new = build("Si", (1, 1, layers), a=LATTICE * rng.uniform(0.98, 1.02), vacuum=4.5)
            new.pbc = (True, True, False)
            new = Atoms(new.symbols, cell=new.cell, positions=new.positions, pbc=new.pbc)
            tag(rattled(new, rng, size), "surface", frames)


def phases(frames):
    """Other phases: an exact volume scan of the small cell, then rattled larger cells.

    Volumes per atom in A^3 lie around each phase's own LDA volume.
    """
    c_over_a = 0.55
    tin_edge = (4 * 15.2 / c_over_a) ** (1 / 3)
    tin = Atoms(
        "Si4",
        scaled_positions=[[0, 0, 0], [0.5, 0, 0.25], [0.5, 0.5, 0.5], [0, 0.5, 0.75]],
        cell=tin_edge * np.array([1, 1, c_over_a]),
        pbc=True,
    )
    small_and_large = {
        "beta_tin": (tin, tin.repeat((1, 1, 2))),
        "sc": (bulk("Si", "sc", a=15.8 ** (1 / 3)), bulk("Si", "sc", a=15.8 ** (1 / 3)).repeat(2)),
        "fcc": (bulk("Si", "fcc", a=3.84), bulk("Si", "fcc", a=3.84, cubic=True)),
        "bcc": (bulk("Si", "bcc", a=3.07), bulk("Si", "bcc", a=3.07, cubic=True).repeat((1, 1, 2))),
    }
    for group, (small, large) in small_and_large.items():
        rng = stream(group)
        for ratio in (0.85, 0.92, 0.96, 1.0, 1.05, 1.1, 1.18):
            tag(scaled(small, ratio), group, frames)
        for size in np.repeat([0.03, 0.08, 0.13], 4 if group == "beta_tin" else 2):
            new = strained(scaled(large, rng.uniform(0.9, 1.12)), random_strain(rng, 0.03))
            tag(rattled(new, rng, size), group, frames)


def hexagonal_diamond(frames):
    """Lonsdaleite, four atoms, strained and rattled."""
    rng = stream("hex_diamond")
    crystal = bulk("SiC", "wurtzite", a=LATTICE / 2**0.5, c=LATTICE * (4 / 3) ** 0.5)
    crystal.symbols[:] = "Si"  # the builder wants two species
    for size in np.tile(np.repeat([0.03, 0.07, 0.11, 0.15], 3), 2):
        new = strained(scaled(crystal, rng.uniform(0.9, 1.1)), random_strain(rng, 0.03))
        tag(rattled(new, rng, size), "hex_diamond", frames)


def thermal(frames):
    """Diamond at 100 to 1500 K: ends of independent runs, with thermal volume changes."""
    for temperature in (100, 300, 600, 900, 1200, 1500):
        group = f"md_{temperature}"
        rng = stream(group)
        for number in range(21):
            cell = cells()[(8, 12, 8, 16, 8, 12, 8)[number % 7]]
            spread = 0.01 + 0.03 * temperature / 1500
            start = scaled(cell, 1 + 1e-5 * temperature + rng.normal(scale=spread))
            start = strained(start, random_strain(rng, 0.004 + 0.012 * temperature / 1500))
            tag(snapshot(start, silicon(), temperature, rng), group, frames)


def hot(frames):
    """Molten silicon at 3000 to 5000 K and several densities, no pair closer than 1.7 A.

    Kept out of training, to show what a model does far from its data.
    """
    rng = stream("hot")
    count = 0
    while count < 25:
        cell = cells()[(8, 12, 8, 16, 8)[count % 5]]
        start = scaled(cell, rng.uniform(0.8, 1.15))
        temperature = rng.uniform(3000, 5000)
        new = snapshot(start, silicon(), temperature, rng, steps=500, timestep=1.0)
        if closest(new) > 1.7:
            tag(new, "hot", frames)
            count += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--without-dynamics", action="store_true")
    parser.add_argument("--only-dynamics", action="store_true")
    args = parser.parse_args()
    frames = []
    if not args.only_dynamics:
        for make in (isolated, diamond, vacancy, interstitial, surface, phases, hexagonal_diamond):
            make(frames)
    if not args.without_dynamics:
        for make in (thermal, hot):
            make(frames)
    # A fixed shuffle: whatever is labelled when time runs out is a fair sample.
    first, rest = frames[:1], frames[1:]
    np.random.default_rng(7).shuffle(rest)
    write(args.out, first + rest, format="extxyz")


if __name__ == "__main__":
    main()
