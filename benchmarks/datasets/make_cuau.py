"""Copper-gold labelled by pw.x: random fcc alloys of four atoms, for `delta.py cuau-dft`.

    ESPRESSO_PSEUDO=/usr/share/espresso/pseudo python make_cuau.py DIR [--n 130] [--pw "nice pw.x"]

LDA with the ultrasoft pseudopotentials that come with Quantum ESPRESSO, 25 Ry, 3 x 3 x 3 k-points
off Gamma in every cell: coarse, but the same for all, so that forces are derivatives of one energy.
Any composition; strains of 2 %, displacements of 0.05 to 0.15 A. It goes on where DIR/cuau.xyz
ends.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io import read, write
from dft import BadLabel, single_point

SETTINGS = {
    "pseudopotentials": {"Cu": "Cu.pz-d-rrkjus.UPF", "Au": "Au.pz-rrkjus_aewfc.UPF"},
    "ecutwfc": 25.0,
    "ecutrho": 200.0,
    "degauss": 0.03,
}
GRID = (3, 3, 3)
COPPER, GOLD = 3.57, 4.06
"""Lattice constants between which those of the alloys lie, A."""


def alloy(k: int):
    """Structure k, the same in every run."""
    rng = np.random.default_rng(k)
    gold = rng.uniform()
    atoms = bulk("Cu", cubic=True, a=COPPER + (GOLD - COPPER) * gold)
    atoms.symbols = np.where(rng.uniform(size=len(atoms)) < gold, "Au", "Cu")
    change = rng.normal(scale=0.02, size=(3, 3))
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.5 * (change + change.T)), scale_atoms=True)
    atoms.rattle(rng.uniform(0.05, 0.15), rng=rng)
    return atoms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--n", type=int, default=130)
    parser.add_argument("--pw", default="pw.x")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    file = options.directory / "cuau.xyz"
    begun = read(file, index=":") if file.exists() else []
    for k in range(begun[-1].info["number"] + 1 if begun else 0, options.n):
        atoms = alloy(k)
        try:
            done = single_point(atoms, SETTINGS, options.pw, grid=GRID, shift=(1, 1, 1))
        except BadLabel as error:
            print(f"{k}: left out: {error}")
            continue
        atoms.info.update(
            number=k, REF_energy=done.get_potential_energy(), REF_stress=done.get_stress()
        )
        atoms.arrays["REF_forces"] = done.get_forces()
        write(file, atoms, format="extxyz", append=True)


if __name__ == "__main__":
    main()
