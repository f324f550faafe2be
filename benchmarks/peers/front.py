"""Row n: error against cost on mlearn silicon over basis, inducing points, exponent, cutoff."""

from __future__ import annotations

from ase.io import read

import gapy
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms
from peers import processes
from peers.options import SIGMA_ENERGY, SIGMA_FORCES
from peers.recorded import GAP_FIT_SI
from peers.systems import silicon as silicon_atoms
from peers.timing import force_call, interleaved

SETTINGS = (
    # n_max, l_max, M, zeta, r_cut
    (8, 8, 1000, 4, 5.4), (8, 8, 1000, 4, 6.0), (8, 8, 500, 4, 5.4),
    (8, 6, 1000, 4, 5.4), (6, 6, 1000, 4, 5.4), (6, 5, 1000, 4, 5.4), (6, 5, 500, 4, 5.4),
    (6, 5, 500, 3, 5.4), (6, 5, 300, 4, 5.0), (6, 4, 500, 4, 5.4), (5, 4, 500, 4, 5.4),
    (8, 8, 1000, 2, 5.4), (8, 6, 1000, 2, 5.4), (6, 5, 1000, 2, 5.4), (6, 4, 1000, 2, 5.4),
    (5, 3, 300, 4, 5.0), (4, 3, 300, 4, 5.0),
)  # fmt: skip


def measure(options) -> dict:
    """One point for each setting, and the cheapest no worse than gap_fit's model."""
    row = {"points": [], "notes": [], "best": None}
    if options.file("mlearn/Si_train.xyz") is None:
        row["notes"].append("mlearn data not found")
        return {"n": row}
    for setting in SETTINGS[:2] if options.quick else SETTINGS:
        row["points"].append(processes.run("front.one", options, setting=setting))
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
    """Fit, test and time one setting."""
    n_max, l_max, n_inducing, zeta, r_cut = setting
    if options.quick:
        n_max, l_max, n_inducing = 3, 3, 50
    train = read(options.file("mlearn/Si_train.xyz"), ":")[:: 20 if options.quick else 1]
    test = read(options.file("mlearn/Si_test.xyz"), ":")
    gp = gapy.SparseGPRegressor(
        smooth_soap(["Si"], r_cut=r_cut, n_max=n_max, l_max=l_max), n_inducing, zeta,
        sigma_energy=SIGMA_ENERGY, sigma_forces=SIGMA_FORCES, fit_stress=False,
    )  # fmt: skip
    gp.fit(from_atoms(train))
    total = gapy.evaluate(gp.potential_, from_atoms(test)).total
    atoms = silicon_atoms(options.repeats_of_atoms)
    seconds = interleaved({"gapy": force_call(gp.potential_, atoms)}, options.repeat)["gapy"]
    return {
        "n_max": n_max, "l_max": l_max, "n_inducing": n_inducing, "zeta": zeta, "r_cut": r_cut,
        "us_per_atom": 1e6 * seconds / len(atoms),
        "energy_rmse": 1000.0 * total.energy_rmse,
        "forces_rmse": total.forces_rmse,
    }  # fmt: skip
