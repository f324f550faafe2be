"""What the positions alone say: volume per atom, neighbours, shortest distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from gapy.errors import GapyError
from gapy.geometry.neighbours import neighbour_list

R_MAX = 8.0
"""Pairs up to here (A) are looked at; the first minimum of any dense phase lies well below."""
BIN, WIDTH = 0.02, 0.06
"""Bins of the pair distribution and the Gaussian that smooths it, A."""
N_QUANTILES, QUANTILE_REACH = 200, 6.0
"""Quantiles of the pair distances up to this reach (A)."""
VACUUM = 5.0
"""A layer without atoms thicker than this (A) is vacuum: the volume per atom means nothing."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Of all structures, in their order.

    volume (S,): A^3 per atom, NaN without a full periodic cell or with vacuum. nearest and
    coordination: for each structure (n,), distance to the nearest neighbour (A, infinite if there
    is none within R_MAX) and number of neighbours within `cutoff` (A). shortest: {(Z, Z'): A}.
    quantiles (S, N_QUANTILES): of the pair distances of each structure, A.
    """

    volume: np.ndarray
    nearest: tuple[np.ndarray, ...]
    coordination: tuple[np.ndarray, ...]
    shortest: dict[tuple[int, int], float]
    quantiles: np.ndarray
    cutoff: float
    cutoff_source: str


def geometry(structures, cutoff: float | None = None) -> Geometry:
    """Geometry of labelled structures; `cutoff` defaults to the first minimum of the pairs.

    Raises
    ------
    GapyError : a cutoff that is not positive or above R_MAX
    """
    if cutoff is not None and not 0.0 < cutoff <= R_MAX:
        raise GapyError(
            f"neighbour_cutoff: expected a length above 0 and up to {R_MAX:g} A, got {cutoff}"
        )
    counts = np.zeros(int(R_MAX / BIN))
    nearest, shortest, distances, quantiles = [], {}, [], []
    for s in structures:
        pairs = neighbour_list(s.atoms.positions, s.atoms.cell.array, s.atoms.pbc, R_MAX)
        d = np.sqrt(np.einsum("pc,pc->p", pairs.r_pc, pairs.r_pc))
        counts += np.histogram(d, bins=len(counts), range=(0.0, R_MAX))[0]
        nearest.append(_minimum_by_centre(d, pairs.first_i))
        _note_shortest(s.atoms.numbers, pairs, d, shortest)
        quantiles.append(_quantiles(d))
        # Distances in single precision: only to be counted.
        distances.append((d.astype(np.float32), pairs.first_i))
    source = "given"
    if cutoff is None:
        cutoff, source = _first_minimum(counts)
    coordination = tuple(
        np.add.reduceat(np.append(d < cutoff, False), first_i[:-1]) * (np.diff(first_i) > 0)
        for d, first_i in distances
    )
    volume = np.array([volume_per_atom(s.atoms) for s in structures])
    return Geometry(
        volume, tuple(nearest), coordination, shortest, np.array(quantiles), float(cutoff), source
    )


def _quantiles(d) -> np.ndarray:
    near = d[d < QUANTILE_REACH]
    levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    return np.quantile(near, levels) if len(near) else np.zeros(N_QUANTILES)


def _minimum_by_centre(d, first_i) -> np.ndarray:
    padded = np.append(d, np.inf)
    return np.where(np.diff(first_i) > 0, np.minimum.reduceat(padded, first_i[:-1]), np.inf)


def _note_shortest(numbers, pairs, d, shortest) -> None:
    a, b = numbers[pairs.i_p], numbers[pairs.j_p]
    for z in np.unique(numbers).tolist():
        for other in np.unique(numbers[numbers >= z]).tolist():
            here = d[(a == z) & (b == other)].min(initial=np.inf)
            if np.isfinite(here):
                shortest[z, other] = min(shortest.get((z, other), np.inf), float(here))


def _first_minimum(counts: np.ndarray) -> tuple[float, str]:
    """Cutoff of the first shell: the middle of the lowest stretch after the first peak.

    It is looked for between the first peak r1 and 1.8 r1, where every dense phase has one: behind
    the first shell of diamond (1.6 r1 is the second) and fcc, behind the second of bcc.
    """
    r = (np.arange(len(counts)) + 0.5) * BIN
    g = gaussian_filter1d(counts / r**2, WIDTH / BIN)
    if not counts.any():
        return 3.0, "no pairs; a guess"
    peaks = np.flatnonzero((g[1:-1] >= g[:-2]) & (g[1:-1] > g[2:]) & (g[1:-1] > 0.3 * g.max())) + 1
    if not len(peaks):
        peaks = [int(np.argmax(g))]
    first = peaks[0]
    stretch = g[first : min(int(1.8 * first), len(g))]
    low = stretch <= stretch.min() + 0.02 * g[first]
    start = int(np.argmax(low))
    end = start + int(np.argmin(np.append(low[start:], False)))
    return float(r[first + (start + end) // 2]), "first minimum of the pair distribution"


def volume_per_atom(atoms) -> float:
    """A^3 per atom; NaN where the cell has no volume of matter alone."""
    if not atoms.pbc.all() or abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        return np.nan
    heights = 1.0 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    fractions = np.sort(atoms.get_scaled_positions(wrap=True), axis=0)
    gaps = np.diff(np.vstack([fractions, fractions[:1] + 1.0]), axis=0).max(axis=0)
    if (gaps * heights > VACUUM).any():
        return np.nan
    return float(atoms.get_volume() / len(atoms))
