"""Print the convergence tables of one data set: python convergence.py si [--pw ...]

1. cutoff: a rattled 8-atom crystal at k-point spacing 0.39/A; differences from 40 Ry.
2. grid and smearing: the rattled crystal, and for silicon a rattled fcc cell, at 16 Ry
   (the error of a grid does not depend on the cutoff); differences from the first row.
3. phases: the energy of a metallic phase above the crystal, both exact cells, against
   cutoff and spacing.
"""

import argparse

import numpy as np
from ase import Atoms
from ase.build import bulk
from dft import single_point
from settings import SETTINGS
from shapes import scaled, strained

GPA = 160.21766  # 1 eV/A^3 in GPa
CUTOFFS = (18, 20, 22, 24, 26, 28, 32, 40)  # Ry
# (points along each axis, shifted by half a step?)
CRYSTAL_GRIDS = ((6, False), (4, False), (3, False), (4, True), (3, True), (2, True))
METAL_GRIDS = ((9, False), (6, False), (5, False), (4, False), (6, True), (5, True), (4, True))
PHASE_CUTOFFS = {"si": (20, 24, 32), "alas": (18, 22, 30)}  # Ry
PHASE_SPACINGS = {"si": (0.38, 0.25), "alas": (0.46, 0.3)}  # 1/A
SHEAR = np.array([[0.01, 0.02, 0.0], [0.02, -0.01, 0.01], [0.0, 0.01, 0.02]])


def crystal(name):
    """Return the exact primitive cell."""
    return bulk("Si", "diamond", a=5.39) if name == "si" else bulk("AlAs", "zincblende", a=5.62)


def rattled_crystal(name):
    """Return 8 atoms with displacements of 0.05 A."""
    structure, lattice = ("diamond", 5.43) if name == "si" else ("zincblende", 5.66)
    atoms = bulk("Si" if name == "si" else "AlAs", structure, a=lattice, cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def metallic_phase(name):
    """Return beta-tin silicon (4 atoms) or rocksalt AlAs (2 atoms), exact."""
    if name == "alas":
        return bulk("AlAs", "rocksalt", a=5.27)
    edge = (4 * 15.2 / 0.55) ** (1 / 3)
    sites = [[0, 0, 0], [0.5, 0, 0.25], [0.5, 0.5, 0.5], [0, 0.5, 0.75]]
    return Atoms("Si4", scaled_positions=sites, cell=edge * np.array([1, 1, 0.55]), pbc=True)


def sheared(name):
    """Return the primitive cell, sheared and with one atom moved off its site."""
    probe = strained(scaled(crystal(name), 1.04), SHEAR)
    probe.positions[1] += [0.10, -0.05, 0.07]
    return probe


def compare(label, labelled, reference):
    """Print one row: differences in energy, forces (rms) and stress (largest)."""
    energy = (labelled.get_potential_energy() - reference.get_potential_energy()) / len(labelled)
    forces = np.sqrt(((labelled.get_forces() - reference.get_forces()) ** 2).mean())
    stress = np.abs(labelled.get_stress() - reference.get_stress()).max() * GPA
    print(f"| {label} | {1e3 * energy:.1f} | {forces:.4f} | {stress:.2f} |", flush=True)


def cutoffs(name, pw):
    """Print the rattled crystal's convergence with the cutoff."""
    print("| cutoff, Ry | energy, meV/atom | forces, eV/A | stress, GPa |\n|---|---|---|---|")
    probe = rattled_crystal(name)
    # The stress as pw.x prints it: the Pulay part of the settings is that of their cutoff.
    settings = {**SETTINGS[name], "dk": 0.39, "energy_per_cutoff": 0.0}
    results = [single_point(probe, {**settings, "ecutwfc": cutoff}, pw) for cutoff in CUTOFFS]
    for cutoff, result in zip(CUTOFFS, results):
        compare(cutoff, result, results[-1])


def grids(atoms, name, pw, choices):
    """Print the convergence of atoms with grid, shift and smearing; first row the reference."""
    print("| grid | energy, meV/atom | forces, eV/A | stress, GPa |\n|---|---|---|---|")
    reference = None
    for smearing in (0.01, 0.02):
        for points, shift in choices:
            settings = {**SETTINGS[name], "ecutwfc": 16.0, "degauss": smearing}
            result = single_point(atoms, settings, pw, grid=(points,) * 3, shift=(int(shift),) * 3)
            reference = reference or result
            label = f"{points}x{points}x{points}{' shifted' if shift else ''}, {smearing} Ry"
            compare(label, result, reference)


def phases(name, pw):
    """Print the energy difference of the two phases against cutoff and spacing."""
    print("| cutoff, Ry | spacing, 1/A | phase difference, meV/atom |\n|---|---|---|")
    production = SETTINGS[name]
    rows = [(cutoff, production["dk"]) for cutoff in PHASE_CUTOFFS[name]]
    rows += [(production["ecutwfc"], spacing) for spacing in PHASE_SPACINGS[name]]
    for cutoff, spacing in rows:
        settings = {**production, "ecutwfc": cutoff, "dk": spacing, "grids": {}}
        low, high = (
            single_point(atoms, settings, pw).get_potential_energy() / len(atoms)
            for atoms in (crystal(name), metallic_phase(name))
        )
        print(f"| {cutoff:g} | {spacing:g} | {1e3 * (high - low):.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(PHASE_CUTOFFS))
    parser.add_argument("--pw", default="pw.x")
    parser.add_argument("--only-phases", action="store_true")
    args = parser.parse_args()
    phases(args.name, args.pw)
    if args.only_phases:
        return
    cutoffs(args.name, args.pw)
    grids(rattled_crystal(args.name), args.name, args.pw, CRYSTAL_GRIDS)
    if args.name == "si":
        metal = bulk("Si", "fcc", a=3.85, cubic=True)
        metal.rattle(0.05, seed=1)
        grids(metal, args.name, args.pw, METAL_GRIDS)


if __name__ == "__main__":
    main()
