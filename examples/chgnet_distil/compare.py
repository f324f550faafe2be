"""What distilling CHGNet gave: python compare.py MODEL.gapy [--json OUT]

Structures that the loop has not seen, labelled by CHGNet: thermal ones of 64 atoms from dynamics of
the model, and odd ones (squeezed, stretched, sheared far, with a vacancy, with two atoms exchanged,
shaken). Force errors of both kinds; which odd structures are flagged, sigma above the threshold of
the loop, and which have a larger error than it; seconds of a force call by size.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from chgnet.model.dynamics import CHGNetCalculator

import gapy

THRESHOLD = 0.05
"""Of the loop, eV/A."""
SIZES = (1, 2, 3)
"""Copies of the cubic cell along each axis whose force calls are timed."""


def cell(n):
    """Rocksalt, n x n x n cubic cells."""
    return bulk("MgO", "rocksalt", a=4.25, cubic=True) * (n, n, n)


def thermal(potential, temperature, n, rng):
    """n structures of a run of the model, 0.15 ps apart after 0.3 ps."""
    atoms = cell(2)
    atoms.calc = potential.calculator()
    atoms.rattle(0.02, rng=rng)
    run = Langevin(
        atoms, 1.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng
    )
    run.run(200)
    out = []
    for _ in range(n):
        run.run(100)
        out.append(atoms.copy())
    return out


def odd(rng):
    """(name, structure) of what no run of the loop shows."""
    scaled = {"squeezed": 0.75, "stretched": 1.35}
    for name, ratio in scaled.items():
        atoms = cell(2)
        atoms.set_cell(atoms.cell * ratio ** (1 / 3), scale_atoms=True)
        yield name, atoms
    sheared = cell(2)
    sheared.set_cell(sheared.cell @ [[1, 0.3, 0], [0, 1, 0], [0, 0, 1]], scale_atoms=True)
    yield "sheared", sheared
    vacancy = cell(2)
    del vacancy[0]
    yield "vacancy", vacancy
    exchanged = cell(2)
    exchanged.numbers[[0, 1]] = exchanged.numbers[[1, 0]]
    yield "exchanged", exchanged
    shaken = cell(2)
    shaken.rattle(0.35, rng=rng)
    yield "shaken", shaken


def seconds(calculator, atoms, calls):
    """Median of a force call between which the atoms move."""
    atoms, found = atoms.copy(), []
    atoms.calc = calculator
    rng = np.random.default_rng(0)
    for _ in range(calls + 1):
        atoms.positions += rng.normal(scale=0.005, size=atoms.positions.shape)
        begin = time.perf_counter()
        atoms.get_forces()
        found.append(time.perf_counter() - begin)
    return median(found[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    potential = gapy.load(options.model)
    reference = CHGNetCalculator(use_device="cpu")
    rng, rows = np.random.default_rng(0), []
    named = [
        *(("300 K", a) for a in thermal(potential, 300, 8, rng)),
        *(("1000 K", a) for a in thermal(potential, 1000, 8, rng)),
        *odd(rng),
    ]
    for name, atoms in named:
        jolted = atoms.copy()
        jolted.rattle(0.03, rng=rng)  # forces that symmetry does not make zero
        out = potential.evaluate(jolted, force_std=True)
        jolted.calc = reference
        error = out.forces - jolted.get_forces()
        rows.append((name, float(np.sqrt(np.mean(error**2))), float(out.forces_std.max())))
    print("| structures | force RMSE, eV/A | largest sigma, eV/A | flagged |\n|---|---|---|---|")
    for name in dict.fromkeys(name for name, *_ in rows):
        of = [row[1:] for row in rows if row[0] == name]
        error, sigma = np.sqrt(np.mean([e**2 for e, _ in of])), np.mean([s for _, s in of])
        flagged = sum(s > THRESHOLD for _, s in of)
        print(f"| {name} | {error:.3f} | {sigma:.3f} | {flagged} of {len(of)} |")
    times = {}
    print("\n| atoms | CHGNet, ms | model, ms | with sigma, ms | faster |\n|---|---|---|---|---|")
    for n in SIZES:
        ours, both = (potential.calculator(uncertainty=u) for u in (False, "cheap"))
        found = [seconds(c, cell(n), k) for c, k in ((reference, 3), (ours, 20), (both, 20))]
        times[8 * n**3] = found
        shown = " | ".join(f"{1e3 * t:.1f}" for t in found)
        print(f"| {8 * n**3} | {shown} | {found[0] / found[1]:.0f} |")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "seconds": times}, indent=2) + "\n")


if __name__ == "__main__":
    main()
