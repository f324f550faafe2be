"""Row m: cheaper paths that the user chooses, and zeta = 2, whose cost should not depend on M."""

from __future__ import annotations

import numpy as np

from peers.systems import fitted, quick_frames, silicon, silicon_potential, soap_of
from peers.timing import force_call, interleaved

VARIANTS = {}
"""Name -> function(potential) that returns the potential evaluated on a cheaper path."""


def measure(options) -> dict:
    """us/atom of each variant with its force error (eV/A), and zeta = 2 for M / 4 and M."""
    atoms = silicon(options.repeats_of_atoms)
    row = {"notes": [], "variants": {}}
    exact = silicon_potential(options)
    variants = {name: make(exact) for name, make in VARIANTS.items()}
    if not variants:
        row["notes"].append("reduced rank and precision: not available")
    squares = {
        f"zeta2_{m}": fitted(quick_frames(options), soap_of(options), m, zeta=2)
        for m in (options.n_inducing // 4, options.n_inducing)
    }
    models = {"exact": exact, **variants, **squares}
    calls = {name: force_call(model, atoms) for name, model in models.items()}
    seconds = interleaved(calls, options.repeat)
    us = {name: 1e6 * t / len(atoms) for name, t in seconds.items()}
    row["exact"] = us["exact"]
    forces = exact.evaluate(atoms).forces
    for name, model in variants.items():
        error = float(np.abs(model.evaluate(atoms).forces - forces).max())
        row["variants"][name] = {"us_per_atom": us[name], "force_error": error}
    small, large = (us[name] for name in squares)
    row |= {"zeta2_quarter": small, "zeta2": large}
    return {"m": row}
