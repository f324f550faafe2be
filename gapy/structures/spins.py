"""The signs of the collinear magnetic moments of a structure's atoms."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from ase import Atoms

from gapy.errors import StructureError

KEY = "magmom_sign"
"""Of ``atoms.arrays``: -1, 0 or 1 for each atom."""
MOMENTS = "initial_magmoms"
"""Of ``atoms.arrays``, where ASE keeps initial magnetic moments (Bohr magnetons)."""


def signs_of(atoms: Atoms) -> np.ndarray | None:
    """Sign of the moment of each atom, (n,) of -1, 0 and 1; None where the structure says nothing.

    The array `KEY`, else the signs of the initial magnetic moments. Raises StructureError for an
    array of another kind, and for moments that are vectors.
    """
    if KEY in atoms.arrays:
        given = atoms.arrays[KEY]
        numeric = np.issubdtype(given.dtype, np.number)
        if given.shape != (len(atoms),) or not numeric or not np.isin(given, (-1, 0, 1)).all():
            raise StructureError(
                f"{KEY}: expected -1, 0 or 1 for each of the {len(atoms)} atoms, got "
                f"{given.dtype} {given.shape} {given.ravel()[:4].tolist()}...; correct or remove it"
            )
        return given.astype(np.int64)
    if MOMENTS not in atoms.arrays:
        return None
    moments = atoms.arrays[MOMENTS]
    if moments.shape != (len(atoms),):
        raise StructureError(
            f"{MOMENTS}: expected one number for each atom, collinear moments, got an array "
            f"{moments.shape}; remove it, or give the signs along one axis as {KEY}"
        )
    if not np.isfinite(moments).all():
        raise StructureError(f"{MOMENTS}: expected finite numbers, got nan or inf; correct them")
    return np.sign(moments).astype(np.int64)


def known_signs(atoms: Atoms) -> np.ndarray | None:
    """As `signs_of`, but None for moments that are vectors or not finite: for whoever only keeps
    what a structure says, and need not look at it."""
    if KEY not in atoms.arrays and MOMENTS in atoms.arrays:
        moments = atoms.arrays[MOMENTS]
        if moments.ndim != 1 or not np.isfinite(moments).all():
            return None
    return signs_of(atoms)


def order_of(atoms: Atoms, elements: Collection[int]) -> np.ndarray:
    """Signs (n,) of the atoms of some elements (atomic numbers), of which the first is positive.

    Zero for other atoms and where no signs are known: equal where magnetic descriptors of
    these elements see the same, all moments turned around included.
    """
    signs = known_signs(atoms)
    if signs is None:
        return np.zeros(len(atoms), dtype=np.int64)
    return one_way(np.where(np.isin(atoms.numbers, list(elements)), signs, 0))


def one_way(moments: np.ndarray) -> np.ndarray:
    """Moments or signs (n,), all turned around if the first that is not zero is negative."""
    first = moments[moments != 0][:1]
    return -moments if (first < 0).any() else moments


def ordered_elements(frames: Sequence[Atoms]) -> tuple[int, ...]:
    """Atomic numbers of atoms with moments of both signs within one structure; ascending."""
    found: set[int] = set()
    for atoms in frames:
        signs = signs_of(atoms)
        if signs is not None and signs.min(initial=0) < 0 < signs.max(initial=0):
            found.update(atoms.numbers[signs != 0].tolist())
    return tuple(sorted(found))


def with_signs(atoms: Atoms, signs: np.ndarray | None) -> Atoms:
    """The same structure, which then has the signs (n,), if any."""
    if signs is not None:
        atoms.set_array(KEY, np.asarray(signs, dtype=np.int64))
    return atoms


def moments_of(atoms: Atoms) -> np.ndarray | None:
    """Moments (n,) that a calculation may start from, Bohr magnetons; None without signs.

    The initial ones, or the lengths of vectors, with the signs of `known_signs`; 1 where there is
    a sign and no size.
    """
    signs = known_signs(atoms)
    if signs is None:
        return None
    sizes = np.abs(atoms.arrays.get(MOMENTS, np.zeros(len(atoms))))
    if sizes.ndim > 1:
        sizes = np.linalg.norm(sizes, axis=1)
    return signs * np.where(np.isfinite(sizes) & (sizes > 0.0), sizes, 1.0)


def with_moments(atoms: Atoms, moments: np.ndarray | None) -> Atoms:
    """The same structure, which then has the initial magnetic moments (n,), if any."""
    if moments is not None:
        atoms.set_initial_magnetic_moments(moments)
    return atoms
