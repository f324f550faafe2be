"""NEP on the CPU by calorine: published models, hence time alone.

The silicon model was trained on the general silicon set of 2018, whose calculations are not those
of mlearn: its errors on the latter would compare two references, and are not given.
"""

from __future__ import annotations

from peers.timing import moved

MODELS = {"NEP, 3-body": {"file": "nep/Si_2022_NEP4_3body.txt"}}


def fit(options, name: str, folder) -> dict:
    """Nothing to fit; FileNotFoundError without the model."""
    if options.file(MODELS[name]["file"]) is None:
        raise FileNotFoundError(f"{MODELS[name]['file']} is not in the data")
    import calorine  # noqa: F401  (named as missing here, not in the middle of the timing)

    return {"note": "published model, trained on other data: time only"}


def call(options, name: str, folder, atoms):
    """A force call through ASE."""
    from calorine.calculators import CPUNEP

    atoms = atoms.copy()
    atoms.calc = CPUNEP(str(options.file(MODELS[name]["file"])))
    return moved(atoms, lambda a: a.get_forces())
