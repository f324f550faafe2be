"""Writes version-2.gapy and version-2.json: a state file of format version 2 and what it predicts.

Run with gapy as of commit 1f1eaa9, the last that writes this version:

    PYTHONPATH=tests python tests/data/make_version_2.py
"""

import json
from pathlib import Path

from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.fit.checkpoint import save_state

HERE = Path(__file__).parent


def main() -> None:
    train, (probe,) = labelled_frames(6, seed=1), labelled_frames(1, seed=2)
    soap = smooth_soap(["Al", "Cu"], r_cut=3.5, n_max=2, l_max=1)
    gp = gapy.SparseGPRegressor(soap, n_inducing=4).fit(train)
    save_state(gp, HERE / "version-2.gapy")
    found = gp.potential_.evaluate(probe, local_std=True, force_std=True)
    values = {
        "energy": found.energy,
        "forces": found.forces.tolist(),
        "energies_std": found.energies_std.tolist(),
        "forces_std": found.forces_std.tolist(),
    }
    (HERE / "version-2.json").write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
