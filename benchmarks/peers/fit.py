"""Rows c and l: fits against gap_fit, each in its own process, and how they scale."""

from __future__ import annotations

import time

import numpy as np
from ase.io import read

import gapy
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms
from peers import processes, quip
from peers.machine import peak_memory_gb
from peers.options import R_CUT, SIGMA_ENERGY, SIGMA_FORCES
from peers.systems import silicon_frames, soap_of

REPEAT = 3
COPIES = 10
SMALLER_BASIS = {"n_max": 6, "l_max": 4}
SMALLER = {"n_inducing": 500, "zeta": 2, "optimize": True}


def measure(options) -> dict:
    """Seconds and peak GB: silicon on one thread, NbMo on two, gap_fit if asked for."""
    repeat = 1 if options.quick else REPEAT
    runs = [processes.run("fit.silicon", options) for _ in range(repeat)]
    row = {
        **runs[0],
        "seconds": float(np.median([r["seconds"] for r in runs])),
        "cpu_seconds": float(np.median([r["cpu_seconds"] for r in runs])),
        "peak_gb": float(np.median([r["peak_gb"] for r in runs])),
        "notes": [],
        "mlearn": options.file("mlearn/Si_train.xyz") is not None and not options.quick,
    }
    if options.full_fit and quip.gap_fit_command():
        row["gap_fit"] = processes.run("fit.silicon_gap_fit", options)
    elif options.full_fit:
        row["notes"].append("gap_fit not installed")
    if row["mlearn"]:
        row["smaller"] = processes.run("fit.smaller", options)
    if options.file("snap/NbMo_train.xyz"):
        row["nbmo"] = processes.run("fit.nbmo", options)
    else:
        row["notes"].append("NbMo data not found")
    return {"c": row}


def silicon(options) -> dict:
    """E + F on one thread, and the test error where a test set is known."""
    frames = silicon_frames(options)[:: 10 if options.quick else 1]
    out, gp = _timed(options, frames, soap_of(options), stress=False)
    return out | _errors(options, gp)


def smaller(options) -> dict:
    """The same with the model of row o that is as accurate as gap_fit's, its noise learnt."""
    soap = smooth_soap(["Si"], r_cut=R_CUT, **SMALLER_BASIS)
    out, gp = _timed(options, silicon_frames(options), soap, stress=False, **SMALLER)
    return out | _errors(options, gp)


def _errors(options, gp) -> dict:
    """Errors on the test set, meV/atom and eV/A, where it is known."""
    test = options.file("mlearn/Si_test.xyz")
    if test is None:
        return {}
    total = gapy.evaluate(gp.potential_, from_atoms(read(test, ":"))).total
    return {"energy_rmse": 1000.0 * total.energy_rmse, "forces_rmse": total.forces_rmse}


def silicon_gap_fit(options) -> dict:
    """gap_fit on the same frames."""
    frames = silicon_frames(options)[:: 10 if options.quick else 1]
    model = options.cached("gap_full") / "gap_si.xml"
    return quip.gap_fit(
        frames, model, size=options.size, n_sparse=options.n_inducing, forces=True
    )  # fmt: skip


def nbmo(options) -> dict:
    """E + F + stress of NbMo on two threads."""
    frames = read(options.file("snap/NbMo_train.xyz"), ":")[:: 40 if options.quick else 1]
    soap = soap_of(options, ("Nb", "Mo"), r_cut=5.0)
    return _timed(options, frames, soap, stress=True, threads=2)[0]


def measure_ten_times(options) -> dict:
    """Seconds and peak GB of a quarter of the structures and of ten moved copies of it."""
    runs = {c: processes.run("fit.copies", options, copies=c) for c in (1, COPIES)}
    one, ten = runs[1], runs[COPIES]
    row = {
        "one": one,
        "ten": ten,
        "time_ratio": ten["seconds"] / one["seconds"],
        "memory_ratio": ten["peak_gb"] / one["peak_gb"],
        "notes": [f"{one['n_structures']} and {ten['n_structures']} structures"],
    }
    return {"l": row}


def copies(options, copies: int) -> dict:
    """The same labels on moved copies: only the cost is wanted."""
    frames = silicon_frames(options)[:: 40 if options.quick else 4]
    many = []
    for k in range(copies):
        for atoms in frames:
            moved = atoms.copy()
            moved.rattle(0.01, seed=k)
            many.append(moved)
    return _timed(options, many, soap_of(options), stress=False)[0]


def _timed(options, frames, soap, *, stress: bool, threads: int = 1, **other):
    """Figures of one fit, kernels compiled before, and the fitted regressor."""
    settings = {
        "sigma_energy": SIGMA_ENERGY,
        "sigma_forces": SIGMA_FORCES,
        "fit_stress": stress,
        "threads": threads,
        "n_inducing": options.n_inducing,
        **other,
    }
    small = sorted(frames, key=len)
    warm = [next(a for a in small if symbol in a.symbols) for symbol in soap.species]
    gapy.SparseGPRegressor(soap, **(settings | {"n_inducing": 2})).fit(from_atoms(warm))
    gp = gapy.SparseGPRegressor(soap, **settings)
    structures = from_atoms(frames)
    began, cpu_began = time.perf_counter(), time.process_time()
    gp.fit(structures)
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "peak_gb": peak_memory_gb(),
        "n_structures": len(frames),
        "n_atoms": sum(map(len, frames)),
        "n_inducing": len(gp.potential_.posterior.alpha),
    }
    return figures, gp
