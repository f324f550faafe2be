"""Dispersion beneath the Gaussian process: labels that hold it against labels that do not.

    OMP_NUM_THREADS=1 python benchmarks/dispersion.py      (needs `pip install ".[dispersion]"`)

Pairs of argon dimers whose nearest atoms are 4 to 12 A apart. Labels are a repulsion of pairs that
ends at 4.5 A, with and without D3(BJ) of PBE; beneath a SOAP of 5 A there is nothing, or that D3.
Errors of energies on other pairs: near ones, whose gap is below the cutoff, and far ones, which
SOAP sees as two. Means of three seeds.
"""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms

import gapy
from gapy.baselines import ZBL, Dispersion, baseline_of
from gapy.descriptors import smooth_soap

D3, REPULSION = Dispersion("d3bj", "pbe"), ZBL(2.0, 4.5)
NEAR, FAR = (4.0, 5.0), (5.5, 12.0)


def dimers(gap: float, rng) -> Atoms:
    """Two dimers of 3.8 A, in random directions, their nearest atoms about `gap` apart."""
    turned = rng.normal(size=(2, 3))
    turned *= 3.8 / np.linalg.norm(turned, axis=1)[:, None]
    away = np.array([gap, 0.0, 0.0])
    turned[0, 0], turned[1, 0] = -abs(turned[0, 0]), abs(turned[1, 0])
    at = np.array([[0.0, 0.0, 0.0], turned[0], away, away + turned[1]])
    return Atoms("Ar4", at + rng.normal(scale=0.05, size=(4, 3)))


def labelled(frames, beneath):
    """Copies with the labels of these baselines."""
    out = [atoms.copy() for atoms in frames]
    for atoms in out:
        labels = baseline_of(atoms, beneath)
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = labels.energy, labels.forces
    return out


def rms(potential, frames) -> float:
    """Of the energies, meV."""
    found = potential.evaluate_many(frames)
    wrong = [one.energy - a.info["REF_energy"] for one, a in zip(found, frames)]
    return 1e3 * float(np.sqrt(np.mean(np.square(wrong))))


def main() -> None:
    warnings.simplefilter("ignore")
    soap = smooth_soap(["Ar"], r_cut=5.0, n_max=8, l_max=4)
    print("| labels | beneath | near, meV | far, meV |\n|---|---|---|---|")
    for words, parts in (("without D3", [REPULSION]), ("with D3", [REPULSION, D3])):
        for name, baselines in (("nothing", []), ("D3", [D3])):
            errors = []
            for seed in range(3):
                rng = np.random.default_rng(seed)
                train = [dimers(rng.uniform(NEAR[0], FAR[1]), rng) for _ in range(80)]
                tests = [[dimers(rng.uniform(*gap), rng) for _ in range(40)] for gap in (NEAR, FAR)]
                gp = gapy.SparseGPRegressor(
                    soap, n_inducing=100, zeta=4, e0="fit", optimize=True, baselines=baselines
                ).fit(labelled(train, parts))
                errors.append([rms(gp.potential_, labelled(test, parts)) for test in tests])
            near, far = np.mean(errors, axis=0)
            print(f"| {words} | {name} | {near:.3f} | {far:.3f} |", flush=True)


if __name__ == "__main__":
    main()
