"""ace-jax: linear ACE, its noise and prior by evidence, through its command line."""

from __future__ import annotations

from peers import mlearn
from peers.processes import script, timed
from peers.timing import moved

MODELS = {"ace-jax": {"stress": False}, "ace-jax, with stress": {"stress": True}}
SETTING = {"order": 3, "max_degree": 16, "r_cut": 5.5}
QUICK = {"order": 2, "max_degree": 6, "r_cut": 5.5}


def fit(options, name: str, folder) -> dict:
    """Fit in a process of its own, compilation by XLA included; test through ASE."""
    setting = QUICK if options.quick else SETTING
    stress = MODELS[name]["stress"]
    train = str(mlearn.train_file(options, stress=stress))
    figures = timed(
        [
            script("ace-jax"), "fit", "--train", train, "--test", train,
            "--order", str(setting["order"]), "--max-degree", str(setting["max_degree"]),
            "--rcut", str(setting["r_cut"]), "--uq", "blr", "--e0", "prefit",
            "--energy-key", "REF_energy", "--force-key", "REF_forces",
            *(("--stress-key", "REF_stress") if stress else ()),
            "--out", str(folder / "fit"),
        ],
        folder / "log",
    )  # fmt: skip
    return {
        **mlearn.test_errors(options, calculator(folder)),
        **figures,
        "note": "order {order}, degree {max_degree}, cutoff {r_cut} A".format(**setting),
    }


def calculator(folder):
    """Its ASE calculator in double precision."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from ace_jax import ACECalculator

    return ACECalculator(str(folder / "fit" / "model.npz"))


def call(options, name: str, folder, atoms):
    """A force call through ASE."""
    atoms = atoms.copy()
    atoms.calc = calculator(folder)
    return moved(atoms, lambda a: a.get_forces())
