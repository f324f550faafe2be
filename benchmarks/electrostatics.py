"""What charges beneath the Gaussian process are worth: ions and salt clusters, near and far.

    python benchmarks/datasets/make_ions.py DIR                  (needs `pip install tblite`)
    OMP_NUM_THREADS=1 python benchmarks/electrostatics.py --data DIR [--picture PNG] [--json OUT]

Four models of the same settings, SOAP with a cutoff of 6 A: alone, with the formal charges of Na
and Cl, with these at the scale that left-out errors prefer, and with charge equilibration by the
table of Rappe and Goddard. The table has the errors on single pieces and on pairs of them by the
shortest distance between the two, of which the training set has 12 A at most. The picture is the
energy of Na2Cl+ and NaCl2- as they are pulled apart. Then a rigid ion model beneath the shipped
AlAs, labelled by Quantum ESPRESSO: errors on its test structures without charges, with half of 1 e
and with 0.75 e (a Born charge of 2.1 e, screened by the square root of a dielectric constant of
8.2), and the scale that its training structures prefer for charges of 1 e. Its slabs count as
periodic in all directions, as their labels were computed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ase.io import read
from delta import call_seconds

import gapy
from gapy.baselines import ChargeEquilibration, Coulomb
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.fit.charge_scale import charge_scale
from gapy.structures import from_atoms

CUTOFF, SEEDS = 6.0, 4
MODELS = {
    "SOAP alone": [],
    "with formal charges": [Coulomb({"Na": 1.0, "Cl": -1.0})],
    "with a fitted scale": [Coulomb({"Na": 1.0, "Cl": -1.0}, scale="fit")],
    "with QEq": [ChargeEquilibration()],
}
RANGES = {
    "one piece": (None, None),
    "pair, below 6 A": (0.0, 6.0),
    "pair, 6 to 12 A": (6.0, 12.0),
    "pair, 12 to 20 A": (12.0, 20.0),
}


def regressor(baselines, seed=0):
    """Of all models."""
    soap = smooth_soap(["Na", "Cl"], r_cut=CUTOFF, n_max=8, l_max=6)
    return gapy.SparseGPRegressor(
        soap,
        n_inducing=400,
        zeta=4,
        optimize=True,
        e0="fit",
        seed=seed,
        baselines=["zbl", *baselines],
    )


def errors(potential, frames) -> tuple[float, float]:
    """Root mean square errors: energy of a structure, eV, and force component, eV/A."""
    found = potential.evaluate_many(frames)
    energy = [f.energy - a.info["REF_energy"] for f, a in zip(found, frames)]
    forces = np.concatenate(
        [(f.forces - a.arrays["REF_forces"]).ravel() for f, a in zip(found, frames)]
    )
    return tuple(float(np.sqrt(np.mean(np.square(x)))) for x in (energy, forces))


def within(frames, low, high):
    """Pieces (no range), or pairs whose gap is in a range."""
    if low is None:
        return [a for a in frames if "gap" not in a.info]
    return [a for a in frames if low <= a.info.get("gap", -1.0) < high]


def draw(path, scan, potentials) -> None:
    """Reference and models as the ions are pulled apart."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    gap = [a.info["gap"] for a in scan]
    zero = scan[-1].info["REF_energy"]
    figure, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    axes.plot(gap, [a.info["REF_energy"] - zero for a in scan], "k.", label="GFN1-xTB")
    for name, potential in potentials.items():
        axes.plot(gap, [potential.evaluate(a).energy - zero for a in scan], label=name)
    axes.axvline(CUTOFF, color="0.7", lw=0.8)
    axes.set_xlabel("shortest distance between Na2Cl+ and NaCl2-, A")
    axes.set_ylabel("energy, eV")
    axes.legend()
    figure.savefig(path, dpi=110)


def rigid_ions() -> None:
    """Charges beneath AlAs, as a table."""
    train, test = (gapy.data.frames("alas", part) for part in ("train", "test"))
    for atoms in (*train, *test):
        atoms.pbc = atoms.pbc.any()
    soap = smooth_soap(["Al", "As"], r_cut=5.0, n_max=8, l_max=6)
    unit = {"Al": 1.0, "As": -1.0}
    print("\n| AlAs | energy, meV/atom | forces, eV/A | stress, eV/A^3 |\n|---|---|---|---|")
    for name, ions in (
        ("no charges", []),
        ("charges of 0.5 e", [Coulomb(unit, scale=0.25, background=True)]),
        ("charges of 0.75 e", [Coulomb(unit, scale=0.75**2, background=True)]),
        ("a fitted scale", [Coulomb(unit, scale="fit", background=True)]),
    ):
        gp = gapy.SparseGPRegressor(
            soap, n_inducing=400, zeta=4, optimize=True, baselines=["zbl", *ions]
        )
        try:
            found = gapy.evaluate(gp.fit(train).potential_, test).total
        except GapyError as error:
            print(f"| {name} | {error} |")
        else:
            print(
                f"| {name} | {1e3 * found.energy_rmse:.2f} | {found.forces_rmse:.4f} "
                f"| {found.stress_rmse:.5f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--picture", metavar="OUT")
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args()
    train, test, scan = (
        read(options.data / f"{part}.xyz", index=":") for part in ("train", "test", "scan")
    )
    potentials, out = {}, {}
    print("| | " + " | ".join(RANGES) + " | scan | ms/call |\n|" + "---|" * (len(RANGES) + 3))
    for name, baselines in MODELS.items():
        potential = potentials[name] = regressor(baselines).fit(train).potential_
        found = [errors(potential, within(test, *ends)) for ends in RANGES.values()]
        found.append(errors(potential, scan))
        call_seconds(potential, test[:3])
        seconds = call_seconds(potential, within(test, 6.0, 20.0))
        for scale in (getattr(b, "scale", 1.0) for b in potential.baselines):
            name += "" if scale == 1.0 else f", {scale:.3f}"
        out[name] = {"errors": found, "call_seconds": seconds}
        cells = " | ".join(f"{e:.3f}, {f:.3f}" for e, f in found)
        print(f"| {name} | {cells} | {1e3 * seconds:.2f} |", flush=True)
    for seed in range(SEEDS):
        found = charge_scale(regressor([], seed), MODELS["with a fitted scale"], from_atoms(train))
        print(f"scale from the sample of seed {seed}: {found.value:.3f} +- {found.error:.3f}")
    rigid_ions()
    if options.picture:
        draw(options.picture, scan, potentials)
    if options.json:
        Path(options.json).write_text(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
