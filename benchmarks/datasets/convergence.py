"""Print the convergence table of one data set: python convergence.py si [--pw ...]

Two probes: a sheared crystal cell with one atom moved off its site (energy, forces,
stress) and an exact cell of a metallic phase (the energy difference of the phases).
The cutoff is varied at the production k-point spacing, and the spacing at the
production cutoff.  Every row gives differences from the last row of its block.
"""

import argparse

import numpy as np
from ase import Atoms
from ase.build import bulk
from dft import single_point
from settings import SETTINGS
from shapes import scaled, strained

CUTOFFS = {"si": (16, 20, 24, 30, 38), "alas": (16, 18, 22, 28, 36)}  # Ry
SPACINGS = {"si": (0.5, 0.38, 0.31, 0.23), "alas": (0.6, 0.46, 0.38, 0.28)}  # 1/A
SHEAR = np.array([[0.01, 0.02, 0.0], [0.02, -0.01, 0.01], [0.0, 0.01, 0.02]])
GPA = 160.21766  # 1 eV/A^3 in GPa


def probes(name):
    """Return the crystal probe, its undistorted cell and a cell of the metallic phase."""
    if name == "si":
        crystal = bulk("Si", "diamond", a=5.39)
        edge = (4 * 15.2 / 0.55) ** (1 / 3)
        metal = Atoms(
            "Si4",
            scaled_positions=[[0, 0, 0], [0.5, 0, 0.25], [0.5, 0.5, 0.5], [0, 0.5, 0.75]],
            cell=edge * np.array([1, 1, 0.55]),
            pbc=True,
        )
    else:
        crystal, metal = bulk("AlAs", "zincblende", a=5.62), bulk("AlAs", "rocksalt", a=5.27)
    probe = strained(scaled(crystal, 1.04), SHEAR)
    probe.positions[1] += [0.10, -0.05, 0.07]
    return probe, crystal, metal


def measure(name, pw, **changed):
    """Return energy (eV/atom), forces (eV/A), stress (GPa) and phase difference (eV/atom)."""
    settings = {**SETTINGS[name], **changed}
    probe, crystal, metal = (single_point(a, settings, pw) for a in probes(name))
    per_atom = [a.get_potential_energy() / len(a) for a in (probe, crystal, metal)]
    return per_atom[0], probe.get_forces(), probe.get_stress() * GPA, per_atom[2] - per_atom[1]


def block(name, pw, key, values):
    """Print one block of the table, ``key`` being varied over ``values``."""
    results = [measure(name, pw, **{key: value}) for value in values]
    energy, forces, stress, _ = results[-1]
    for value, (e, f, s, p) in zip(values, results):
        print(
            f"| {key} {value:g} | {1e3 * (e - energy):.1f} | {np.abs(f - forces).max():.4f} "
            f"| {np.abs(s - stress).max():.2f} | {1e3 * p:.1f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(SETTINGS))
    parser.add_argument("--pw", default="pw.x")
    args = parser.parse_args()
    print(
        "| setting | energy, meV/atom | largest force change, eV/A | stress, GPa "
        "| phase difference, meV/atom |\n|---|---|---|---|---|"
    )
    block(args.name, args.pw, "ecutwfc", CUTOFFS[args.name])
    block(args.name, args.pw, "dk", SPACINGS[args.name])


if __name__ == "__main__":
    main()
