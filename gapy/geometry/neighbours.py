"""Neighbour lists in CSR form from vesin, and a Verlet list that rebuilds rarely.

Convention: r_p = r_j - r_i + S_p @ cell (rows of `cell` are the lattice vectors). The pairs of
centre i are first_i[i]:first_i[i + 1]; every pair appears from both ends; a periodic image of
the centre itself counts as a neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

import ase.geometry
import numpy as np
import vesin

from gapy._jit.pairs import largest_displacement, order_pairs, pair_vectors
from gapy._jit.small_pairs import small_pairs
from gapy._support.sizes import MOST_NEIGHBOURS, require_neighbours
from gapy.errors import StructureError
from gapy.structures.checks import DEGENERATE

CELLS_MOST = 1e5
"""Cells of vesin's grid at most."""
SMALL = (30_000, MOST_NEIGHBOURS)
"""Comparisons of atoms with atoms and their images, up to which they are faster than a search with
its checks, whose beginning alone costs as much (measured); and neighbours that need no check."""
FARTHEST = 1e12
"""Extent (A) from which positions have no digits left for distances between neighbours."""


@dataclass(frozen=True)
class Neighbours:
    """Pairs of a structure: first_i (n+1,), j_p (P,), shift_pc (P, 3) int, r_pc (P, 3) in A.

    `shortest_squared` is the smallest |r_p|^2 (A^2), infinite without pairs.
    """

    first_i: np.ndarray
    j_p: np.ndarray
    shift_pc: np.ndarray
    r_pc: np.ndarray
    shortest_squared: float = np.inf

    def __len__(self) -> int:
        return len(self.first_i) - 1

    @property
    def i_p(self) -> np.ndarray:
        """Centre of each pair, (P,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.first_i))


def differ(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of one type differ in any bit: the fastest comparison of small ones."""
    return a.tobytes() != b.tobytes()


def check_geometry(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    """Raise StructureError on non-finite numbers or on a periodic direction without extent."""
    if not np.isfinite(positions).all():
        bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
        raise StructureError(
            "positions: expected finite numbers, found NaN or infinity for atoms "
            f"{bad[:5].tolist()}"
        )
    if not np.isfinite(cell).all():
        raise StructureError("cell: expected finite numbers, found NaN or infinity")
    if pbc.any() and np.linalg.svd(cell[pbc], compute_uv=False)[-1] < DEGENERATE:
        raise StructureError(
            "cell: periodic directions need linearly independent lattice vectors, none of them as "
            f"short as {DEGENERATE} A, got lengths "
            f"{np.linalg.norm(cell, axis=1).round(6).tolist()} with pbc {pbc.tolist()}; set the "
            "cell or pbc=False"
        )


def _refuse_thin(positions, box, pbc, cutoff: float) -> None:
    """Raise StructureError for an extent so long and thin that vesin divides by zero.

    It lays a grid of at most CELLS_MOST cells with the proportions of the structure; where that
    leaves less than one cell across, the process would end without a message.
    """
    inverse = np.linalg.inv(box)
    spread = np.ptp(positions @ inverse, axis=0) if len(positions) else np.zeros(3)
    with np.errstate(divide="ignore"):  # a cell of 1e300 A has an inverse of no length
        extent = np.where(pbc, 1.0, spread) / np.linalg.norm(inverse, axis=0)
    cells = np.maximum(extent / cutoff, 1.0)
    thin = cells.prod() > CELLS_MOST and cells.min() < 2.0 * np.cbrt(cells.prod() / CELLS_MOST)
    if thin or not extent.max() < FARTHEST:
        raise StructureError(
            f"positions: expected atoms and cell within a usual distance, got an extent of "
            f"{extent.max():.1e} A; remove atoms that are far away or mend the cell"
        )


def _box(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Three independent vectors: those of the periodic directions, completed by unit vectors."""
    box = ase.geometry.complete_cell(np.where(pbc[:, None], cell, 0.0))
    box[pbc] = cell[pbc]  # where one vector is given, ASE rounds it
    return box


def check_reach(atoms, cutoff: float) -> None:
    """Raise StructureError for a cutoff (A) that reaches more neighbours than can be dealt with."""
    if len(atoms):
        box = _box(atoms.cell.array, atoms.pbc)
        require_neighbours(atoms.positions, box, atoms.pbc, cutoff)


def neighbour_list(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> Neighbours:
    """All pairs closer than `cutoff` (A), sorted by centre, neighbour and shift.

    So the pairs within some distance are the same, and in the same order, whatever longer list they
    are taken from: sums over them do not depend on when the list was made.

    Raises StructureError for non-finite input or a periodic direction without extent.
    """
    positions = np.ascontiguousarray(positions, dtype=float)
    cell = np.ascontiguousarray(cell, dtype=float)
    pbc = np.asarray(pbc, dtype=bool)
    if pbc.ndim == 0:
        pbc = np.full(3, pbc)
    n = len(positions)
    if n * n <= SMALL[0]:
        small, *found = small_pairs(
            np.array([0, n]), positions, cell[None], pbc[None], float(cutoff), *SMALL
        )
        if small[0]:
            return Neighbours(*found)
    check_geometry(positions, cell, pbc)
    box = _box(cell, pbc)
    _refuse_thin(positions, box, pbc, cutoff)
    require_neighbours(positions, box, pbc, cutoff)
    search = vesin.NeighborList(cutoff=float(cutoff), full_list=True, sorted=True, n_threads=1)
    i_p, j_p, shift_pc = search.compute(positions, box, pbc, quantities="ijS", copy=False)
    first_i = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(i_p.astype(np.int64), minlength=n), out=first_i[1:])
    # 32-bit indices, and the search's own arrays freed at once: pairs are most of the memory of
    # a large structure.
    j_p = j_p.astype(np.int32)
    shift_pc = shift_pc.astype(np.int32)
    del search, i_p
    order_pairs(first_i, j_p, shift_pc)
    r_pc = np.empty((len(j_p), 3))
    shortest = pair_vectors(positions, box, first_i, j_p, shift_pc, r_pc)
    return Neighbours(first_i, j_p, shift_pc, r_pc, shortest)


class VerletList:
    """Neighbour list with a skin: pairs are searched again only when they could have changed.

    The list holds pairs up to cutoff + skin of a reference geometry. With the cell deformed by
    F since then and d the largest displacement beyond that deformation, a pair outside the list
    is still longer than (cutoff + skin) (1 - |F - 1|) - 2 d, which must stay above the cutoff.

    Arguments: cutoff and skin in A.
    """

    def __init__(self, cutoff: float, skin: float = 0.5):
        self.cutoff = float(cutoff)
        self.skin = float(skin)
        self.n_builds = 0
        self._reference: tuple | None = None
        self._list: Neighbours | None = None

    def update(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> Neighbours:
        """Pairs with current vectors; some may be longer than the cutoff."""
        found, box, is_new = self.refresh(positions, cell, pbc)
        if is_new:
            return found
        r_pc = np.empty_like(found.r_pc)
        positions = np.ascontiguousarray(positions, dtype=float)
        shortest = pair_vectors(positions, box, found.first_i, found.j_p, found.shift_pc, r_pc)
        return Neighbours(found.first_i, found.j_p, found.shift_pc, r_pc, shortest)

    def refresh(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> tuple[Neighbours, np.ndarray, bool]:
        """The list with the vectors of its last search, the current box, whether it is new.

        The list is the same object until the next search.
        """
        positions = np.ascontiguousarray(positions, dtype=float)
        cell = np.asarray(cell, dtype=float)
        pbc = np.asarray(pbc, dtype=bool)
        box = self._box_if_valid(positions, cell, pbc)
        if box is not None and self._list is not None:
            return self._list, box, False
        self._list = neighbour_list(positions, cell, pbc, self.cutoff + self.skin)
        box = _box(cell, pbc)
        self._reference = (positions.copy(), cell.copy(), pbc.copy(), box)
        self.n_builds += 1
        return self._list, box, True

    def _box_if_valid(self, positions, cell, pbc) -> np.ndarray | None:
        """The current box; None if a pair may be missing from the list."""
        if self._reference is None:
            return None
        old_positions, old_cell, old_pbc, old_box = self._reference
        if old_positions.shape != positions.shape or differ(old_pbc, pbc):
            return None
        reach = self.cutoff + self.skin
        box, undeformed, shrink = old_box, old_positions, 0.0
        if differ(cell, old_cell):
            if not np.isfinite(cell).all():
                return None
            box = _box(cell, pbc)
            deformation = np.linalg.solve(old_box, box)
            undeformed = old_positions @ deformation
            shrink = float(np.linalg.norm(deformation - np.eye(3), 2))
        # A position that is not finite makes the comparison false: the search refuses it.
        largest = np.sqrt(largest_displacement(positions, undeformed))
        return box if reach * (1.0 - shrink) - 2.0 * largest > self.cutoff else None
