"""The sufficient statistic: for each noise group the triangular factor of its rows and labels.

For a group g of whitened rows W_g = K_g L^-T (at delta = 1, `gapy.gp.whitening`) and labels y_g

    [W_g  y_g] = Q_g [R_g  z_g; 0  sqrt(rho_g)]

is all that the data contribute to the fit, the likelihood and their derivatives. It takes
O(M^2) memory however many rows there are, and factors of parts merge by one more QR. Rows are
whitened before they come in: of K_g itself, L^-T would enlarge the rounding of R_g by the condition
of L (measured: merged shards 6e-9 eV/A apart, against 5e-11).

K^T K is never formed: it would square the condition number.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from gapy._support.threads import blas_threads
from gapy.errors import GapyError

PANEL = 32
"""Block size of the triangular-pentagonal QR (measured: flat between 16 and 64 for a rectangle, a
triangle is slower with 64)."""


class Factor:
    """Streaming QR of [W y] for one group.

    Rows are collected before they are merged; few rows are kept as they are. seen (M + 1,): columns
    that are not zero in all of them. Structures without some species have none of the columns of
    its points, and a triangle that leaves these out takes a fraction of the time.
    """

    def __init__(self, n_columns: int):
        self.n_columns = n_columns
        self.n_rows = 0
        self.log_weight = 0.0
        self.seen = np.zeros(n_columns + 1, dtype=bool)
        self._triangle: np.ndarray | None = None
        self._pending: list[np.ndarray] = []
        self._n_pending = 0

    @classmethod
    def of(cls, matrix: np.ndarray, n_rows: int, log_weight: float, triangle=False) -> Factor:
        """A factor that stands for `n_rows` rows through `matrix` [R z], which it takes over.

        triangle: `matrix` is the square triangle of a factor, not rows still to be merged.
        """
        out = cls(matrix.shape[1] - 1)
        out.n_rows, out.log_weight = n_rows, log_weight
        if triangle:
            out._triangle = np.asfortranarray(matrix)
            out.seen = out._triangle.any(axis=0)
        elif len(matrix):
            out._append(matrix)
        return out

    @property
    def is_triangle(self) -> bool:
        """Whether `matrix` is a triangle; few rows are kept as they came."""
        self.compress()
        return self._triangle is not None

    def add(self, rows: np.ndarray, y: np.ndarray, weight=1.0) -> None:
        """Add rows (n, M) with labels (n,), multiplied by `weight` (scalar or (n,))."""
        weight = np.broadcast_to(np.asarray(weight, dtype=float), y.shape)
        block = np.empty((len(y), self.n_columns + 1), order="F")  # that of LAPACK, and of `rows`
        block[:, :-1] = rows
        block[:, -1] = y
        block *= weight[:, None]
        self.n_rows += len(y)
        self.log_weight += float(np.log(weight).sum())
        self._append(block)

    def merge(self, other: Factor) -> None:
        """Add the rows that another factor stands for."""
        self.n_rows += other.n_rows
        self.log_weight += other.log_weight
        self._append(other.matrix().copy())

    def matrix(self) -> np.ndarray:
        """Rows [R z] that stand for all rows: at most M + 1 of them."""
        self.compress()
        if self._triangle is None:
            return np.vstack(self._pending) if self._pending else np.empty((0, self.n_columns + 1))
        return np.triu(self._triangle)

    def _append(self, block: np.ndarray) -> None:
        self.seen |= block.any(axis=0)
        self._pending.append(block)
        self._n_pending += len(block)
        if self._n_pending > 2 * (self.n_columns + 1):
            self.compress()

    def compress(self) -> None:
        """Triangularise what was gathered; what follows only reads, until rows are added."""
        size = self.n_columns + 1
        if self._triangle is None and self._n_pending <= size:
            if len(self._pending) > 1:
                self._pending = [self._gathered(slice(None))]
            return
        if not self._pending:
            return
        if self._triangle is None:
            self._triangle = np.zeros((size, size), order="F")
        if self.seen.all():
            rows = self._gathered(slice(None))
            self._triangle = absorb(self._triangle, rows)
        else:
            at = np.flatnonzero(self.seen)
            part = np.asfortranarray(self._triangle[np.ix_(at, at)])
            self._triangle[np.ix_(at, at)] = absorb(part, self._gathered(at))
        self._pending, self._n_pending = [], 0

    def _gathered(self, columns) -> np.ndarray:
        """Some columns of the rows that were not merged yet, in LAPACK's order."""
        out = np.empty((self._n_pending, len(self.seen[columns])), order="F")
        begin = 0
        for block in self._pending:
            out[begin : begin + len(block)] = block[:, columns]
            begin += len(block)
        return out


def absorb(triangle: np.ndarray, rows: np.ndarray, *, upper: bool = False) -> np.ndarray:
    """R of the QR of [triangle; rows]; both arguments are overwritten (Fortran order).

    upper: `rows` is a square upper triangle too, which takes less than half the time. By one
    thread, whoever calls: more of them sum in another order.
    """
    panel = min(PANEL, triangle.shape[1])
    corner = len(rows) if upper else 0  # rows of LAPACK's trapezoid
    with blas_threads(1):
        out, _, _, info = lapack.dtpqrt(corner, panel, triangle, rows, overwrite_a=1, overwrite_b=1)
    if info != 0:
        raise GapyError(f"statistic: QR failed with LAPACK info {info}")
    return out


class Group(NamedTuple):
    """Labels that share one noise sigma: a kind in a config_type.

    own: of structures that state their own sigma, by which their rows are divided; the sigma of
    the group is then a factor without unit.
    """

    kind: str
    config_type: str
    own: bool = False


@dataclass
class SufficientStatistic:
    """Factors of all noise groups."""

    n_columns: int
    factors: dict[Group, Factor] = field(default_factory=dict)

    def copy(self) -> SufficientStatistic:
        """A statistic that can grow while this one stays as it is."""
        return copy.deepcopy(self)

    @property
    def n_labels(self) -> int:
        """Labels that the factors stand for."""
        return sum(factor.n_rows for factor in self.factors.values())

    def add(self, group: Group, rows, y, weight=1.0) -> None:
        """Add labelled rows to a group."""
        self._factor(group).add(np.atleast_2d(rows), np.atleast_1d(y), weight)

    def merge(self, other: SufficientStatistic) -> None:
        """Add everything another statistic of the same inducing points holds."""
        if other.n_columns != self.n_columns:
            raise GapyError(
                f"statistic: cannot merge {other.n_columns} columns into {self.n_columns}; "
                "both must use the same inducing points"
            )
        for group, factor in other.factors.items():
            self._factor(group).merge(factor)

    def _factor(self, group: Group) -> Factor:
        return self.factors.setdefault(group, Factor(self.n_columns))
