"""How fast the energy falls with the cutoff: python pulay.py alas [--pw ...]

Prints dE/dE_cut (eV per atom and Ry) of the crystal, from central differences at fixed k-points:
what `settings.pulay_stress` takes from `energy_per_cutoff`.
"""

import argparse

from convergence import PHASE_CUTOFFS, crystal
from dft import single_point
from settings import SETTINGS

STEP = 1.0
"""Of the cutoff, Ry."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(PHASE_CUTOFFS))
    parser.add_argument("--pw", default="pw.x")
    args = parser.parse_args()
    settings, atoms = SETTINGS[args.name], crystal(args.name)
    low, high = (
        single_point(atoms, {**settings, "ecutwfc": settings["ecutwfc"] + sign * STEP}, args.pw)
        for sign in (-1, 1)
    )
    slope = (high.get_potential_energy() - low.get_potential_energy()) / (2 * STEP * len(atoms))
    print(f"{args.name}: dE/dE_cut {slope:.5f} eV per atom and Ry at {settings['ecutwfc']:g} Ry")


if __name__ == "__main__":
    main()
