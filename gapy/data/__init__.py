"""The shipped DFT data sets: silicon and AlAs, labelled frames with fixed splits."""

from pathlib import Path

from ase import Atoms
from ase.io import read

NAMES = ("si", "alas")


def path(name: str) -> Path:
    """Return the path of the shipped extended-XYZ file, ``name`` being 'si' or 'alas'."""
    if name not in NAMES:
        raise ValueError(f"unknown data set {name!r}; shipped are: {', '.join(NAMES)}")
    return Path(__file__).with_name(f"{name}.xyz")


def frames(name: str, split: str | None = None) -> list[Atoms]:
    """Return the frames of a shipped data set, all of them or those of one split.

    ``split`` is 'train', 'test' or 'hot'.  Labels: info ``REF_energy`` (eV) and
    ``REF_stress`` (eV/A^3, xx yy zz yz xz xy), arrays ``REF_forces`` (eV/A).
    """
    everything = read(path(name), index=":")
    if split is None:
        return everything
    splits = sorted({atoms.info["split"] for atoms in everything})
    if split not in splits:
        raise ValueError(f"unknown split {split!r}; {name} has: {', '.join(splits)}")
    return [atoms for atoms in everything if atoms.info["split"] == split]
