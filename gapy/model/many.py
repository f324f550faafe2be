"""Many structures evaluated as one: their atoms and pairs side by side in the same arrays.

Atoms of two structures share no pair, so energies, forces and sigmas are those of each by itself;
virials are summed by structure. What a call costs beside its atoms is paid once for all of them,
and the matrix products of a block are full however small the structures are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from ase import Atoms

from gapy.baselines import Contribution, System, system_of, total
from gapy.descriptors import magnetic_elements
from gapy.errors import GapyError, StructureError
from gapy.geometry.many import pairs_of_many, pairs_of_part
from gapy.gp.neighbourhood import is_magnetic, select
from gapy.model import arrays
from gapy.model.arrays import Evaluation
from gapy.structures.spins import signs_of

ATOMS = 2048
"""Evaluated together at most, unless one structure has more: as fast as more (measured)."""


UNCERTAINTIES: dict[bool | str, dict] = {
    False: {},
    **{mode: {"force_std": mode} for mode in (True, "cheap", "posterior")},
    "local": {"local_std": True},
}


def sigmas_of(uncertainty) -> dict:
    """Options of `Potential.evaluate` for a word of the calculator; GapyError for another one."""
    # 1 == True, but the calculator does not know it either.
    if not any(
        type(uncertainty) is type(known) and uncertainty == known for known in UNCERTAINTIES
    ):
        raise GapyError(
            f"uncertainty: expected one of {tuple(UNCERTAINTIES)}, got {uncertainty!r}; "
            "Potential.predict gives what the calculator has for 'full'"
        )
    return UNCERTAINTIES[uncertainty]


def evaluate_many(potential, structures: Iterable, **options) -> Iterator[Evaluation]:
    """See `Potential.evaluate_many`; results one by one, computed as they are taken."""
    if isinstance(structures, Atoms) or not isinstance(structures, Iterable):
        raise StructureError(
            f"structures: expected a list of ase.Atoms, got {type(structures).__name__}; give "
            "[atoms] or call evaluate"
        )
    batch: list[Atoms] = []
    begin = n_atoms = 0
    for k, s in enumerate(structures):
        atoms = getattr(s, "atoms", s)
        if not isinstance(atoms, Atoms):
            raise StructureError(
                f"structures[{k}]: expected ase.Atoms, got {type(atoms).__name__}; give a list of "
                "structures"
            )
        n = len(atoms)
        if n_atoms + n > ATOMS:
            yield from _named(potential, batch, begin, options)
            batch, begin, n_atoms = [], k, 0
        batch.append(atoms)
        n_atoms += n
    yield from _named(potential, batch, begin, options)


def _named(potential, batch: list[Atoms], begin: int, options) -> list[Evaluation]:
    """Results of structures from number `begin` on; an error names the one that it is about."""
    if len(batch) > 1 and all(t.descriptor.takes_neighbours for t in potential.terms):
        try:
            return _together(potential, batch, **options)
        except GapyError:
            pass  # found again below, where it is known whose it is
    out = []
    for k, atoms in enumerate(batch, begin):
        try:
            out.append(potential.evaluate(atoms, **options))
        except GapyError as error:
            raise type(error)(f"structures[{k}]: {error}") from error
    return out


def _together(potential, batch: list[Atoms], **options) -> list[Evaluation]:
    numbers = np.concatenate([atoms.numbers for atoms in batch])
    free_atoms = potential.free_atoms(numbers)
    for atoms in batch:
        potential.check_periodicity(atoms)
    pairs, first_m = pairs_of_many(batch, potential.pairs_cutoff, periodic=potential.sees_images)
    limits = list(pairwise(first_m.tolist()))
    base, shared = None, [0.0] * len(batch)
    if potential.baselines:
        base, shared = _baselines(potential, batch, pairs, limits)
    if is_magnetic(potential.terms):
        pairs = replace(pairs, signs=_signs(potential, batch, numbers, pairs))
    found = select(potential.terms, numbers, pairs)
    whole = arrays.parts(potential, numbers, found, free_atoms, base, first_m=first_m, **options)
    return list(_divided(whole, limits, shared))


def _signs(potential, batch, numbers, pairs) -> np.ndarray | None:
    """Of all atoms; None if a structure that needs some says none, which is found out by itself."""
    each = [signs_of(atoms) for atoms in batch]
    unknown = np.repeat([signs is None for signs in each], [len(atoms) for atoms in batch])
    magnetic = np.isin(numbers, list(magnetic_elements([t.descriptor for t in potential.terms])))
    asked = magnetic & unknown
    if asked.any():
        centre_p = np.repeat(pairs.centre_i, np.diff(pairs.first_i))
        if (asked[centre_p] & asked[pairs.j_p]).any():
            return None
    known = [np.zeros(len(a), dtype=np.int64) if s is None else s for a, s in zip(batch, each)]
    return np.concatenate(known)


def _baselines(potential, batch, pairs, limits) -> tuple[Contribution, list[float]]:
    """What baselines add to atoms and virials, and to each energy.

    Sums over pairs of all structures at once; and each structure by itself that they reach, for
    its virial, or where baselines may be more than such sums.
    """
    numbers = np.concatenate([atoms.numbers for atoms in batch])
    energies, forces = np.zeros(len(numbers)), np.zeros((len(numbers), 3))
    virial, shared = np.zeros((len(batch), 3, 3)), [0.0] * len(batch)
    reached = list(range(len(batch)))
    if all(b.pairwise for b in potential.baselines):
        found = total(potential.baselines, System(numbers, pairs))
        hit = (found.energies != 0.0) | (found.forces != 0.0).any(axis=1)
        owner = np.searchsorted([begin for begin, _ in limits], np.flatnonzero(hit), side="right")
        reached = np.unique(owner - 1).tolist()
    for m in reached:
        begin, end = limits[m]
        part = pairs_of_part(pairs, begin, end)
        one = total(potential.baselines, system_of(batch[m], part))
        energies[begin:end], forces[begin:end] = one.energies, one.forces
        virial[m], shared[m] = one.virial, one.shared
    return Contribution(energies, forces, virial), shared


def _divided(whole: arrays.Parts, limits, shared: list[float]) -> Iterator[Evaluation]:
    """The evaluation of each structure; its arrays are parts of those of all."""
    for k, (begin, end) in enumerate(limits):
        energies = whole.energies[begin:end]
        yield Evaluation(
            float(np.add.reduce(energies)) + shared[k],
            energies,
            whole.forces[begin:end],
            whole.virial[k],
            None if whole.energies_std is None else whole.energies_std[begin:end],
            None if whole.forces_std is None else whole.forces_std[begin:end],
            None if whole.energy_std is None else float(whole.energy_std[k]),
            baseline_forces=None
            if whole.baseline_forces is None
            else whole.baseline_forces[begin:end],
        )
