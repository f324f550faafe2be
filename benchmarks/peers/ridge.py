"""Linear least squares on two kinds of rows, its weights chosen on structures left out.

Rows [A | y] of energies (per atom) and of forces are kept as the R of a QR factorisation each.
That is all that the data contribute: for any c, |A c - y|^2 = |R [c; -1]|^2.
"""

from __future__ import annotations

import numpy as np

ENERGY_WEIGHTS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Candidates: (eV/A) / (eV/atom) of the square roots of the weights."""
RIDGES = tuple(10.0**k for k in range(-12, -1))
"""Candidates: relative to the largest singular value of the scaled columns."""
CHUNK = 4000
"""Rows that are factorised at once."""


class Factor:
    """R (k + 1, k + 1) of rows [A | y] (n, k + 1) that are added little by little."""

    def __init__(self):
        self._rows, self._waiting, self.n = [], 0, 0

    def add(self, rows: np.ndarray) -> None:
        """Take rows in."""
        self._rows.append(rows)
        self._waiting += len(rows)
        self.n += len(rows)
        if self._waiting >= CHUNK:
            self._reduce()

    def _reduce(self) -> None:
        self._rows = [np.linalg.qr(np.concatenate(self._rows), mode="r")]
        self._waiting = 0

    def r(self) -> np.ndarray:
        """The factor of all rows so far."""
        self._reduce()
        return self._rows[0]


def merged(*factors: Factor) -> Factor:
    """The factor of the rows of all of them."""
    both = Factor()
    for factor in factors:
        both.add(factor.r())
    both.n = sum(f.n for f in factors)
    return both


def rmse(factor: Factor, coefficients: np.ndarray) -> float:
    """Root mean square of A c - y over the rows of a factor."""
    return float(np.linalg.norm(factor.r() @ [*coefficients, -1.0]) / np.sqrt(factor.n))


def solutions(energy: Factor, forces: Factor, energy_weight: float, ridges, scaled: bool):
    """Coefficients (k,) for every ridge: the smallest of

        weight^2 |A_E c - y_E|^2 + |A_F c - y_F|^2 + (ridge s_1)^2 |D c|^2

    with D the lengths of the columns of the weighted rows, or 1 if not scaled, and s_1 the largest
    singular value of the rows after division by D. Columns of different units are to be scaled;
    columns of one unit not, or those that the data hardly reach are free.
    """
    stack = np.concatenate([energy_weight * energy.r(), forces.r()])
    a, y = stack[:, :-1], stack[:, -1]
    lengths = np.linalg.norm(a, axis=0) if scaled else np.ones(a.shape[1])
    lengths[lengths == 0.0] = 1.0
    u, s, vt = np.linalg.svd(a / lengths, full_matrices=False)
    projected = u.T @ y
    for ridge in ridges:
        yield vt.T @ (s / (s**2 + (ridge * s[0]) ** 2) * projected) / lengths


def chosen(train, left_out, scaled: bool) -> dict:
    """Weight and ridge with the smallest product of the two errors on left-out structures.

    `train` and `left_out` are pairs (energy, forces) of factors.
    """
    found = [
        {
            "energy_weight": weight,
            "ridge": ridge,
            "energy": rmse(left_out[0], c),
            "forces": rmse(left_out[1], c),
        }
        for weight in ENERGY_WEIGHTS
        for ridge, c in zip(RIDGES, solutions(*train, weight, RIDGES, scaled))
    ]
    return min(found, key=lambda f: f["energy"] * f["forces"])


def fitted(train, left_out, *, scaled: bool) -> tuple[dict, np.ndarray]:
    """What is chosen on the structures left out, and coefficients (k,) fitted to all of them."""
    best = chosen(train, left_out, scaled)
    both = tuple(merged(*pair) for pair in zip(train, left_out))
    (coefficients,) = solutions(*both, best["energy_weight"], [best["ridge"]], scaled)
    return best, coefficients
