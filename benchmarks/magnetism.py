"""What the signs of moments are worth on iron: errors with and without them, energies of orders.

    OMP_NUM_THREADS=1 python benchmarks/magnetism.py [--data fe.xyz] [--seeds 3] [--json OUT]

The set is datasets/fe.xyz (datasets/make_magnetic.py): bcc iron with ferro- and antiferromagnetic
orders, spin-polarised PBE. Every third geometry, with all its orders, is left out and judges.
The difference of two orders is taken at the same positions, and that of the labels is what it
should be. Both models have the same settings; inducing points are drawn with each seed.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from ase.io import read

import gapy
from gapy.descriptors import MagneticSOAP, smooth_soap
from gapy.structures import StructureWarning

DATA = Path(__file__).parent / "datasets/fe.xyz"
EVERY, R_CUT = 3, 4.5
NAMES = ("SOAP", "magnetic SOAP")


def parts(frames) -> tuple[list, list]:
    """Training and test frames: a geometry is in one of them with all its orders."""
    test = [atoms.info["geometry"] % EVERY == 1 for atoms in frames]
    return (
        [atoms for atoms, out in zip(frames, test) if not out],
        [atoms for atoms, out in zip(frames, test) if out],
    )


def fitted(frames, magnetic: bool, seed: int):
    """A model of a training set."""
    soap = smooth_soap(["Fe"], r_cut=R_CUT, n_max=6, l_max=4, sigma=0.5)
    descriptor = MagneticSOAP(soap, ["Fe"]) if magnetic else soap
    gp = gapy.SparseGPRegressor(
        descriptor, n_inducing=200, zeta=2, optimize=True, e0="fit", selection="random", seed=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)  # moments that a plain SOAP overlooks
        return gp.fit(frames).potential_


def differences(potential, frames) -> list[tuple[str, int, float, float]]:
    """(group, geometry, that of DFT, that of the model) of each order and fm, eV/atom."""
    by_place: dict = {}
    for atoms in frames:
        order, group = atoms.info["config_type"].split("_")
        by_place.setdefault((group, atoms.info["geometry"]), {})[order] = atoms
    out = []
    for (group, geometry), orders in sorted(by_place.items()):
        fm = orders.pop("fm", None)
        for order, atoms in orders.items() if fm is not None else ():
            dft = (atoms.info["REF_energy"] - fm.info["REF_energy"]) / len(fm)
            ours = (potential.evaluate(atoms).energy - potential.evaluate(fm).energy) / len(fm)
            out.append((f"{order} {group}", geometry, dft, ours))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    frames = read(options.data, ":")
    train, test = parts(frames)
    print(f"{len(train)} training structures, {len(test)} test structures\n")
    print("| model | meV/atom | eV/A | GPa | rank of sigma |\n|---|---|---|---|---|")
    found: dict = {}
    for name in NAMES:
        models = [fitted(train, name != "SOAP", seed) for seed in range(options.seeds)]
        reports = [gapy.evaluate(model, test) for model in models]
        energy, forces, stress = (
            np.mean([getattr(r.total, key) for r in reports])
            for key in ("energy_rmse", "forces_rmse", "stress_rmse")
        )
        rank = np.mean([r.forces_std_spearman for r in reports])
        found[name] = [float(x) for x in (energy, forces, stress, rank)]
        print(f"| {name} | {1e3 * energy:.1f} | {forces:.3f} | {160.2 * stress:.2f} | {rank:.2f} |")
    print("\n| order above fm | structures | DFT, meV/atom | model, meV/atom | error |")
    print("|---|---|---|---|---|")
    rows = [differences(model, test) for model in models]
    for kind in dict.fromkeys(kind for kind, *_ in rows[0]):
        chosen = [[row[2:] for row in one if row[0] == kind] for one in rows]
        dft, ours = np.mean(chosen, axis=0).T
        relative = np.mean([np.abs(m - d) / np.abs(d) for one in chosen for d, m in one])
        found[kind] = float(relative)
        print(
            f"| {kind} | {len(dft)} | {1e3 * dft.mean():.0f} | {1e3 * ours.mean():.0f} "
            f"| {100 * relative:.1f} % |"
        )
    turned = [atoms.copy() for atoms in test]
    for atoms in turned:
        atoms.arrays["magmom_sign"] *= -1
    gaps = [
        models[0].evaluate(a).energy - models[0].evaluate(b).energy for a, b in zip(test, turned)
    ]
    print(f"\nlargest |E(m) - E(-m)|: {np.abs(gaps).max():.1e} eV")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
