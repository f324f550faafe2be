"""Leading inducing points from which the force sigma measures distances.

    d = delta^2 (1 - k^T K^-1 k),   k_s = |xh . x_s|^e,   K = (x x^T)^e + jitter

is the prior variance of a local energy that the points leave unexplained. The exponent e is one of
its own: distances only serve to tell environments apart, which the kernel of a small zeta does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from gapy.gp.kernel import dot_product
from gapy.gp.posterior import Precision, whiten
from gapy.gp.terms import JITTER, Block


@dataclass(frozen=True)
class Landmarks:
    """Some points of each block, `blocks` with the exponent for zeta, and factors of their K.

    columns: theirs in the full model; power_m: from k of the model to k of the landmarks.
    """

    blocks: tuple[Block, ...]
    cholesky: tuple[np.ndarray, ...]
    columns: np.ndarray
    power_m: np.ndarray

    def kernel(self, rows: np.ndarray) -> np.ndarray:
        """k (n, m) of local energies from their rows (n, M) in the full model."""
        k_nm = rows[:, self.columns]
        return k_nm if (self.power_m == 1.0).all() else np.abs(k_nm) ** self.power_m

    def whiten(self, k_nm: np.ndarray) -> np.ndarray:
        """l = delta L^-1 k, (m, n), with which |l|^2 is what the points explain."""
        return whiten(self.blocks, self.cholesky, k_nm)

    def explained(self, rows: np.ndarray) -> np.ndarray:
        """Prior variance (n,) that the points explain, eV^2, of rows as for `kernel`."""
        l_mn = self.whiten(self.kernel(rows))
        return np.einsum("mn,mn->n", l_mn, l_mn)

    def leading(self, n: int) -> Landmarks:
        """The first n points of each block."""
        counts = [min(b.stop - b.start, n) for b in self.blocks]
        kept = np.concatenate([b.start + np.arange(m) for b, m in zip(self.blocks, counts)])
        factors = tuple(np.asfortranarray(l[:m, :m]) for l, m in zip(self.cholesky, counts))
        return Landmarks(
            _numbered(self.blocks, counts), factors, self.columns[kept], self.power_m[kept]
        )


def landmarks(posterior: Precision, share: float, least: int, exponent: int) -> Landmarks:
    """The leading `share` of each block's points, at least `least`, where there are so many.

    Of the blocks of environments, and of the exponent, or the block's zeta if that is larger; then
    nothing is factorised again.
    """
    kept = [(b, c) for b, c in zip(posterior.blocks, posterior.cholesky) if not b.of_pairs]
    whole, lowers = zip(*kept)
    counts = [b.leading(share, least) for b in whole]
    parts = [replace(b, zeta=max(b.zeta, exponent)) for b in _numbered(whole, counts)]
    factors = [
        np.asfortranarray(lower[: len(part.x_sd), : len(part.x_sd)])
        if part.zeta == b.zeta
        else _factor(part)
        for b, part, lower in zip(whole, parts, lowers)
    ]
    columns = [b.start + np.arange(n) for b, n in zip(whole, counts)]
    powers = [p.zeta / b.zeta for b, p in zip(whole, parts)]
    return Landmarks(
        tuple(parts), tuple(factors), np.concatenate(columns), np.repeat(powers, counts)
    )


def _numbered(blocks, counts) -> tuple[Block, ...]:
    """Blocks of the first `counts` points of each, one after the other."""
    stops = np.cumsum(counts).tolist()
    return tuple(
        replace(b, start=stop - n, stop=stop, x_sd=b.x_sd[:n])
        for b, n, stop in zip(blocks, counts, stops)
    )


def _factor(block: Block) -> np.ndarray:
    k = dot_product(block.x_sd, block.x_sd, block.zeta)
    k[np.diag_indices_from(k)] += JITTER
    return np.asfortranarray(scipy.linalg.cholesky(k, lower=True, overwrite_a=True))
