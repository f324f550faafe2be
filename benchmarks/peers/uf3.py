"""UF3 on mlearn silicon: its basis, fitted by linear least squares, run by `pair_style uf3`.

Least squares with a ridge instead of the curvature penalties of the authors' package. Cutoffs,
the weight of the energies and the ridge are chosen on a fifth of the training structures, left
out; splines are spaced as in the published Nb model, 1/3 A for pairs and 1/2 A for triplets.
"""

from __future__ import annotations

import time

import numpy as np

from peers import lammps_box, mlearn, ridge, uf3_rows
from peers.machine import peak_memory_gb

MODELS = {"UF3": {}}
CUTOFFS = ((5.5, 4.0), (5.5, 4.5), (5.5, 5.0))
"""Of pairs and of the legs of triplets, A; r_jk then reaches twice the latter."""
SPACING = (1 / 3, 1 / 2)


def knots_of(cutoffs) -> tuple[np.ndarray, ...]:
    """Knots of pairs, of the legs of triplets and of their far side."""
    pair, leg = (round(r / spacing) for r, spacing in zip(cutoffs, SPACING))
    r_pair, r_leg = cutoffs
    return (
        uf3_rows.knots(r_pair, pair),
        uf3_rows.knots(r_leg, leg),
        uf3_rows.knots(2.0 * r_leg, 2 * leg),
    )


def fit(options, name: str, folder) -> dict:
    """Choose, fit, keep the model in a folder, test it with `pair_style uf3`."""
    frames = mlearn.train(options)
    uf3_rows.rows(frames[0], *knots_of(CUTOFFS[0]))  # compiles
    tried = [_one(frames, cutoffs) for cutoffs in (CUTOFFS[:1] if options.quick else CUTOFFS)]
    best, coefficients = min(tried, key=lambda t: t[0]["energy"] * t[0]["forces"])
    commands = write(folder, coefficients, knots_of(best["cutoffs"]))
    lammps_box.keep(folder, commands)
    peak = peak_memory_gb()
    test = mlearn.test(options)
    energies, forces = lammps_box.predictions(lammps_box.start(), test, commands)
    # the pair style knows no energy of a free atom
    energies = [e + coefficients[0] * len(a) for e, a in zip(energies, test)]
    return {
        **mlearn.errors(test, energies, forces),
        "cpu_seconds": best["cpu_seconds"],
        "search_seconds": sum(t[0]["cpu_seconds"] for t in tried),
        "peak_gb": peak,
        "note": f"cutoffs {best['cutoffs'][0]} and {best['cutoffs'][1]} A, "
        f"{len(coefficients)} coefficients, energy weight {best['energy_weight']:g}, "
        f"ridge {best['ridge']:g}",
    }


def _factors(frames, knots) -> tuple[ridge.Factor, ridge.Factor]:
    energy, forces = ridge.Factor(), ridge.Factor()
    for atoms in frames:
        row, table = uf3_rows.rows(atoms, *knots)
        energy.add(np.append(row, atoms.info["REF_energy"])[None] / len(atoms))
        forces.add(np.column_stack([table, atoms.arrays["REF_forces"].ravel()]))
    return energy, forces


def _one(frames, cutoffs) -> tuple[dict, np.ndarray]:
    """Weight and ridge for two cutoffs, chosen on the structures left out; fitted to all."""
    began = time.process_time()
    kept, out = (_factors(part, knots_of(cutoffs)) for part in mlearn.split(frames))
    best, coefficients = ridge.fitted(kept, out, scaled=False)
    return best | {"cutoffs": cutoffs, "cpu_seconds": time.process_time() - began}, coefficients


def write(folder, coefficients, knots, symbol: str = "Si") -> list[str]:
    """Write x.uf3, a file of LAMMPS; the commands of the pair style."""
    pair, leg, far = knots
    n2 = len(pair) - 4
    two = np.append(coefficients[1 : n2 - uf3_rows.TRIM + 1], np.zeros(uf3_rows.TRIM))
    column = uf3_rows.columns(len(leg) - 4, len(far) - 4)
    three = np.append(coefficients[n2 - uf3_rows.TRIM + 1 :], 0.0)[column]  # -1: the zero
    head = "#UF3 POT UNITS: metal DATE: - AUTHOR: - CITATION: -"
    lines = [
        head, f"2B {symbol} {symbol} 0 {uf3_rows.TRIM} uk", f"{pair[-1]} {len(pair)}", _row(pair),
        f"{n2}", _row(two), "#",
        head, f"3B {symbol} {symbol} {symbol} 0 {uf3_rows.TRIM} uk",
        f"{far[-1]} {leg[-1]} {leg[-1]} {len(far)} {len(leg)} {len(leg)}",
        _row(far), _row(leg), _row(leg), " ".join(map(str, three.shape)),
        *(_row(row) for row in three.reshape(-1, three.shape[-1])), "#",
    ]  # fmt: skip
    (folder / "x.uf3").write_text("\n".join(lines) + "\n")
    return ["pair_style uf3 3", f"pair_coeff * * {folder}/x.uf3 {symbol}"]


def _row(values) -> str:
    return " ".join(f"{v:.17g}" for v in values)


def call(options, name: str, folder, atoms):
    """A step of LAMMPS."""
    return lammps_box.kept_step(folder, atoms)
