"""Salt clusters and pieces of them, labelled with GFN1-xTB: python make_ions.py DIR

Writes train.xyz, test.xyz and scan.xyz (needs `pip install tblite`; half a minute). Every structure
is a closed shell: charge = number of Na - number of Cl, under the key `charge`. Pieces of one to
eight ions run Langevin dynamics, of which snapshots are taken; pairs of them, turned at random,
stand with a stated shortest distance between them (`gap`, A): up to 12 A in the training set, up to
20 A in the test set. Pairs whose self-consistent field does not converge, or beyond 6 A ends in
charges that are not those of ions, within 0.1 e, are left out and counted: a bare Na+ and an anion
far apart want to be neutral atoms. The scan pulls
Na2Cl+ and NaCl2-, both as relaxed, apart along a line.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.io import write
from ase.md.langevin import Langevin
from ase.optimize import BFGS
from ase.units import fs
from tblite.ase import TBLite

BOND = 2.5
PIECES = {
    "Na": [[0, 0, 0]],
    "Cl": [[0, 0, 0]],
    "NaCl": [[0, 0, 0], [1, 0, 0]],
    "Na2Cl": [[-1, 0, 0], [1, 0, 0], [0, 0.1, 0]],
    "NaCl2": [[0, 0.1, 0], [-1, 0, 0], [1, 0, 0]],
    "Na2Cl2": [[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]],
    "Na3Cl2": [[-1, 0.1, 0], [1, 0, 0.1], [0, 1, 0], [-0.1, 0, 0], [0.8, 0.9, 0]],
    "Na2Cl3": [[-0.1, 0, 0], [0.8, 0.9, 0], [-1, 0.1, 0], [1, 0, 0.1], [0, 1, 0]],
}
FORMED, NEUTRALISED = 6.0, 0.1
"""Beyond which gap (A) a piece must have the charge of its ions, and how nearly (e)."""
TEMPERATURE = 700.0
NEAREST, FARTHEST = {"train": 2.4, "test": 2.4}, {"train": 12.0, "test": 20.0}
SNAPSHOTS, PAIRS = {"train": 25, "test": 10}, {"train": 250, "test": 250}


def charge_of(atoms):
    """Of ions, e."""
    return int(np.where(atoms.numbers == 11, 1, -1).sum())


def calculator(atoms):
    """GFN1-xTB at the charge of the ions."""
    return TBLite(method="GFN1-xTB", charge=charge_of(atoms), accuracy=0.1, verbosity=0)


def labelled(atoms, kind, **info):
    """A copy with labels."""
    atoms = Atoms(atoms.numbers, atoms.positions)
    atoms.calc = calculator(atoms)
    atoms.info = {"charge": charge_of(atoms), "config_type": kind, **info}
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


def ionic_pair(a, b, gap, kind):
    """A labelled pair; None where the method does not find the state of two ions."""
    both = Atoms(apart(a, b, gap))
    both.calc = calculator(both)
    try:
        both.get_potential_energy()
    except CalculationFailed:
        return None
    charge = both.calc.results["charges"][: len(a)].sum()
    if gap > FORMED and abs(charge - charge_of(a)) > NEUTRALISED:
        return None
    return labelled(both, kind, gap=gap)


def relaxed(name):
    """A piece at its minimum."""
    if name == "Na4Cl4":
        atoms = Atoms(bulk("NaCl", "rocksalt", a=2 * BOND, cubic=True), pbc=False)
    else:
        atoms = Atoms(name, BOND * np.array(PIECES[name], dtype=float))
    atoms.calc = calculator(atoms)
    if len(atoms) > 1:
        BFGS(atoms, logfile=None).run(fmax=0.02, steps=200)
    return atoms


def snapshots(atoms, n, rng):
    """Some of a run at TEMPERATURE, 20 fs apart."""
    if len(atoms) == 1:
        return [Atoms(atoms.numbers, atoms.positions)]
    atoms = atoms.copy()
    atoms.calc = calculator(atoms)
    run = Langevin(atoms, 2 * fs, temperature_K=TEMPERATURE, friction=0.05, rng=rng)
    run.run(50)
    out = []
    for _ in range(n):
        run.run(10)
        out.append(Atoms(atoms.numbers, atoms.positions))
    return out


def turned(atoms, rng):
    """Turned at random about its centre."""
    atoms = atoms.copy()
    atoms.positions -= atoms.positions.mean(axis=0)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    atoms.positions = atoms.positions @ q
    return atoms


def apart(a, b, gap):
    """Both, the second shifted along x until the shortest distance between them is `gap`."""
    along = b.positions[None, :, 0] - a.positions[:, None, 0]
    beside2 = ((b.positions[None, :, 1:] - a.positions[:, None, 1:]) ** 2).sum(axis=2)
    reach2 = gap**2 - beside2
    shift = (np.sqrt(np.maximum(reach2, 0.0)) - along)[reach2 > 0.0].max()
    b = b.copy()
    b.positions[:, 0] += shift
    return a + b


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    pieces = {name: relaxed(name) for name in (*PIECES, "Na4Cl4")}
    for seed, part in enumerate(("train", "test")):
        rng = np.random.default_rng(seed)
        pool = {name: snapshots(a, SNAPSHOTS[part], rng) for name, a in pieces.items()}
        single = [labelled(a, "piece") for name in pool for a in pool[name]]
        pairs, lost = [], 0
        while len(pairs) < PAIRS[part]:
            a, b = (turned(drawn(pool, rng), rng) for _ in range(2))
            gap = rng.uniform(NEAREST[part], FARTHEST[part])
            if abs(charge_of(a + b)) <= 1:
                pair = ionic_pair(a, b, gap, "pair")
                pairs, lost = (pairs, lost + 1) if pair is None else ([*pairs, pair], lost)
        print(f"{part}: {len(single)} pieces, {len(pairs)} pairs; {lost} pairs left out")
        write(out / f"{part}.xyz", single + pairs, format="extxyz")
    a, b = pieces["Na2Cl"], pieces["NaCl2"]
    gaps = np.linspace(2.6, 20.0, 30)
    scan = [ionic_pair(a, b, gap, "scan") for gap in gaps]
    write(out / "scan.xyz", [a for a in scan if a is not None], format="extxyz")


def drawn(pool, rng):
    """A snapshot of a piece, both at random."""
    snapshots = pool[rng.choice(list(pool))]
    return snapshots[rng.integers(len(snapshots))]


if __name__ == "__main__":
    main()
