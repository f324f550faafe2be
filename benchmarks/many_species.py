"""What species cost: force calls and errors of a five-element alloy and of one element, same basis.

    python benchmarks/many_species.py [--structures 200] [--points 400] [--json OUT.json]

Rattled and strained fcc cells of 32 atoms with random species and labels of ASE's EMT (Cu Ag Au Ni
Pd), four fifths for the fit and one for the test. For each way to make the kernel: errors, time of
the fit, and CPU time of a force call on 256 atoms as a multiple of that of one element (copper),
least of several. Ways: components of the uncompressed descriptor; dscribe's compression mu1nu1,
whole (as `gapy fit` chooses it) or with components; nothing compressed.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

import gapy
from gapy.descriptors import smooth_soap

ELEMENTS = ("Cu", "Ag", "Au", "Ni", "Pd")
LATTICE = {"Cu": 3.6, "Ag": 4.1, "Au": 4.1, "Ni": 3.5, "Pd": 3.9}
BASIS = {"r_cut": 5.0, "n_max": 8, "l_max": 6}
WAYS = {
    "components": ("off", "auto"),
    "mixed with the total": ("mu1nu1", "auto"),
    "mu1nu1": ("mu1nu1", "off"),
    "mu1nu1, 256 components": ("mu1nu1", 256),
    "mu1nu1, 128 components": ("mu1nu1", 128),
    "nothing compressed": ("off", "off"),
}


def structures(elements, n: int, seed: int):
    """Labelled cells of 32 atoms, species at random, near the mean lattice constant."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat((2, 2, 2))
        atoms.symbols = rng.choice(elements, len(atoms))
        mean = np.mean([LATTICE[s] for s in atoms.symbols])
        strain = np.eye(3) + 0.02 * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array * mean / 3.6 @ strain, scale_atoms=True)
        atoms.rattle(0.08 + 0.1 * rng.random(), rng=rng)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        out.append(atoms)
    return out


def cpu(function, repeats: int = 7) -> float:
    function()
    found = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        found.append(time.process_time() - began)
    return min(found)


def measure(elements, compression: str, components, n: int, points: int) -> dict:
    frames = structures(elements, n, seed=1)
    train, test = frames[: 4 * n // 5], frames[4 * n // 5 :]
    soap = smooth_soap(elements, **BASIS, compression={"mode": compression})
    began = time.process_time()
    gp = gapy.SparseGPRegressor(
        soap, n_inducing=points, zeta=2, optimize=True, n_components=components
    ).fit(train)
    fit = time.process_time() - began
    potential = gp.potential_
    errors = gapy.evaluate(potential, test).total
    large = test[0].repeat((2, 2, 2))
    found = potential.neighbourhood(large)
    call = cpu(lambda: potential.evaluate(large, neighbourhood=found)) / len(large)
    return {
        "features": potential.terms[0].descriptor.n_features,
        "fit_cpu_s": fit,
        "us_per_atom": 1e6 * call,
        "energy_meV": 1e3 * errors.energy_rmse,
        "forces_meV": 1e3 * errors.forces_rmse,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structures", type=int, default=200)
    parser.add_argument("--points", type=int, default=400)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--json")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    of = (given.structures, given.points)
    out = {"one element": measure(("Cu",), "off", "auto", *of)}
    for way in given.ways:
        out[way] = measure(ELEMENTS, *WAYS[way], *of)
    one = out["one element"]["us_per_atom"]
    for way, r in out.items():
        r["ratio"] = r["us_per_atom"] / one
        print(
            f"{way:22s} {r['features']:5d} components, fit {r['fit_cpu_s']:6.1f} s CPU, "
            f"{r['us_per_atom']:7.1f} us/atom ({r['ratio']:5.2f}x), "
            f"{r['energy_meV']:6.2f} meV/atom, {r['forces_meV']:6.1f} meV/A",
            flush=True,
        )
    if given.json:
        with open(given.json, "w") as file:
            json.dump(out, file, indent=1)


if __name__ == "__main__":
    main()
