"""The map of environments as a file for chemiscope, a viewer of maps beside the structures.

Source: Fraux, Cersonsky and Ceriotti, J. Open Source Softw. 5, 2117 (2020).
"""

from __future__ import annotations

import gzip
import importlib
import json
import warnings
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from ase import Atoms

from gapy._support.files import write_whole
from gapy.errors import GapyError, PackageError
from gapy.inspection.report import InspectionReport

REACH = 5.0
"""A around an environment's centre that the viewer shows at first."""
OF_STRUCTURES = {
    "volume": "A^3/atom",
    "novelty": "",
    "leverage": "",
    "energy_error": "eV/atom",
    "force_error": "eV/A",
}
"""What the report knows of every structure, and its unit."""


def require_chemiscope() -> ModuleType:
    """The package, or PackageError with what brings it."""
    try:
        return importlib.import_module("chemiscope")
    except ImportError as error:
        raise PackageError(
            "chemiscope: not installed; pip install 'gapy[clients]', or leave the file out"
        ) from error


def write_chemiscope(report: InspectionReport, frames: Sequence[Atoms], path) -> None:
    """Write mapped environments, coloured and sorted by what the report says of their structures.

    frames: the structures of the report, in its order. path: JSON, compressed by gzip where it ends
    with .gz.

    Raises
    ------
    GapyError : another number of structures, nothing to map
    PackageError : chemiscope is not installed
    """
    if len(frames) != report.n_structures:
        raise GapyError(
            f"frames: expected the {report.n_structures} structures of the report, got "
            f"{len(frames)}"
        )
    if not report.maps:
        raise GapyError("chemiscope: expected environments to map, got none; add structures")
    chemiscope = require_chemiscope()
    structure = np.concatenate([m.structure for m in report.maps])
    atom = np.concatenate([m.atom for m in report.maps])
    shown, place = np.unique(structure, return_inverse=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?i).*nan", UserWarning)
        data = chemiscope.create_input(
            structures=[_bare(frames[s]) for s in shown],
            properties=_properties(report, structure),
            environments=[(int(s), int(a), REACH) for s, a in zip(place, atom)],
            metadata={"name": "environments of a training set", "description": report.fit},
            settings={"map": {"color": {"property": "group"}, "symbol": "element"}},
        )
    text = json.dumps(data).encode()
    write_whole(path, gzip.compress(text, mtime=0) if str(path).endswith(".gz") else text)


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _properties(report: InspectionReport, structure_n: np.ndarray) -> dict[str, dict]:
    """Of every mapped environment; NaN, which the viewer hides, where one is unknown."""
    xy = np.concatenate([m.xy for m in report.maps])
    columns = {
        "kernel component 1": (xy[:, 0], ""),
        "kernel component 2": (xy[:, 1], ""),
        "group": (np.concatenate([m.group for m in report.maps]).tolist(), ""),
        "element": ([m.symbol for m in report.maps for _ in m.xy], ""),
    }
    for name, unit in OF_STRUCTURES.items():
        values = np.asarray(getattr(report, name), dtype=float)[structure_n]
        if np.isfinite(values).any():
            columns[f"{name.replace('_', ' ')} of the structure"] = (values, unit)
    return {
        name: {"target": "atom", "values": values} | ({"units": unit} if unit else {})
        for name, (values, unit) in columns.items()
    }
