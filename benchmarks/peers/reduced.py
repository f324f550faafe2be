"""Row m: cheaper paths that the user chooses, and zeta = 2, whose cost should not depend on M."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapy._jit.covariance import normalise
from gapy.model import engine
from peers.systems import fitted, quick_frames, silicon, silicon_potential, soap_of
from peers.timing import force_call, interleaved

VARIANTS = {
    f"rank for {tolerance:g} eV/A": lambda exact, frames, tolerance=tolerance: exact.reduced(
        tolerance, frames
    )
    for tolerance in (1e-3, 1e-4, 3e-5)
}
"""Name -> function(potential, training frames) that returns a cheaper potential."""


def measure(options) -> dict:
    """us/atom of each variant with its force error (eV/A), and zeta = 2 for M / 4 and M.

    The error is that on atoms that neither the fit nor the reduction have seen.
    """
    atoms = silicon(options.repeats_of_atoms)
    exact = silicon_potential(options)
    frames = quick_frames(options)
    variants = {name: make(exact, frames[::5]) for name, make in VARIANTS.items()}
    squares = {
        f"zeta2_{m}": fitted(frames, soap_of(options), m, zeta=2, forces=True)
        for m in (options.n_inducing // 4, options.n_inducing)
    }
    models = {"exact": exact, **variants, **squares}
    calls = {name: force_call(model, atoms) for name, model in models.items()}
    seconds = interleaved(calls, options.repeat)
    us = {name: 1e6 * t / len(atoms) for name, t in seconds.items()}
    row = {"exact": us["exact"], "variants": {}, "notes": []}
    forces = exact.evaluate(atoms).forces
    for name, model in variants.items():
        row["variants"][name] = {
            "us_per_atom": us[name],
            "force_error": float(np.abs(model.evaluate(atoms).forces - forces).max()),
            **model.metadata.get("reduction", {}),
        }
    small, large = squares
    row |= {"zeta2_quarter": us[small], "zeta2": us[large]}
    row |= _difference_from_general_path(squares[large], atoms)
    row |= _energy_errors(squares[large], atoms)
    return {"m": row}


def _difference_from_general_path(potential, atoms) -> dict:
    """Largest differences of local energies and forces, relative to the largest of each."""
    environments = potential.environments(atoms)
    general = tuple(replace(b, short_cut=None) for b in potential.energy_blocks)
    a, b = (
        engine.evaluate(blocks, environments, len(atoms))[:2]
        for blocks in (potential.energy_blocks, general)
    )
    return {
        f"zeta2_{name}_difference": float(np.abs(x - y).max() / np.abs(y).max())
        for name, x, y in zip(("energies", "forces"), a, b)
    }


def _energy_errors(potential, atoms) -> dict:
    """Largest error of local energies on both paths, relative to the largest of them.

    The reference is the formula of the general path, sum alpha (x . x_s)^2, on the same
    descriptors in extended precision (where numpy has it).
    """
    (short,) = potential.energy_blocks
    env = potential.environments(atoms)[id(short.descriptor)]
    x_id = short.descriptor.values(env, 0, len(env))
    normalise(x_id, np.empty(len(x_id)))
    wide = np.longdouble
    t_is = x_id.astype(wide) @ short.kernel.x_sd.T.astype(wide)
    exact = t_is**2 @ short.kernel.alpha_s.astype(wide)
    paths = {"quadratic": short, "general": replace(short, short_cut=None)}
    row = {"precision": float(np.finfo(wide).eps)}
    for name, path in paths.items():
        out = engine.evaluate((path,), {id(short.descriptor): env}, len(env))
        energies = out.energies[env.atom_i]
        row[f"zeta2_{name}_error"] = float(np.abs(energies - exact).max() / np.abs(exact).max())
    return row
