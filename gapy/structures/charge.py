"""The total charge of a structure."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from ase import Atoms

from gapy.errors import StructureError

KEY = "charge"
"""Of ``atoms.info``."""


def charge_of(atoms: Atoms) -> float:
    """Total charge, e, under `KEY` of the info; 0 without one.

    Raises StructureError for what is no finite number.
    """
    if KEY not in atoms.info:  # nearly all: what follows takes a while in a force call
        return 0.0
    given = atoms.info[KEY]
    value = given.item() if hasattr(given, "item") and getattr(given, "size", 0) == 1 else given
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and math.isfinite(value)):
        raise StructureError(
            f"{KEY}: expected the total charge in e, a finite number, got {given!r}; correct or "
            "remove it"
        )
    return float(value)


def with_charge(atoms: Atoms, charge: float) -> Atoms:
    """The same structure, which then has the charge; a neutral one need not say so."""
    if charge:
        atoms.info[KEY] = charge
    return atoms


def with_initial_charges(atoms: Atoms) -> Atoms:
    """The same structure, its charge spread evenly as initial charges: where calculators of ASE
    look for it."""
    if charge := charge_of(atoms):
        atoms.set_initial_charges(np.full(len(atoms), charge / max(len(atoms), 1)))
    return atoms
