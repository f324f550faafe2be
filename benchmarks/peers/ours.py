"""gapy among its rivals, through its command line as a user has it."""

from __future__ import annotations

import shutil

import gapy
from peers import mlearn, rivals
from peers.processes import script, timed
from peers.timing import force_call

MODELS = {
    "gapy automatic": {"stress": False, "flags": ""},
    "gapy automatic, with stress": {"stress": True, "flags": ""},
    "gapy automatic, single": {"of": "gapy automatic, with stress", "precision": "single"},
    "gapy automatic, sigma": {"of": "gapy automatic, with stress", "uncertainty": True},
    "gapy automatic, single, sigma": {
        "of": "gapy automatic, with stress",
        "precision": "single",
        "uncertainty": True,
    },
    "gapy n8 l2": {"stress": True, "flags": "--n-max 8 --l-max 2 --n-components 40"},
    "gapy n8 l2, single": {"of": "gapy n8 l2", "precision": "single"},
    "gapy n8 l8, zeta 4": {"stress": False, "flags": "--r-cut 5.4"},
    "gapy n6 l4": {
        "stress": False,
        "flags": "--r-cut 5.4 --n-max 6 --l-max 4 --zeta 2 --n-inducing 500",
    },
    "gapy n4 l3": {
        "stress": False,
        "flags": "--r-cut 5.4 --n-max 4 --l-max 3 --zeta 2 --n-inducing 500",
    },
}
"""What they are and the flags that a user would give; noise is learnt in all of them. of: the row
whose model it is; precision of the evaluation; uncertainty: of the calculator."""
QUICK = ("--n-max", "3", "--l-max", "3", "--n-inducing", "50")


def fit(options, name: str, folder) -> dict:
    """`gapy fit`, kernels compiled before, or the fit of another row."""
    if "of" in MODELS[name]:
        figures = rivals.fitted(options, "ours", MODELS[name]["of"])
        shutil.copy(rivals.folder(options, MODELS[name]["of"]) / "si.gapy", folder)
    else:
        figures = _fitted(options, name, folder)
    potential = _loaded(name, folder)
    errors = mlearn.test_errors(options, potential.calculator())
    return {**figures, **errors, "note": _described(potential)}


def _fitted(options, name: str, folder) -> dict:
    stress, flags = MODELS[name]["stress"], MODELS[name]["flags"]
    train = str(mlearn.train_file(options, stress=stress))
    command = [script("gapy"), "fit", train, "-o", str(folder / "si.gapy")]
    command += [*flags.split(), *(QUICK if options.quick else ())]
    (folder / "si.gapy").unlink(missing_ok=True)
    if not options.quick:
        timed([*command, *QUICK], folder / "log")
        (folder / "si.gapy").unlink()
    return timed(command, folder / "log")


def _described(potential) -> str:
    (term,) = potential.terms
    setting = term.descriptor.settings()
    return (
        f"cutoff {potential.cutoff:g} A, n_max {setting['n_max']}, l_max {setting['l_max']}, "
        f"zeta {term.zeta}, {sum(map(len, term.inducing))} points"
        f"{', single precision' if potential.precision == 'single' else ''}"
    )


def _loaded(name: str, folder):
    potential = gapy.load(folder / "si.gapy")
    return potential.in_precision(MODELS[name].get("precision", "double"))


def call(options, name: str, folder, atoms):
    """A force call through ASE."""
    uncertainty = MODELS[name].get("uncertainty", False)
    return force_call(_loaded(name, folder), atoms, uncertainty=uncertainty)
