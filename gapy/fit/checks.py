"""Checks of structures against the terms that are to describe them, before any work is done."""

from __future__ import annotations

from gapy.errors import GapyError
from gapy.structures import LabelKeys, LabelledStructure, check_structures, from_atoms


def labelled(structures, keys: LabelKeys, descriptors) -> list[LabelledStructure]:
    """Structures with their labels, fit to be described by the descriptors.

    Raises GapyError or a subclass: missing or impossible labels, a species that no descriptor
    knows, periodic structures for a descriptor that would overlook their images.
    """
    out = from_atoms(structures, keys)
    check_structures(out, species=sorted({z for d in descriptors for z in d.species}))
    for descriptor in descriptors:
        _check_periodicity(descriptor, out)
    return out


def _check_periodicity(descriptor, structures) -> None:
    if descriptor.periodic:
        return
    for s in structures:
        if s.atoms.pbc.any():
            raise GapyError(
                f"descriptor: periodic=False, but {s.source} frame {s.index} has "
                f"pbc={s.atoms.pbc.tolist()}; make the descriptor with periodic=True"
            )
