"""The pair list that a model is evaluated on, whoever made it.

Its centres are stated, so that a ghost, an atom of another domain or a periodic image, can be a
neighbour without being a centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy._jit.pairs import inspect_pairs
from gapy.errors import StructureError
from gapy.geometry.neighbours import neighbour_list

COINCIDENT_SQUARED = 1e-10
"""A^2: closer atoms have no direction between them."""
TYPES = (("centre_i", np.int64), ("first_i", np.int64), ("j_p", np.int32), ("r_pc", np.float64))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Neighbours of some atoms of a structure, the centres.

    Centre k is atom centre_i[k] (c,); its pairs are first_i[k]:first_i[k + 1] (c + 1,), with atom
    j_p (P,) and vector r_pc (P, 3) = r_j - r_i + S @ cell in A. Every pair shorter than `cutoff`
    (A) is listed, from each end that is a centre; longer ones may be. Several pairs of a centre
    may name one atom j: its periodic images. signs (n,): -1, 0 or 1 of the magnetic moment of each
    atom, None where nobody said them; only magnetic descriptors ask for them. `checked` makes
    arrays from elsewhere safe.
    """

    centre_i: np.ndarray
    first_i: np.ndarray
    j_p: np.ndarray
    r_pc: np.ndarray
    cutoff: float
    signs: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.centre_i)

    def checked(self, n_atoms: int) -> Pairs:
        """The same pairs, fit for any evaluation of n_atoms atoms: one pass over them.

        Arrays of another type or order are converted. Raises StructureError for other shapes,
        indices out of range, a centre named twice, a first_i that does not rise from 0 to P,
        vectors that are not finite, atoms on top of each other.
        """
        arrays = {name: _converted(name, getattr(self, name), dtype) for name, dtype in TYPES}
        pairs = Pairs(**arrays, cutoff=float(self.cutoff), signs=_signs(self.signs, n_atoms))
        n, p = pairs.centre_i.shape, pairs.j_p.shape
        if len(n) != 1 or len(p) != 1 or pairs.first_i.shape != (n[0] + 1,):
            pairs._refuse_shapes()
        if pairs.r_pc.shape != (p[0], 3):
            pairs._refuse_shapes()
        seen = np.zeros(n_atoms, dtype=np.bool_)
        at, shortest = inspect_pairs(pairs.centre_i, pairs.first_i, pairs.j_p, pairs.r_pc, seen)
        if at == -1:
            raise StructureError(
                f"first_i: expected numbers that rise from 0 to {p[0]}, the number of pairs; "
                "give the pairs of each centre in one piece"
            )
        if at == -2:
            raise StructureError(
                f"centre_i: expected each centre once, from 0 to {n_atoms - 1}, got "
                f"{pairs.centre_i[:5].tolist()}...; give indices into numbers"
            )
        if at >= 0:
            raise StructureError(
                f"pairs: expected j_p from 0 to {n_atoms - 1} and finite vectors, got atom "
                f"{int(pairs.j_p[at])}, vector {pairs.r_pc[at].tolist()} in pair {at}; ghost atoms "
                "belong into numbers too"
            )
        pairs.refuse_coincident(shortest)
        return pairs

    def _refuse_shapes(self) -> None:
        shapes = {name: getattr(self, name).shape for name, _ in TYPES}
        raise StructureError(
            "pairs: expected centre_i (c,), first_i (c + 1,), j_p (P,) and r_pc (P, 3), got "
            f"{shapes}; see gapy.geometry.pairs"
        )

    def refuse_coincident(self, shortest_squared: float) -> None:
        """Raise StructureError if the shortest |r_p|^2 (A^2) is that of two atoms in one place."""
        if shortest_squared >= COINCIDENT_SQUARED:
            return
        d2 = np.einsum("pc,pc->p", self.r_pc, self.r_pc)
        p = int(d2.argmin())
        i = int(self.centre_i[np.searchsorted(self.first_i, p, side="right") - 1])
        raise StructureError(
            f"positions: atoms {i} and {int(self.j_p[p])} are on top of each other "
            f"({np.sqrt(d2[p]):.1e} A apart); remove one of them"
        )


def _converted(name: str, given, dtype) -> np.ndarray:
    found = np.asarray(given)
    if found.size and dtype is not np.float64 and not np.issubdtype(found.dtype, np.integer):
        raise StructureError(f"{name}: expected integers, got {found.dtype}; give indices of atoms")
    return np.ascontiguousarray(found, dtype=dtype)


def _signs(given, n_atoms: int) -> np.ndarray | None:
    if given is None:
        return None
    found = np.asarray(given)
    if found.shape != (n_atoms,) or not np.isin(found, (-1, 0, 1)).all():
        raise StructureError(
            f"signs: expected -1, 0 or 1 for each of {n_atoms} atoms, ghosts included, got an "
            f"array {found.shape}; give the signs of their magnetic moments, or None"
        )
    return found.astype(np.int64)


def pairs_within(atoms, cutoff: float, *, periodic=True) -> Pairs:
    """All atoms of an ASE structure as centres, with their neighbours within `cutoff` (A).

    Without `periodic` no images are seen. Raises StructureError for non-finite positions, a
    periodic direction without extent, or two atoms in one place.
    """
    pbc = atoms.pbc if periodic else np.zeros(3, dtype=bool)
    found = neighbour_list(atoms.positions, atoms.cell.array, pbc, cutoff)
    pairs = Pairs(np.arange(len(atoms)), found.first_i, found.j_p, found.r_pc, float(cutoff))
    pairs.refuse_coincident(found.shortest_squared)
    return pairs
