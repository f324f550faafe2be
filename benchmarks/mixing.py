"""Which mixing of densities suits which species: errors on a left-out quarter of each set.

    python benchmarks/mixing.py CASE ... [--channels 2 3 4 8] [--structures N] [--points M]
        [--seed S] [--data DIR]

Cases: `metals` (Cu Ag Au Ni Pd), `cu-au`, `cu-ag-au`, `cu-ni-pd`: random alloys, labels of ASE's
EMT; `molecules`: rattled ones of the G2 set, three or four of H, C, N, O, GFN1-xTB (package
tblite); `alas`: shipped; `ethanol`, `nbmo`: from --data. For each the SOAP without compression,
whose densities are mixed among themselves, and `mu1nu1` with the total density and so many mixed
channels, whole where the number is 0; automatic components otherwise. Noise learnt, zeta 2.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from many_species import ELEMENTS, structures

import gapy
from gapy.descriptors import smooth_soap
from gapy.gp import components

ALLOYS = {
    "metals": ELEMENTS,
    "cu-au": ("Cu", "Au"),
    "cu-ag-au": ("Cu", "Ag", "Au"),
    "cu-ni-pd": ("Cu", "Ni", "Pd"),
}
FILES = {"ethanol": "ethanol/train.xyz", "nbmo": "snap/NbMo_train.xyz"}
LARGEST_FORCE = 25.0
"""eV/A: rattled molecules that are torn apart are left out."""


def molecules(n: int, seed: int):
    """Rattled molecules with labels."""
    from ase.collections import g2
    from tblite.ase import TBLite

    rng, out = np.random.default_rng(seed), []
    names = [name for name in g2.names if set(g2[name].get_chemical_symbols()) <= set("HCNO")]
    names = [s for s in names if len(g2[s]) >= 5 and len(set(g2[s].get_chemical_symbols())) >= 3]
    while len(out) < n:
        atoms = g2[names[int(rng.integers(len(names)))]].copy()
        atoms.set_initial_magnetic_moments(None)
        atoms.rattle(0.03 + 0.07 * rng.random(), rng=rng)
        atoms.calc = TBLite(method="GFN1-xTB", verbosity=0)
        forces = atoms.get_forces()
        if np.abs(forces).max() < LARGEST_FORCE:
            atoms.info["REF_energy"] = atoms.get_potential_energy()
            atoms.arrays["REF_forces"] = forces
            atoms.calc = None
            out.append(atoms)
    return out


def frames_of(case: str, n: int, seed: int, data: Path | None):
    """Labelled frames of a case, in an order by the seed."""
    if case in ALLOYS:
        return structures(ALLOYS[case], n, seed)
    if case == "molecules":
        return molecules(n, seed)
    if case == "alas":
        found = gapy.data.frames("alas", "train")
    elif data is None:
        raise SystemExit(f"{case}: give --data DIR")
    else:
        found = gapy.read_structures(data / FILES[case])
    order = np.random.default_rng(seed).permutation(len(found))[:n]
    return [found[k] for k in order]


def main() -> None:
    """Print a line for each way of each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=[*ALLOYS, "molecules", "alas", *FILES])
    parser.add_argument("--channels", type=int, nargs="*", default=[components.BESIDE_TOTAL])
    parser.add_argument("--structures", type=int, default=160)
    parser.add_argument("--points", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for case in given.cases:
        frames = frames_of(case, given.structures, given.seed, given.data)
        # Free atoms are for the fit, wherever they lie.
        frames.sort(key=lambda s: len(getattr(s, "atoms", s)) == 1)
        last = len(frames) // 4
        train, test = frames[last:], frames[:last]
        atoms = [getattr(s, "atoms", s) for s in frames]
        species = sorted({symbol for a in atoms for symbol in a.get_chemical_symbols()})
        hydrogen = "H" in species
        basis = {"r_cut": 4.5 if hydrogen else 5.0, "n_max": 8, "l_max": 6}
        few = [] if len(species) > 3 else [("off", None)]
        for mode, q in [*few, *(("mu1nu1", q) for q in given.channels)]:
            components.BESIDE_TOTAL = q
            began = time.process_time()
            gp = gapy.SparseGPRegressor(
                smooth_soap(species, **basis, compression={"mode": mode}),
                n_inducing=given.points,
                zeta=2,
                optimize=True,
                n_components="off" if q == 0 else "auto",
            ).fit(train)
            report = gapy.evaluate(gp.potential_, test)
            name = mode if q is None else f"{mode}, {q or 'whole'}"
            print(
                f"{case:10s} {name:14s} {gp.potential_.terms[0].descriptor.n_features:5d} "
                f"components {1e3 * report.total.energy_rmse:7.2f} meV/atom "
                f"{1e3 * report.total.forces_rmse:7.1f} meV/A, rank "
                f"{report.forces_std_spearman:.2f}, {time.process_time() - began:.0f} s CPU",
                flush=True,
            )


if __name__ == "__main__":
    main()
