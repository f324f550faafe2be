"""Row n: error against cost on mlearn silicon over basis, inducing points, exponent, cutoff."""

from __future__ import annotations

from ase.io import read

import gapy
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms
from peers import processes
from peers.recorded import GAP_FIT_SI
from peers.systems import silicon, silicon_potential
from peers.timing import force_call, interleaved

SETTINGS = (
    # n_max, l_max, M, zeta, r_cut
    (8, 8, 1000, 4, 5.4), (8, 8, 1000, 4, 6.0), (8, 6, 1000, 4, 5.4), (6, 6, 1000, 4, 5.4),
    (6, 5, 500, 4, 5.4), (6, 5, 500, 4, 5.8), (8, 4, 500, 4, 5.6), (6, 4, 700, 4, 5.6),
    (6, 4, 500, 4, 5.4), (5, 4, 500, 4, 5.4), (5, 4, 1000, 4, 5.0), (4, 3, 500, 4, 5.0),
    (8, 6, 1000, 2, 5.4), (6, 4, 500, 2, 5.6), (5, 4, 1000, 2, 5.4),
)  # fmt: skip
HYPERPARAMETERS = {"delta": 10.0, "sigma_energy": 0.002, "sigma_forces": 0.1}
"""Near the largest marginal likelihood on these data."""
TOLERANCES = (None, 1e-3, 1e-2)
"""Every fit is also reduced in rank, forces within these (eV/A): small beside the error."""


def measure(options) -> dict:
    """Points, and the cheapest no worse than gap_fit's model."""
    row = {"points": [], "notes": [], "best": None}
    if options.file("mlearn/Si_train.xyz") is None:
        row["notes"].append("mlearn data not found")
        return {"n": row}
    silicon_potential(options)
    for setting in SETTINGS[:2] if options.quick else SETTINGS:
        row["points"] += processes.run("front.one", options, setting=setting)["points"]
    good = [
        p
        for p in row["points"]
        if p["forces_rmse"] <= GAP_FIT_SI["forces"] and p["energy_rmse"] <= GAP_FIT_SI["energy"]
    ]
    if good:
        row["best"] = min(good, key=lambda p: p["us_per_atom"])
    else:
        row["notes"].append("no setting is as accurate as the gap_fit model in both errors")
    return {"n": row}


def one(options, setting) -> dict:
    """Fit one setting; test and time it, exact and reduced, beside the potential of row a."""
    n_max, l_max, n_inducing, zeta, r_cut = setting
    if options.quick:
        n_max, l_max, n_inducing = 3, 3, 50
    train = read(options.file("mlearn/Si_train.xyz"), ":")[:: 20 if options.quick else 1]
    test = from_atoms(read(options.file("mlearn/Si_test.xyz"), ":"))
    soap = smooth_soap(["Si"], r_cut=r_cut, n_max=n_max, l_max=l_max)
    gp = gapy.SparseGPRegressor(soap, n_inducing, zeta, fit_stress=False, **HYPERPARAMETERS)
    exact = gp.fit(from_atoms(train)).potential_
    models = {str(t): exact.reduced(t, train[::20]) if t else exact for t in TOLERANCES}
    atoms = silicon(options.repeats_of_atoms)
    calls = {name: force_call(model, atoms) for name, model in models.items()}
    calls["row a"] = force_call(silicon_potential(options), atoms)
    seconds = interleaved(calls, options.repeat)
    points = []
    for name, model in models.items():
        total = gapy.evaluate(model, test).total
        points.append({
            "n_max": n_max, "l_max": l_max, "n_inducing": n_inducing, "zeta": zeta,
            "r_cut": r_cut, "tolerance": name,
            "us_per_atom": 1e6 * seconds[name] / len(atoms),
            "of_row_a": seconds[name] / seconds["row a"],
            "energy_rmse": 1000.0 * total.energy_rmse,
            "forces_rmse": total.forces_rmse,
        })  # fmt: skip
    return {"points": points}
