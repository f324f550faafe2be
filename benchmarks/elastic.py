"""Elastic constants of the shipped crystals: the model's beside those of its own DFT.

    python benchmarks/elastic.py [si|alas ...] [--pw pw.x] [--model MODEL.gapy]

Both sides the same way: the lattice constant where the stress vanishes, then central differences
of the stress for strains of 1 %, atoms relaxed under the shear (the clamped C44 beside it). The
model is what `gapy fit` makes of the shipped training set without options, unless --model names
one. The DFT is that of `benchmarks/datasets/settings.py`, of which the labels are, on the k-points
of the first crystal (ESPRESSO_PSEUDO names the directory of pseudopotentials). Error bars: the
spread of 16 posterior samples.
"""

from __future__ import annotations

import argparse

import numpy as np
from ase.build import bulk
from ase.optimize import BFGS
from ase.units import GPa
from espresso import DFT, SETTINGS
from scipy.optimize import brentq
from short_range import fitted

import gapy
from gapy.properties.straining import with_strain
from gapy.structures import from_atoms

CRYSTALS = {"si": ("Si", "diamond", (5.2, 5.6)), "alas": ("AlAs", "zincblende", (5.4, 5.8))}
"""Formula, structure, and lattice constants (A) between which the stress vanishes."""
STRAIN, RELAXED = 0.01, 2e-3
"""Strain, and largest force (eV/A) after relaxation."""


def strained(atoms, voigt: int, size: float):
    """A copy with one strain component; engineering strain for shear."""
    out = with_strain(atoms, size * np.eye(6)[voigt])
    out.calc = atoms.calc
    return out


def constants(name: str, calculator) -> dict[str, float]:
    """a (A) and C11, C12, C44 and the clamped C44 (GPa)."""
    formula, structure, (low, high) = CRYSTALS[name]

    def crystal(a: float):
        atoms = bulk(formula, structure, a=a)
        atoms.calc = calculator
        return atoms

    a = brentq(lambda a: crystal(a).get_stress()[:3].mean(), low, high, xtol=1e-4)
    atoms = crystal(a)

    def slope(voigt: int, relax: bool) -> np.ndarray:
        stress = []
        for size in (STRAIN, -STRAIN):
            one = strained(atoms, voigt, size)
            if relax:
                BFGS(one, logfile=None).run(fmax=RELAXED, steps=50)
            stress.append(one.get_stress())
        return (stress[0] - stress[1]) / (2 * STRAIN) / GPa

    stretched, clamped, sheared = slope(0, False), slope(3, False), slope(3, True)
    return {
        "a": float(a), "C11": stretched[0], "C12": stretched[1], "C44": sheared[3],
        "clamped C44": clamped[3],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crystals", nargs="*", metavar="CRYSTAL", help="si, alas")
    parser.add_argument("--pw", default="pw.x")
    parser.add_argument("--model", help="model file for the one crystal that is named")
    given = parser.parse_args()
    print("crystal  of      a/A      C11/GPa  C12/GPa  C44/GPa  clamped C44/GPa")
    for name in given.crystals or CRYSTALS:
        training = from_atoms(gapy.data.frames(name, "train"), source=name)
        potential = gapy.load(given.model) if given.model else fitted(training)
        dft = constants(name, DFT(SETTINGS[name], given.pw))
        model = constants(name, potential.calculator())
        members = [constants(name, one) for one in potential.sample(16, seed=0).members]
        rows = {
            "DFT": dft,
            "gapy": model,
            "bar": {k: float(np.std([m[k] for m in members])) for k in model},
            "error": {k: model[k] - dft[k] for k in model},
        }
        for title, row in rows.items():
            print(
                f"{name:8} {title:6} {row['a']:7.4f}   {row['C11']:7.1f}  {row['C12']:7.1f}  "
                f"{row['C44']:7.1f}  {row['clamped C44']:7.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
