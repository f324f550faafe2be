"""What is asked of a pair term of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from gapy._support.ranges import require_range
from gapy.descriptors.pair import PairDescriptor
from gapy.errors import GapyError
from gapy.fit.setting_kinds import Whole, positive

NEAREST = 0.7
"""First inducing distance as a share of the sum of the covalent radii: no bond is shorter."""


@dataclass(frozen=True)
class Pair:
    """A Gaussian process over distances, one function for each pair of species.

        E = 1/2 sum_i sum_j f_ab(r_ij)
        cov(f(r), f(r')) = delta^2 fc(r) fc(r') exp(-(r - r')^2 / 2 l^2)

    r_cut : A, where f and its first two derivatives vanish
    length : l, A
    n_inducing : inducing distances of each pair of species, evenly from 0.7 of the sum of their
        covalent radii to r_cut; the kernel is carried to 1e-6 where they are half a length apart
    delta : prior standard deviation of f, eV; None: that of the regressor
    transition : A, over which fc falls from 1 to 0 before r_cut
    species : symbols or atomic numbers; None: all that the other terms know

    Raises
    ------
    GapyError : a number out of range, distances farther apart than the length
    """

    r_cut: float = 6.0
    length: float = 0.7
    n_inducing: int = 20
    delta: float | None = None
    transition: float = 2.0
    species: Sequence[str | int] | None = None

    def __post_init__(self) -> None:
        for name in ("r_cut", "length", "transition"):
            positive(name, name, getattr(self, name))
        Whole(2)("n_inducing", "n_inducing", self.n_inducing)
        if self.delta is not None:
            positive("delta", "delta", self.delta)
            require_range("delta", self.delta)
        if self.transition > self.r_cut:
            raise GapyError(
                f"transition: expected at most r_cut ({self.r_cut:g} A), got {self.transition:g}"
            )
        apart = self.r_cut / (self.n_inducing - 1)
        if apart > 1.5 * self.length:
            raise GapyError(
                f"n_inducing: expected inducing distances not much farther apart than the length "
                f"({self.length:g} A), got {self.n_inducing} up to {self.r_cut:g} A; give more of "
                "them or a larger length"
            )

    def descriptor(self, species: Sequence[int]) -> PairDescriptor:
        """Of these atomic numbers. Raises GapyError where bonds are longer than r_cut."""
        numbers = sorted(set(map(int, species)))
        nearest = [
            NEAREST * float(covalent_radii[a] + covalent_radii[b])
            for k, a in enumerate(numbers)
            for b in numbers[k:]
        ]
        if max(nearest) >= 0.9 * self.r_cut:
            raise GapyError(
                f"r_cut: expected a pair term to reach beyond {max(nearest) / 0.9:.2f} A, where "
                f"bonds of these species begin, got {self.r_cut:g} A; take a larger one"
            )
        grid = [np.linspace(r, self.r_cut, self.n_inducing + 1)[:-1] for r in nearest]
        return PairDescriptor(numbers, self.r_cut, self.length, grid, self.transition)
