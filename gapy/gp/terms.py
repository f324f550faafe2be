"""A term of the model: descriptor, kernel exponent and inducing points, by central species.

    k(i, j) = delta^2 [Z_i = Z_j] (xh_i . xh_j)^zeta,   xh = x / |x|

Terms and species have no covariance with one another, so the columns of K_nM fall into blocks,
one for each (term, central species), listed in this order by `blocks`. The blocks of a pair term
(`gapy.descriptors.pair`) are those of its pairs of species, whose functions serve both ends:

    k(i, j) = delta^2 x_i . x_j,   x_i half the sum of the features of its distances
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ase.data
import numpy as np
import scipy.linalg

from gapy._jit.covariance import normalise
from gapy.descriptors import Descriptor
from gapy.errors import GapyError
from gapy.gp.kernel import dot_product

JITTER = 1e-10
"""Added to K_MM (unit diagonal): well above rounding (1e-16 M), well below any label's weight."""


@dataclass(frozen=True)
class Term:
    """One descriptor with its inducing points.

    inducing[slot] (M_s, D) are normalised descriptors of environments whose centre is species
    slot; delta[slot] (eV) is the prior standard deviation of such a local energy. serves: atomic
    numbers of the central atoms that may have inducing points; None: all of the descriptor's.
    """

    descriptor: Descriptor
    zeta: int
    inducing: tuple[np.ndarray, ...]
    delta: tuple[float, ...]
    serves: tuple[int, ...] | None = None

    def __post_init__(self):
        if int(self.zeta) != self.zeta or self.zeta < 1:
            raise GapyError(f"zeta: expected an integer of at least 1, got {self.zeta}")
        if self.of_pairs and self.zeta != 1:
            raise GapyError(f"zeta: expected 1 of a pair term, got {self.zeta}")
        if any(not d > 0.0 for d in self.delta):
            raise GapyError(f"delta: expected positive numbers (eV), got {self.delta}")

    @property
    def of_pairs(self) -> bool:
        """Whether it is a function of distances for each pair of species."""
        return self.descriptor.of_pairs

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Symbols of the slots: central species, or pairs of species."""
        if self.of_pairs:
            return tuple(map(self.descriptor.slot_name, range(len(self.inducing))))
        return tuple(ase.data.chemical_symbols[z] for z in self.descriptor.species)

    @property
    def served(self) -> tuple[int, ...]:
        """Atomic numbers of the centres that may have inducing points; none of a pair term."""
        if self.of_pairs:
            return ()
        return tuple(self.descriptor.species) if self.serves is None else self.serves

    @property
    def known_species(self) -> tuple[int, ...]:
        """Atomic numbers of the central atoms that have inducing points; none of a pair term."""
        if self.of_pairs:
            return ()
        return tuple(z for z, x_sd in zip(self.descriptor.species, self.inducing) if len(x_sd))


@dataclass(frozen=True)
class Block:
    """Columns `start:stop` of K_nM: inducing points of one term and one slot."""

    term: int
    slot: int
    start: int
    stop: int
    x_sd: np.ndarray
    zeta: int
    delta: float
    of_pairs: bool = False

    @property
    def columns(self) -> slice:
        return slice(self.start, self.stop)

    def leading(self, share: float, least: int) -> int:
        """How many points a share of them is: at least `least`, where there are so many."""
        n = self.stop - self.start
        return min(max(int(np.ceil(share * n)), least), n)


def blocks(terms) -> tuple[Block, ...]:
    """Column blocks of all terms, species without inducing points left out."""

    def generate() -> Iterator[Block]:
        start = 0
        for t, term in enumerate(terms):
            for slot, x_sd in enumerate(term.inducing):
                if len(x_sd):
                    stop = start + len(x_sd)
                    of = term.zeta, term.delta[slot], term.of_pairs
                    yield Block(t, slot, start, stop, x_sd, *of)
                    start = stop

    return tuple(generate())


def of_environments(terms) -> tuple:
    """The terms, or blocks, that describe environments: all but those of pairs."""
    return tuple(one for one in terms if not one.of_pairs)


def local_prior(terms, numbers: np.ndarray) -> np.ndarray:
    """Prior variance of the local energies (n,) of atoms with these atomic numbers, eV^2.

    Without that of pair terms, which depends on the distances.
    """
    prior = np.zeros(len(numbers))
    for term in of_environments(terms):
        for slot, z in enumerate(term.descriptor.species):
            if not len(term.inducing[slot]):
                continue  # a term says nothing of centres that it has no points for
            prior[numbers == z] += term.delta[slot] ** 2
    return prior


def normalised(x_id: np.ndarray) -> np.ndarray:
    """Rows of unit length (a copy); rows of zeros stay zero."""
    out = np.array(x_id, dtype=float, order="C")
    normalise(out, np.empty(len(out)))
    return out


def cholesky_factors(terms) -> tuple[np.ndarray, ...]:
    """Lower L_b with L_b L_b^T = K_MM + JITTER of each block, at delta = 1."""
    return factors_of(blocks(terms))


def factors_of(table: Iterable[Block]) -> tuple[np.ndarray, ...]:
    """As `cholesky_factors`, of blocks.

    Raises GapyError where points are too close to one another.
    """
    out = []
    for block in table:
        k = dot_product(block.x_sd, block.x_sd, block.zeta)
        k[np.diag_indices_from(k)] += JITTER
        try:
            lower = scipy.linalg.cholesky(k, lower=True, overwrite_a=True, check_finite=True)
            # SciPy's versions differ in the memory order, and BLAS rounds by it: a loaded model
            # must have that of a fresh one.
            out.append(np.asfortranarray(lower))
        except (np.linalg.LinAlgError, ValueError) as error:
            raise GapyError(
                f"inducing points: K_MM of {len(block.x_sd)} points is not positive definite "
                f"({error}); choose fewer or more distinct points (selection='cholesky')"
            ) from error
    return tuple(out)
