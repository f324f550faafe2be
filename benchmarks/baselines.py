"""Dispersion and charges: their cost beside a force call, and the jump of a sharp end.

    OMP_NUM_THREADS=1 python benchmarks/baselines.py [--atoms 32 108 256] [--d4-atoms 4 32]
        [--json OUT]

Cost: CPU time of a call on rattled copper, median over steps between which the atoms move; the
model beside it is a SOAP of cutoff 5 A, n_max 8 and l_max 6 with 500 points, fitted here to labels
of ASE's EMT. D4 has fewer atoms to look at, for it takes long in crystals. The charges of
copper are made up, in a background, and take the time of any. Jump: fcc argon is expanded until
shells of neighbours cross the ends of pairs and triples, in steps so small that a smooth energy has
no visible second difference; the largest one found is the jump, with the smooth end of gapy and
with the sharp one of the libraries.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

import gapy
from gapy.baselines import ChargeEquilibration, Coulomb, Dispersion, baseline_of
from gapy.descriptors import smooth_soap

BASELINES = {
    "coulomb": Coulomb({"Cu": 0.1}, background=True),
    "coulomb, sigma 0.5 A": Coulomb({"Cu": 0.1}, sigma=0.5, background=True),
    "qeq": ChargeEquilibration({"Cu": 4.5}, {"Cu": 12.0}, sigma={"Cu": 1.0}, background=True),
    "d3bj": Dispersion(),
    "d4": Dispersion("d4"),
}
STEPS = 7
STEP = 1e-5
"""Of the lattice constant of argon, A."""


def copper(n_atoms: int, rng, spread=0.1):
    """A rattled crystal of about so many atoms."""
    if n_atoms < 32:
        atoms = bulk("Cu", cubic=True)
    else:
        atoms = bulk("Cu", cubic=True).repeat(round((n_atoms / 4) ** (1 / 3)))
    atoms.positions += rng.normal(scale=spread, size=(len(atoms), 3))
    return atoms


def model():
    """A model of copper without dispersion."""
    rng, frames = np.random.default_rng(0), []
    for _ in range(20):
        atoms = copper(32, rng)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    soap = smooth_soap(["Cu"], r_cut=5.0, n_max=8, l_max=6)
    gp = gapy.SparseGPRegressor(soap, n_inducing=500, zeta=2, n_components="off", baselines=())
    return gp.fit(frames).potential_


def seconds(call, atoms, rng, steps=STEPS) -> float:
    """CPU time of a call after the first, s."""
    call(atoms)
    found = []
    for _ in range(steps):
        atoms.positions += rng.normal(scale=0.01, size=atoms.positions.shape)
        begin = time.process_time()
        call(atoms)
        found.append(time.process_time() - begin)
    return median(found)


def jump(energy_of) -> float:
    """Largest second difference of the energy along an expansion, eV/atom."""
    a = 5.2868 + STEP * np.arange(1000)
    energies = [energy_of(bulk("Ar", a=x)) for x in a]
    return float(np.abs(np.diff(energies, 2)).max())


def of_library(method: str):
    """The calculator of the library, with its sharp end."""
    if method == "d4":
        from dftd4.ase import DFTD4

        return DFTD4(method="pbe")
    from dftd3.ase import DFTD3

    return DFTD3(method="pbe", damping="d3bj")


def sharp(method: str):
    """Energy of the library's calculator."""
    calculator = of_library(method)

    def energy(atoms):
        atoms.calc = calculator
        return atoms.get_potential_energy()

    return energy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, nargs="*", default=[32, 108, 256])
    parser.add_argument("--d4-atoms", type=int, nargs="*", default=[4, 32])
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    potential, out = model(), {"cost": [], "jump": {}}
    print("| method | atoms | ms/atom | of a force call |\n|---|---|---|---|")
    for method, baseline in BASELINES.items():
        for n in options.d4_atoms if method == "d4" else options.atoms:
            rng = np.random.default_rng(n)
            atoms = copper(n, rng)
            steps = 3 if method == "d4" else STEPS
            own = seconds(lambda a, b=baseline: baseline_of(a, [b]), atoms, rng, steps)
            call = seconds(potential.evaluate, atoms, rng)
            row = {"method": method, "atoms": len(atoms), "s": own, "force_call_s": call}
            out["cost"].append(row)
            print(f"| {method} | {len(atoms)} | {1e3 * own / len(atoms):.3f} | {own / call:.2f} |")
    d3 = BASELINES["d3bj"]
    out["jump"] = {
        "smooth": jump(lambda a: baseline_of(a, [d3]).energy),
        "sharp": jump(sharp("d3bj")),
    }
    print(
        "jump of d3bj, meV/atom: " + ", ".join(f"{k} {1e3 * v:.1e}" for k, v in out["jump"].items())
    )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(out, file, indent=2)


if __name__ == "__main__":
    main()
