"""How far the grid of the iron set is from finer ones: python check_magnetic.py [--pw ...]

The energy of the antiferromagnetic order above the ferromagnetic one, exact bcc, by the number of
k-points along each axis of the two-atom cell.
"""

import argparse

from dft import single_point
from make_magnetic import MOMENT, ORDERS, cells
from settings import SETTINGS

POINTS = (4, 6, 8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pw", default="pw.x")
    args = parser.parse_args()
    print("| points | afm above fm, meV/atom |\n|---|---|")
    for n in POINTS:
        energy = {}
        for order, signs in ORDERS[2].items():
            atoms = cells()[2]
            atoms.set_initial_magnetic_moments([MOMENT * sign for sign in signs])
            done = single_point(atoms, SETTINGS["fe"], args.pw, grid=(n, n, n))
            energy[order] = done.get_potential_energy() / len(atoms)
        print(f"| {n} | {1e3 * (energy['afm'] - energy['fm']):.0f} |", flush=True)


if __name__ == "__main__":
    main()
