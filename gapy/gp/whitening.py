"""Rows in whitened coordinates, and the factors they refer to as inducing points come and go.

With L L^T = K_MM of each block at delta = 1, the whitened rows W = K_nM L^-T have weights
L^T alpha, and a row of W is as long as the prior standard deviation that the points explain. So
rounding in what is gathered of W stays small beside the labels, where in K_nM it would be enlarged
by the condition of L when L is divided out later.

What is gathered refers to one L, which must stay the same to the last bit. More points border it,

    [K  C]      [L    0]
    [C^T B]  =  [V^T  S] [...]^T,   V = L^-1 C,   S S^T = B - V^T V,

so that W keeps its columns and gets more. With fewer points (rows `keep` of L)

    L_keep = L' Q^T,   Q^T Q = 1     ->     W' = W Q.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import scipy.linalg
from scipy.linalg import solve_triangular

from gapy.errors import GapyError
from gapy.gp.kernel import dot_product
from gapy.gp.terms import JITTER, Block, blocks
from gapy.gp.triangles import solve_triangle


def whitened(table: Sequence[Block], cholesky, rows: np.ndarray) -> np.ndarray:
    """W = K L^-T of rows K (n, M) at delta = 1."""
    out = np.empty((rows.shape[1], len(rows)))
    for b, lower in zip(table, cholesky):
        of = rows[:, b.columns]
        if of.any():
            out[b.columns] = solve_triangle(lower, of.T, lower=True)
        else:  # rows of structures without the species
            out[b.columns] = 0.0
    return out.T


def prior_scale(table: Sequence[Block]) -> np.ndarray:
    """The delta of every column, (M,)."""
    return np.concatenate([np.full(b.stop - b.start, b.delta) for b in table])


def bordered(lower: np.ndarray, block: Block) -> np.ndarray:
    """Factor of a block whose first points are those of `lower`, which it keeps bit by bit."""
    m = len(lower)
    old, new = block.x_sd[:m], block.x_sd[m:]
    v_me = solve_triangular(lower, dot_product(new, old, block.zeta).T, lower=True)
    rest = dot_product(new, new, block.zeta) - v_me.T @ v_me
    rest[np.diag_indices_from(rest)] += JITTER
    out = np.zeros((len(block.x_sd), len(block.x_sd)), order="F")
    out[:m, :m] = lower
    out[m:, :m] = v_me.T
    if len(new):
        try:
            out[m:, m:] = scipy.linalg.cholesky(rest, lower=True)
        except np.linalg.LinAlgError as error:
            raise GapyError(
                f"inducing points: {len(new)} new ones are too close to one another or to the "
                f"{m} that were there ({error}); add fewer or more distinct points"
            ) from error
    return out


def extended(terms, cholesky, grown) -> tuple[np.ndarray, ...]:
    """Factors of `grown`, terms with the points of `terms`, then more, in each species."""
    known = {(b.term, b.slot): lower for b, lower in zip(blocks(terms), cholesky)}
    nothing = np.empty((0, 0))
    return tuple(bordered(known.get((b.term, b.slot), nothing), b) for b in blocks(grown))


def reduced(
    table: Sequence[Block], cholesky, columns: Collection[int]
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Factors without the points of these columns, and Q (M, M') of whitened rows: W' = W Q."""
    drop = np.asarray(columns, dtype=int)
    factors, turns = [], []
    for b, lower in zip(table, cholesky):
        own = drop[(drop >= b.start) & (drop < b.stop)] - b.start
        if not len(own):
            factors.append(lower)
            turns.append(np.eye(len(lower)))
            continue
        turn, upper = scipy.linalg.qr(np.delete(lower, own, axis=0).T, mode="economic")
        sign = np.where(np.diag(upper) < 0.0, -1.0, 1.0)  # a Cholesky factor has a positive one
        turns.append(turn * sign)
        if upper.size:
            factors.append(np.asfortranarray((upper * sign[:, None]).T))
    return tuple(factors), scipy.linalg.block_diag(*turns)
