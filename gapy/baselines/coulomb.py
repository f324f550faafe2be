"""Electrostatics of ions: a fixed charge for each species."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, cast

import numpy as np
from ase import Atoms

from gapy.baselines.by_species import by_species, by_symbol, flag, in_range, per_atom, width
from gapy.baselines.electrostatics import energy_and_forces, require_neutral, require_sums
from gapy.baselines.elements import elements_of, require_served
from gapy.baselines.protocol import Contribution, System
from gapy.baselines.whole import ANSWERS, of_whole, whole_structure
from gapy.errors import GapyError

SIGMA = 1.0
"""Default width of the charges, A: at 5 A they are points to 0.0004 of the energy."""
LARGEST_CHARGE = 20.0
LARGEST_SCALE = 100.0
LEARNT = "fit"


@dataclass(frozen=True)
class Coulomb:
    """Gaussian charges, one for each species, in direct or Ewald sums.

        E = s K/2 sum_ij' q_i q_j erf(gamma_ij r_ij) / r_ij,   1/gamma_ij^2 = 2 (w_i^2 + w_j^2)

    with K = e^2/(4 pi eps0) = 14.4 eV A, over all pairs of atoms and images; the energy of a
    charge with itself is left out, so that free atoms have none. Beyond a few w the ions are
    points; where they meet, a pair of opposite charges has no more than K q^2 / (w sqrt(pi)), 8.1
    eV for q = 1 and w = 1, so that short distances stay those of ZBL and the Gaussian process.
    Structures without periodic directions are summed directly, those with three by Ewald
    (`gapy.baselines.electrostatics`). All of the energy is `shared`: it belongs to the whole
    structure. Without `background` an atom alone is taken as neutral, in a periodic cell too: it is
    there for its free energy.

    Arguments
    ---------
    charges : {"Na": 1.0, "Cl": -1.0}, e, formal or effective; other species are refused
    sigma : w, standard deviation of the Gaussians, A, or one for each species
    background : whether a uniform background compensates the charge of periodic structures that
        are not neutral, as plane-wave codes do; without it they are refused
    scale : factor of the energy, s: that of the charges is its square root. "fit" leaves it to the
        labels (`gapy.fit.charge_scale`), and the fitted model has the number

    Raises
    ------
    GapyError : charges, widths or a scale that are no finite numbers in their ranges, no species
    SpeciesError : no chemical element
    """

    charges: Mapping[str | int, float]
    sigma: float | Mapping[str | int, float] = SIGMA
    background: bool = False
    scale: float | str = 1.0
    kind: ClassVar[str] = "coulomb"
    pairwise: ClassVar[bool] = False
    cutoff: ClassVar[None] = None

    def __post_init__(self) -> None:
        charges = by_species(self.charges, f"baseline {self.kind}, charges", _charge)
        sigma = by_species(self.sigma, f"baseline {self.kind}, sigma", width, tuple(charges))
        object.__setattr__(self, "charges", MappingProxyType(charges))
        object.__setattr__(self, "sigma", MappingProxyType(sigma))
        object.__setattr__(self, "background", flag(self.background, self.kind, "background"))
        if not self.learns:
            what = f"a number above 0 and up to {LARGEST_SCALE:g}, or {LEARNT!r}"
            scale = in_range(self.scale, f"baseline {self.kind}, scale", 0.0, LARGEST_SCALE, what)
            object.__setattr__(self, "scale", scale)

    def __reduce__(self) -> tuple:
        return type(self), (
            dict(self._of("charges")),
            dict(self._of("sigma")),
            self.background,
            self.scale,
        )

    def __hash__(self) -> int:
        parts = (*self._of("charges").items(), *self._of("sigma").items())
        return hash((*parts, self.background, self.scale))

    def _of(self, name: str) -> Mapping[int, float]:
        """`charges` or `sigma` as __post_init__ leaves them: by atomic number, ascending."""
        return cast("Mapping[int, float]", getattr(self, name))

    @property
    def learns(self) -> bool:
        """Whether the scale is one that a fit has still to find."""
        return isinstance(self.scale, str) and self.scale == LEARNT

    def scaled(self, scale: float) -> Coulomb:
        """The same charges with this scale."""
        return replace(self, scale=scale)

    @cached_property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers with a charge."""
        return tuple(self._of("charges"))

    @property
    def effective_charges(self) -> dict[str, float]:
        """e by symbol with the scale in them; GapyError where it has still to be found."""
        root = math.sqrt(self._known_scale())
        return {symbol: root * q for symbol, q in by_symbol(self._of("charges")).items()}

    @property
    def widths(self) -> tuple[float, ...]:
        """The different widths of the Gaussians, A, ascending."""
        return tuple(sorted(set(self._of("sigma").values())))

    def evaluate(self, system: System) -> Contribution:
        """Energy, forces and virial of a whole structure.

        Raises
        ------
        GapyError : a system without positions, cell or periodicity
        SpeciesError : a species without a charge
        StructureError : one or two periodic directions; a periodic structure that is not neutral,
            without `background`
        """
        return ANSWERS.of(self, whole_structure(system, self.kind), self._compute)

    def settings(self) -> dict:
        """charges e and sigma A by symbol, background, scale."""
        return {
            "charges": by_symbol(self._of("charges")),
            "sigma": by_symbol(self._of("sigma")),
            "background": self.background,
            "scale": self.scale,
        }

    def _known_scale(self) -> float:
        if isinstance(self.scale, str):
            raise GapyError(
                f"baseline {self.kind}, scale: expected a number, got {self.scale!r}, which "
                "only a fit can find; give the number that it found"
            )
        return self.scale

    def _compute(self, atoms: Atoms) -> Contribution:
        scale = self._known_scale()
        if len(atoms) == 0 or (len(atoms) == 1 and not self.background):
            return of_whole(0.0, np.zeros((len(atoms), 3)), np.zeros((3, 3)))
        require_served(elements_of(atoms.numbers), self.species, self.kind)
        require_sums(atoms, self.kind)
        charge_n = math.sqrt(scale) * per_atom(self._of("charges"), atoms)
        if not self.background:
            require_neutral(float(charge_n.sum()), atoms, self.kind, "correct the charges")
        return energy_and_forces(charge_n, per_atom(self._of("sigma"), atoms), atoms)


def _charge(value: Any, where: str) -> float:
    what = f"a charge between -{LARGEST_CHARGE:g} and {LARGEST_CHARGE:g} e"
    return in_range(value, where, -LARGEST_CHARGE - 1e-12, LARGEST_CHARGE, what)
