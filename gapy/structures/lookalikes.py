"""Names under which somebody may have stored labels."""

import re
from collections.abc import Collection, Iterator

import numpy as np
from ase import Atoms

WORDS = {
    # "generation" and its like hold "ener" as well.
    "energy": re.compile(r"(?<!g)ener|^e_?tot|toten|^e$"),
    "forces": re.compile(r"forc|frc|^f$"),
    "stress": re.compile(r"stress|virial"),
}
OTHER = re.compile(
    r"sigma|std|var$|err|unc|weight|cut|max|min|mean|kin|fermi|hull|gap|tol|mask|per_|diff|pred"
)
"""What is said of a label, or of another quantity with the same unit."""


def lookalikes(kind: str, atoms: Atoms, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """("info key" or "array", name) of what has the name and the shape of a label of this kind.

    Names in ``known`` are left out.
    """
    place = "array" if kind == "forces" else "info key"
    shapes = {"energy": {(), (1,)}, "forces": {(len(atoms), 3)}, "stress": {(6,), (9,), (3, 3)}}
    for name, value in (atoms.arrays if kind == "forces" else atoms.info).items():
        text = str(name).lower()
        if name in known or not WORDS[kind].search(text) or OTHER.search(text):
            continue
        if np.shape(value) in shapes[kind] and _is_numeric(value):
            yield place, str(name)


def _is_numeric(value: object) -> bool:
    return np.issubdtype(np.asarray(value).dtype, np.number)
