"""Linear and quadratic SNAP fitted to mlearn silicon through LAMMPS' `compute snap`.

Rows of energies per atom and of forces. The cutoff, the weight of the energies and a ridge are
chosen on a fifth of the training structures, left out. Zuo et al., J. Phys. Chem. A 124, 731
(2020), publish 8.06 meV/atom and 0.2053 eV/A (linear), 5.51 and 0.1769 (quadratic).
"""

from __future__ import annotations

import time

import numpy as np

from peers import lammps_box, mlearn, ridge, snap
from peers.machine import peak_memory_gb

MODELS = {"SNAP": {"quadratic": False}, "quadratic SNAP": {"quadratic": True}}
R_CUTS = (4.6, 5.0, 5.4)


def rows(lmp, atoms, r_cut: float, quadratic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows [A | y] of a structure: energy per atom (1, k + 1) and forces (3 n, k + 1).

    The first column is the constant, one per atom; y are the labels in LAMMPS' axes.
    """
    rotation = lammps_box.fill(lmp, atoms)
    n, k = len(atoms), snap.n_coefficients(quadratic) - 1
    lammps_box.commands(
        lmp, f"pair_style zero {r_cut}", "pair_coeff * *",
        f"compute s all snap {r_cut} {snap.RFAC0} {snap.TWOJMAX} 0.5 1.0 rmin0 0 bzeroflag 0 "
        f"quadraticflag {int(quadratic)}",
        "run 0 post no",
    )  # fmt: skip
    table = lmp.numpy.extract_compute("s", 0, 2)[: 1 + 3 * n, :k]  # energy, forces, then virial
    energy = np.concatenate([[1.0], table[0] / n, [atoms.info["REF_energy"] / n]])
    forces = np.zeros((3 * n, k + 2))
    forces[:, 1:-1] = table[1:]
    forces[:, -1] = (atoms.arrays["REF_forces"] @ rotation.T).ravel()
    return energy[None], forces


def factors(frames, r_cut: float, quadratic: bool) -> tuple[ridge.Factor, ridge.Factor]:
    """Factors of the energies and of the forces of frames."""
    lmp = lammps_box.start()
    energy, forces = ridge.Factor(), ridge.Factor()
    for atoms in frames:
        for factor, part in zip((energy, forces), rows(lmp, atoms, r_cut, quadratic)):
            factor.add(part)
    lmp.close()
    return energy, forces


def fit(options, name: str, folder) -> dict:
    """Choose, fit, keep the model in a folder, test it with `pair_style snap`."""
    frames = mlearn.train(options)
    tried = [
        _one(frames, r_cut, MODELS[name]["quadratic"])
        for r_cut in (R_CUTS[1:2] if options.quick else R_CUTS)
    ]
    best, coefficients = min(tried, key=lambda t: t[0]["energy"] * t[0]["forces"])
    commands = snap.write(folder, coefficients, best["r_cut"])
    lammps_box.keep(folder, commands)
    peak = peak_memory_gb()
    test = mlearn.test(options)
    return {
        **mlearn.errors(test, *lammps_box.predictions(lammps_box.start(), test, commands)),
        "cpu_seconds": best["cpu_seconds"],
        "search_seconds": sum(t[0]["cpu_seconds"] for t in tried),
        "peak_gb": peak,
        "note": f"cutoff {best['r_cut']} A, energy weight {best['energy_weight']:g}, ridge "
        f"{best['ridge']:g}",
    }


def _one(frames, r_cut: float, quadratic: bool) -> tuple[dict, np.ndarray]:
    """Weight and ridge for a cutoff, chosen on the structures left out; fitted to all of them."""
    began = time.process_time()
    kept, out = (factors(part, r_cut, quadratic) for part in mlearn.split(frames))
    best, coefficients = ridge.fitted(kept, out, scaled=True)
    return best | {"r_cut": r_cut, "cpu_seconds": time.process_time() - began}, coefficients


def call(options, name: str, folder, atoms):
    """A step of LAMMPS."""
    return lammps_box.kept_step(folder, atoms)
