"""The structure that a potential is validated with when none is named."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy._support.voigt import is_crystal
from gapy.errors import GapyError, PropertyError
from gapy.properties.relaxing import relax
from gapy.validation.suites import simple_phases

MOST_ATOMS = 64
"""Of a reference that is looked at: the properties of more take too long."""
TIE = 0.01
"""eV/atom: of phases so close to one another the first, the commoner one, is taken."""
ROUGH = 0.05
"""eV/A: enough to know the density."""


def ground_state(potential, like: Atoms | None = None) -> tuple[Atoms, str]:
    """A structure at rest that the model knows, and where it comes from, in words.

    The reference of the model file with the lowest energy per atom less free atoms. Of a crystal
    whose composition has simple phases, the lowest of these instead.

    like : of its composition alone, a crystal or a molecule as it is

    Raises GapyError where there is no such structure.
    """
    calculator = potential.calculator()
    known = [
        (a, e)
        for a, e in potential.references
        if (len(a) > 1 or is_crystal(a)) and len(a) <= MOST_ATOMS and _is_like(a, like)
    ]
    known.sort(key=lambda item: _binding(potential, *item))
    for atoms, _ in known:
        try:
            return (_prototype if is_crystal(atoms) else _at_rest)(calculator, atoms)
        except PropertyError:
            continue
    raise GapyError(
        "start: expected a structure that the model file keeps and that relaxes, found none among "
        f"{len(potential.references)}; give one, --start FILE"
    )


def lowest_energy(potential, atoms: Atoms) -> float | None:
    """Energy per atom (eV) of the `ground_state` of a composition; None where none is known."""
    try:
        ground, _ = ground_state(potential, atoms)
    except GapyError:
        return None
    return float(ground.get_potential_energy()) / len(ground)


def _is_like(atoms: Atoms, like: Atoms | None) -> bool:
    if like is None:
        return True
    if not is_crystal(like):
        return not is_crystal(atoms) and sorted(atoms.numbers) == sorted(like.numbers)
    return is_crystal(atoms) and _shares(atoms) == _shares(like)


def _shares(atoms: Atoms) -> dict[int, int]:
    """Atomic number -> atoms in the formula unit."""
    elements, counts = np.unique(atoms.numbers, return_counts=True)
    return dict(zip(elements.tolist(), (counts // np.gcd.reduce(counts)).tolist()))


def _binding(potential, atoms: Atoms, energy: float) -> float:
    return (energy - float(potential.free_atoms(atoms.numbers).sum())) / len(atoms)


def _at_rest(calculator, atoms: Atoms) -> tuple[Atoms, str]:
    """A reference, relaxed into whatever is near: it may be a snapshot of molecular dynamics."""
    end = relax(calculator, atoms, same_phase=False).atoms
    return end, f"{end.get_chemical_formula()}, relaxed from a structure of the training set"


def _prototype(calculator, atoms: Atoms) -> tuple[Atoms, str]:
    """The first simple phase within TIE of the lowest; the reference itself where there is none."""
    rough = relax(calculator, atoms, cell="isotropic", force=ROUGH, same_phase=False).atoms
    try:
        phases = simple_phases(rough)
    except PropertyError:
        return _at_rest(calculator, atoms)
    found = []
    for name, phase in phases.items():
        try:
            wide = relax(calculator, phase, cell="isotropic", force=ROUGH, same_phase=False).atoms
            end = relax(calculator, wide, cell="free").atoms
        except PropertyError:
            continue
        found.append((end.get_potential_energy() / len(end), name, end))
    if not found:
        return _at_rest(calculator, atoms)
    lowest = min(energy for energy, _, _ in found)
    _, name, end = next(item for item in found if item[0] < lowest + TIE)
    return end, f"{end.get_chemical_formula()}, {name}: the lowest of {len(found)} simple phases"
