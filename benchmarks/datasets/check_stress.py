"""Compare the stress with energy differences: python check_stress.py si [--pw ...]

A sheared crystal cell is strained by +-0.5 percent in two ways and labelled with the
production settings.  At a fixed cutoff the number of plane waves follows the cell, so
the two differ by the Pulay stress, a pressure that shrinks with a higher cutoff.
"""

import argparse

import numpy as np
from convergence import GPA, PHASE_CUTOFFS, sheared
from dft import single_point
from settings import SETTINGS, kpoints
from shapes import strained

STEP = 0.005
MODES = {
    "volume (mean of xx, yy, zz)": np.eye(3),
    "shear xy": np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(PHASE_CUTOFFS))
    parser.add_argument("--pw", default="pw.x")
    args = parser.parse_args()
    settings = SETTINGS[args.name]
    probe = sheared(args.name)
    stress = single_point(probe, settings, args.pw).get_stress(voigt=False)
    for label, mode in MODES.items():
        energies = []
        for sign in (-1, 1):
            moved = strained(probe, sign * STEP * mode)
            if kpoints(settings, moved) != kpoints(settings, probe):
                raise ValueError("the k grid changed with the strain; pick another probe")
            energies.append(single_point(moved, settings, args.pw).get_potential_energy())
        slope = (energies[1] - energies[0]) / (2 * STEP) / probe.get_volume()
        given = (stress * mode).sum()
        if label.startswith("volume"):
            slope, given = slope / 3, given / 3
        print(f"{label}: dE/dstrain {slope * GPA:.3f} GPa, stress {given * GPA:.3f} GPa")


if __name__ == "__main__":
    main()
