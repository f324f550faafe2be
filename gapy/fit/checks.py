"""Checks of structures against the terms that are to describe them, before any work is done."""

from __future__ import annotations

import warnings

import numpy as np
from ase.data import chemical_symbols

from gapy.baselines import ASECalculator
from gapy.descriptors import magnetic_elements
from gapy.errors import GapyError, StructureError
from gapy.structures import (
    LabelKeys,
    LabelledStructure,
    StructureWarning,
    check_structures,
    from_atoms,
)
from gapy.structures.spins import KEY, ordered_elements, signs_of


def labelled(structures, keys: LabelKeys, descriptors) -> list[LabelledStructure]:
    """Structures with their labels, fit to be described by the descriptors.

    Raises GapyError or a subclass: missing or impossible labels, a species that no descriptor
    knows, periodic structures for a descriptor that would overlook their images, no signs of
    moments for one that looks at them.
    """
    out = from_atoms(structures, keys)
    check_structures(
        out,
        species=sorted({z for d in descriptors for z in d.species}),
        magnetic=magnetic_elements(descriptors),
    )
    for descriptor in descriptors:
        _check_periodicity(descriptor, out)
        _check_signs(descriptor, out)
    _warn_of_orders(descriptors, out)
    return out


def warn_of_moments(baselines, structures) -> None:
    """Calculators beneath the process are asked without moments: say so where there are some."""
    calculators = [b.path for b in baselines if isinstance(b, ASECalculator)]
    found = (s for s in structures if (signs := signs_of(s.atoms)) is not None and signs.any())
    if calculators and (first := next(found, None)):
        warnings.warn(
            f"baseline calculator: {first.where} has magnetic moments, which {calculators[0]} does "
            "not get; expected structures without any, or a method that knows none. If its "
            "energies depend on them, subtract what it gives from the labels instead",
            StructureWarning,
            stacklevel=3,
        )


def _check_periodicity(descriptor, structures) -> None:
    if descriptor.periodic:
        return
    for s in structures:
        if s.atoms.pbc.any():
            raise GapyError(
                f"descriptor: periodic=False, but {s.source} frame {s.index} has "
                f"pbc={s.atoms.pbc.tolist()}; make the descriptor with periodic=True"
            )


def _check_signs(descriptor, structures) -> None:
    for s in structures:
        # A lone atom has no neighbours, whose moments could be parallel or antiparallel.
        alone = len(s.atoms) == 1 and not s.atoms.pbc.any()
        has_moments = np.isin(s.atoms.numbers, descriptor.magnetic).any()
        if has_moments and not alone and signs_of(s.atoms) is None:
            symbols = ", ".join(chemical_symbols[z] for z in descriptor.magnetic)
            raise StructureError(
                f"magnetic: {symbols}, but {s.where} does not say the signs of its moments; add an "
                f"array {KEY} of -1, 0 or 1, or one initial moment per atom, or leave magnetic out"
            )


def _warn_of_orders(descriptors, structures) -> None:
    """Moments of both signs that no descriptor looks at are noise in the labels."""
    seen = magnetic_elements(descriptors)
    lost = [z for z in ordered_elements([s.atoms for s in structures]) if z not in seen]
    if lost:
        symbols = ",".join(chemical_symbols[z] for z in lost)
        warnings.warn(
            f"magnetic: structures have moments of {symbols} of both signs, which no descriptor "
            f"looks at; fit with magnetic {symbols} if their order matters (--magnetic {symbols})",
            StructureWarning,
            stacklevel=3,
        )
