"""Electrostatics of charges that follow the structure: charge equilibration (QEq)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, cast

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from gapy.baselines.by_species import by_species, by_symbol, flag, in_range, per_atom, width
from gapy.baselines.electrostatics import (
    energy_and_forces,
    matrix,
    require_neutral,
    require_sums,
)
from gapy.baselines.elements import elements_of, require_served
from gapy.baselines.protocol import Contribution, System
from gapy.baselines.whole import ANSWERS, of_whole, whole_structure
from gapy.baselines.zbl import COULOMB
from gapy.errors import GapyError
from gapy.structures.charge import charge_of

RAPPE_GODDARD = {
    "H": (4.528, 13.890, 0.371), "Li": (3.006, 4.772, 1.557), "C": (5.343, 10.126, 0.759),
    "N": (6.899, 11.760, 0.715), "O": (8.741, 13.364, 0.669), "F": (10.874, 14.948, 0.706),
    "Na": (2.843, 4.592, 2.085), "Si": (4.168, 6.974, 1.176), "P": (5.463, 8.000, 1.102),
    "S": (6.928, 8.972, 1.047), "Cl": (8.564, 9.892, 0.994), "K": (2.421, 3.840, 2.586),
    "Br": (7.790, 8.850, 1.141), "Rb": (2.331, 3.692, 2.770), "I": (6.822, 7.524, 1.333),
    "Cs": (2.183, 3.422, 2.984),
}  # fmt: skip
"""Electronegativity (eV/e), hardness (eV/e^2), radius (A): Table I of Rappe and Goddard (1991)."""
PER_RADIUS = 0.5 * math.sqrt(math.pi / 2.0) / 0.4913
"""sigma over radius: a Gaussian of the mean distance, radius/0.4913, of their Slater functions."""
SOFTEST = 0.5
"""Of a hardness, eV/e^2, below that of any atom: the width that belongs to it is 16 A."""
LARGEST = 1000.0
"""Of an electronegativity or hardness, eV."""
SLACK = 1.0 + 1e-9
"""Of the smallest hardness: a width that follows from it is rounded."""


@dataclass(frozen=True)
class ChargeEquilibration:
    """Charges that minimise the energy of a structure at its total charge.

        E = min_q  sum_i chi_i q_i + 1/2 sum_i eta_i q_i^2
                   + K/2 sum_ij' q_i q_j erf(gamma_ij r_ij) / r_ij        at  sum_i q_i = Q
        1/gamma_ij^2 = 2 (s_i^2 + s_j^2)

    One linear system with a Lagrange multiplier, of n + 1 unknowns for n atoms. At the minimum the
    forces are those of charges that stay as they are (Hellmann and Feynman), and exact. The
    electronegativity chi and the hardness eta, which holds what a charge has with itself, are
    those of the free species; neutral free atoms have E = 0. Q is the `charge` of a structure
    (`atoms.info["charge"]`, e), 0 without. Crystals are summed by Ewald, with tin foil around them.

    Global equilibration has no notion of a bond: any two atoms exchange charge, however far apart
    they are, so that pieces of a molecule that were pulled apart keep fractional charges.

    Arguments
    ---------
    electronegativity, hardness : {"Na": 2.843, "Cl": 8.564}, eV/e, and {"Na": 4.592, "Cl": 9.892},
        eV/e^2, for species that the table of Rappe and Goddard lacks, or in place of its numbers
    sigma : {"Na": 2.7}, standard deviation of the Gaussians, A. Those of the species of the table
        are by default as far from their nucleus, in the mean, as its Slater functions (1.28 of the
        radius). None is smaller than K / (eta sqrt(pi)), the width whose own Coulomb energy
        is the hardness, since charges could then grow without end; this is the default of others
    background : whether a uniform background compensates the charge of periodic structures; without
        it they are refused

    Raises
    ------
    GapyError : numbers out of range; a species with only one of electronegativity and hardness; a
        width below the smallest
    SpeciesError : no chemical element

    Source: Rappe and Goddard, J. Phys. Chem. 95, 3358 (1991), with Gaussians in the place of Slater
    functions.
    """

    electronegativity: Mapping[str | int, float] = field(default_factory=dict)
    hardness: Mapping[str | int, float] = field(default_factory=dict)
    sigma: Mapping[str | int, float] = field(default_factory=dict)
    background: bool = False
    kind: ClassVar[str] = "qeq"
    pairwise: ClassVar[bool] = False
    cutoff: ClassVar[None] = None

    def __post_init__(self) -> None:
        where = f"baseline {self.kind}"
        chi, eta = self._stated("electronegativity", -LARGEST), self._stated("hardness", SOFTEST)
        if only := sorted(set(chi) ^ set(eta)):
            lacks = "hardness" if only[0] in chi else "electronegativity"
            raise GapyError(
                f"{where}, {lacks}: expected a value of {by_symbol({only[0]: 0.0}).popitem()[0]}, "
                "which the table of Rappe and Goddard lacks, got none; add it"
            )
        least = {z: COULOMB / (hardness * math.sqrt(math.pi)) for z, hardness in eta.items()}
        usual = {atomic_numbers[s]: PER_RADIUS * r for s, (_, _, r) in RAPPE_GODDARD.items()}
        sigma = {z: max(low, usual.get(z, 0.0)) for z, low in least.items()}
        sigma |= self._widths(eta)
        for z, value in sigma.items():
            if value * SLACK < least[z]:
                raise GapyError(
                    f"{where}, sigma of {by_symbol({z: 0.0}).popitem()[0]}: expected at least "
                    f"{least[z]:.4f} A, the width whose Coulomb energy is the hardness, got "
                    f"{value:g}; give a larger width or hardness"
                )
        for name, values in (("electronegativity", chi), ("hardness", eta), ("sigma", sigma)):
            object.__setattr__(self, name, MappingProxyType(values))
        object.__setattr__(self, "background", flag(self.background, self.kind, "background"))

    def _stated(self, name: str, low: float) -> dict[int, float]:
        """The table of Rappe and Goddard with the given values in its place."""
        column = ("electronegativity", "hardness").index(name)
        table = {atomic_numbers[s]: row[column] for s, row in RAPPE_GODDARD.items()}
        given = getattr(self, name)
        if isinstance(given, Mapping) and not given:
            return table
        what = f"a number above {low:g} and up to {LARGEST:g} eV"
        own = by_species(
            given,
            f"baseline {self.kind}, {name}",
            lambda value, where: in_range(value, where, low, LARGEST, what),
        )
        return dict(sorted((table | own).items()))

    def _widths(self, species: Collection[int]) -> dict[int, float]:
        where = f"baseline {self.kind}, sigma"
        if isinstance(self.sigma, Mapping) and not self.sigma:
            return {}
        found = by_species(self.sigma, where, width)
        if unknown := sorted(set(found) - set(species)):
            raise GapyError(
                f"{where}: expected species with electronegativity and hardness, got "
                f"{', '.join(by_symbol(dict.fromkeys(unknown, 0.0)))}; add both"
            )
        return found

    def __reduce__(self) -> tuple:
        given = (dict(self._of(name)) for name in ("electronegativity", "hardness", "sigma"))
        return type(self), (*given, self.background)

    def __hash__(self) -> int:
        parts = (tuple(self._of(n).items()) for n in ("electronegativity", "hardness", "sigma"))
        return hash((*parts, self.background))

    def _of(self, name: str) -> Mapping[int, float]:
        """Numbers as __post_init__ leaves them: by atomic number, ascending."""
        return cast("Mapping[int, float]", getattr(self, name))

    @cached_property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers with electronegativity and hardness."""
        return tuple(self._of("hardness"))

    def evaluate(self, system: System) -> Contribution:
        """Energy, forces and virial of a whole structure.

        Raises
        ------
        GapyError : a system without positions, cell or periodicity
        SpeciesError : a species without electronegativity and hardness
        StructureError : one or two periodic directions; a charged periodic structure without
            `background`
        """
        return ANSWERS.of(self, whole_structure(system, self.kind), self._compute)

    def charges(self, atoms: Atoms) -> np.ndarray:
        """Charges (n,) e of the atoms of a structure; raises as `evaluate` does."""
        return self._solve(atoms)[0]

    def settings(self) -> dict:
        """electronegativity eV/e, hardness eV/e^2 and sigma A by symbol, background."""
        tables: dict[str, Any] = {
            name: by_symbol(self._of(name)) for name in ("electronegativity", "hardness", "sigma")
        }
        return tables | {"background": self.background}

    def _compute(self, atoms: Atoms) -> Contribution:
        if not len(atoms):
            return of_whole(0.0, np.zeros((0, 3)), np.zeros((3, 3)))
        charge_n, energy = self._solve(atoms)
        found = energy_and_forces(charge_n, per_atom(self._of("sigma"), atoms), atoms)
        return of_whole(found.shared + energy, found.forces, found.virial)

    def _solve(self, atoms: Atoms) -> tuple[np.ndarray, float]:
        """Charges, e, and the energy that they have without each other, eV."""
        require_served(elements_of(atoms.numbers), self.species, self.kind)
        require_sums(atoms, self.kind)
        total = charge_of(atoms)
        if not self.background:
            require_neutral(total, atoms, self.kind, "correct its charge")
        chi_n = per_atom(self._of("electronegativity"), atoms)
        eta_n = per_atom(self._of("hardness"), atoms)
        n = len(atoms)
        system = np.ones((n + 1, n + 1))
        system[:n, :n] = matrix(per_atom(self._of("sigma"), atoms), atoms)
        system[np.arange(n), np.arange(n)] += eta_n
        system[n, n] = 0.0
        charge_n = np.linalg.solve(system, np.append(-chi_n, total))[:n]
        return charge_n, float(chi_n @ charge_n + 0.5 * eta_n @ charge_n**2)
