"""Make the AlAs structures: python make_alas.py OUT.xyz

Fixed seeds: one random stream per group, so that a change to one group leaves
the others as they are.  Lengths in A, temperatures in K.  No labels yet.
"""

import argparse
import zlib

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.lattice.compounds import Zincblende
from dynamics import snapshot, stretched
from shapes import closest, random_strain, rattled, scaled, strained, tag, without

LATTICE = 5.62


def stream(group):
    """Return the group's own random generator."""
    return np.random.default_rng([20241, zlib.crc32(group.encode())])


def oriented(size):
    """Return zincblende with axes along [1-10]/2, [110]/2 and [001], four atoms a unit."""
    crystal = Zincblende(
        ["Al", "As"],
        latticeconstant=LATTICE,
        directions=[[1, -1, 0], [1, 1, 0], [0, 0, 1]],
        size=size,
    )
    return Atoms(crystal.symbols, cell=crystal.cell, positions=crystal.positions, pbc=True)


def cells():
    """Return zincblende cells of 8, 12 and 16 atoms, 3.9 A or more along every axis."""
    cubic = bulk("AlAs", "zincblende", a=LATTICE, cubic=True)
    return {8: cubic, 12: oriented((1, 3, 1)), 16: cubic.repeat((2, 1, 1))}


def sampler():
    """Return the stand-in dynamics; like atoms bind 15 percent weaker than unlike ones."""
    return stretched(("Al", "As"), LATTICE, like_weakening=0.85)


def isolated(frames):
    for symbol in ("Al", "As"):
        atom = Atoms(symbol, positions=[[5, 5, 5]], cell=[10, 10, 10], pbc=False)
        tag(atom, "IsolatedAtom", frames)


def zincblende(frames):
    """Zincblende: exact volume scan, random strains, rattled cells."""
    primitive = bulk("AlAs", "zincblende", a=LATTICE)
    for ratio in np.linspace(0.85, 1.2, 11):
        tag(scaled(primitive, ratio), "zincblende_volume", frames)
    rng = stream("zincblende_strain")
    for _ in range(26):
        new = strained(scaled(primitive, rng.uniform(0.9, 1.1)), random_strain(rng, 0.05))
        tag(rattled(new, rng, 0.03), "zincblende_strain", frames)
    rng = stream("zincblende_rattled")
    for size in np.repeat([0.03, 0.07, 0.12, 0.17], 4):
        new = scaled(cells()[8], rng.uniform(0.92, 1.1))
        tag(rattled(new, rng, size), "zincblende_rattled", frames)


def defects(frames):
    """A missing Al or As atom, or one on the other's site, rattled."""
    rng = stream("vacancy")
    for size in np.repeat([0.03, 0.07, 0.11], 2):
        for site in (0, 1):
            new = without(scaled(cells()[8], rng.uniform(0.94, 1.06)), site)
            tag(rattled(new, rng, size), "vacancy", frames)
    rng = stream("antisite")
    for size in np.repeat([0.03, 0.07, 0.11], 2):
        for site, other in ((0, "As"), (1, "Al")):
            new = scaled(cells()[8], rng.uniform(0.94, 1.08))
            if new[site].symbol == other:
                raise ValueError("an antisite atom must differ from the atom it replaces")
            new[site].symbol = other
            tag(rattled(new, rng, size), "antisite", frames)


def surface(frames):
    """The non-polar (110) slab of four layers, eight atoms, with 9 A of vacuum."""
    rng = stream("surface")
    # In the oriented cell the second axis is [110]: make it the third, then open it.
    block = oriented((1, 2, 1))
    order = [2, 0, 1]
    for size in np.repeat([0.02, 0.05, 0.08, 0.12], 3):
        new = Atoms(
            block.symbols,
            cell=np.diag(block.cell.lengths()[order]) * rng.uniform(0.98, 1.02),
            scaled_positions=block.get_scaled_positions(wrap=True)[:, order],
            pbc=(True, True, False),
        )
        new.center(vacuum=4.5, axis=2)
        tag(rattled(new, rng, size), "surface", frames)


def phases(frames):
    """Rocksalt (exact scan of two atoms, rattled eight) and wurtzite (four atoms)."""
    rng = stream("rocksalt")
    for ratio in (0.88, 0.94, 1.0, 1.06, 1.14):
        tag(scaled(bulk("AlAs", "rocksalt", a=5.27), ratio), "rocksalt", frames)
    for size in np.repeat([0.03, 0.07, 0.12], 3):
        large = bulk("AlAs", "rocksalt", a=5.27, cubic=True)
        new = strained(scaled(large, rng.uniform(0.9, 1.12)), random_strain(rng, 0.03))
        tag(rattled(new, rng, size), "rocksalt", frames)
    rng = stream("wurtzite")
    for size in np.repeat([0.03, 0.07, 0.11], 3):
        crystal = bulk("AlAs", "wurtzite", a=LATTICE / 2**0.5, c=LATTICE * (4 / 3) ** 0.5)
        new = strained(scaled(crystal, rng.uniform(0.9, 1.12)), random_strain(rng, 0.03))
        tag(rattled(new, rng, size), "wurtzite", frames)


def thermal(frames):
    """Zincblende at 300 to 1500 K: ends of independent runs, with thermal volume changes."""
    for temperature in (300, 600, 1000, 1500):
        group = f"md_{temperature}"
        rng = stream(group)
        for number in range(15):
            cell = cells()[(8, 12, 8, 8, 16)[number % 5]]
            spread = 0.01 + 0.03 * temperature / 1500
            start = scaled(cell, 1 + 1.5e-5 * temperature + rng.normal(scale=spread))
            start = strained(start, random_strain(rng, 0.004 + 0.012 * temperature / 1500))
            tag(snapshot(start, sampler(), temperature, rng), group, frames)


def hot(frames):
    """Melt-like AlAs at 3000 to 5000 K, no pair closer than 1.8 A; kept out of training."""
    rng = stream("hot")
    count = 0
    while count < 12:
        start = scaled(cells()[8], rng.uniform(0.82, 1.12))
        temperature = rng.uniform(3000, 5000)
        new = snapshot(start, sampler(), temperature, rng, steps=400, timestep=1.0)
        if closest(new) > 1.8:
            tag(new, "hot", frames)
            count += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    args = parser.parse_args()
    frames = []
    for make in (isolated, zincblende, defects, surface, phases, thermal, hot):
        make(frames)
    # A fixed shuffle: whatever is labelled when time runs out is a fair sample.
    first, rest = frames[:2], frames[2:]
    np.random.default_rng(7).shuffle(rest)
    write(args.out, first + rest, format="extxyz")


if __name__ == "__main__":
    main()
