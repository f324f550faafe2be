"""DeePMD's systems: directories of NumPy arrays, read by dpdata (extra `dpdata`)."""

from __future__ import annotations

import importlib.util
from os import PathLike
from pathlib import Path

from ase import Atoms

from gapy.errors import PackageError

FORMAT = "deepmd"


def is_deepmd(path: str | PathLike) -> bool:
    """Whether a directory is a system, by the file of its types and at least one set of frames."""
    folder = Path(path)
    return (folder / "type.raw").is_file() and any(folder.glob("set.*/coord.npy"))


def read_deepmd(path: str | PathLike) -> list[Atoms]:
    """The frames of a system with energies (eV), forces (eV/A) and stresses (eV/A^3) as results.

    Virials become stresses of ASE's sign. A system without energies gives bare structures.

    Raises PackageError without dpdata; whatever dpdata raises for files that it cannot read.
    """
    if importlib.util.find_spec("dpdata") is None:
        raise PackageError(
            f"{Path(path).name}: a system of DeePMD, which needs the package dpdata, which is not "
            'installed; pip install "gapy[dpdata]"'
        )
    import dpdata

    labelled = any(Path(path).glob("set.*/energy.npy"))
    kind = dpdata.LabeledSystem if labelled else dpdata.System
    return kind(str(path), fmt="deepmd/npy").to("ase/structure")
