"""Names under which somebody may have stored labels."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

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


def option(kind: str, name: str) -> str:
    """The option of the command line that uses labels of a kind under a name."""
    field = "virial" if kind == "stress" and "virial" in name.lower() else kind
    return f"--{field}-key {name}"


def suggested(frames: Sequence[Atoms], known: Collection[str]) -> str:
    """The options for what looks most like labels of each kind; empty if nothing does."""
    found = []
    for kind in WORDS:
        names = Counter(name for atoms in frames for _, name in lookalikes(kind, atoms, known))
        found += [option(kind, name) for name, _ in names.most_common(1)]
    return " ".join(found)


def _is_numeric(value: object) -> bool:
    return np.issubdtype(np.asarray(value).dtype, np.number)
