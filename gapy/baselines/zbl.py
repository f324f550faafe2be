"""ZBL: the repulsion of nuclei that come closer than any training structure shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from types import MappingProxyType
from typing import ClassVar, cast

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from gapy._jit.zbl import repulsion, screened_coulomb
from gapy._support.remember import Remembered
from gapy.baselines.elements import N_ELEMENTS, atomic_numbers_of, elements_of, require_served
from gapy.baselines.protocol import Contribution, PairList, System
from gapy.baselines.switches import Pair, Switch, parse_switch, parse_switches
from gapy.errors import GapyError, StructureError

COULOMB = 14.39964548
"""e^2 / (4 pi eps0) in eV A."""

BOND_SHARE = 0.8
"""Default outer distance as a share of the sum of the covalent radii: bonds are longer."""


@dataclass(frozen=True)
class ZBL:
    """Screened Coulomb repulsion with the universal screening, switched off smoothly.

        E = 1/2 sum_i sum_j V(r_ij),   V(r) = e^2/(4 pi eps0) Z_i Z_j / r phi(r/a) + S(r)
        phi(x) = 0.18175 e^(-3.1998 x) + 0.50986 e^(-0.94229 x) + 0.28022 e^(-0.4029 x)
                 + 0.02817 e^(-0.20162 x)
        a = 0.4685 A / (Z_i^0.23 + Z_j^0.23)

    for r < outer and zero beyond. S is the switch of LAMMPS' `pair_style zbl inner outer`: with
    t = r - inner, w = outer - inner and F, F', F'' the screened repulsion and its derivatives
    at outer,

        S(r) = C for r <= inner,  A/3 t^3 + B/4 t^4 + C for r > inner
        A = (-3 F' + w F'') / w^2,  B = (2 F' - w F'') / w^3,  C = -F + w F'/2 - w^2 F''/12

    so that V has a continuous second derivative everywhere and is never attractive.

    Arguments
    ---------
    inner, outer : where the switch begins and ends, A, for pairs that `switches` does not name;
        by default 0.4 and 0.8 of the sum of the covalent radii
    switches : {("Si", "O"): (inner, outer)} or {"Si-O": (inner, outer)}
    species : symbols or atomic numbers it serves; None for any

    Raises
    ------
    GapyError : not 0 < inner < outer, a number that is not finite, a pair twice
    SpeciesError : no chemical element, a pair of species that are not served

    Source: Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Matter, vol. 1,
    Pergamon (1985).
    """

    inner: float | None = None
    outer: float | None = None
    switches: Mapping[Pair, Switch] = field(default_factory=dict)
    species: Iterable[str | int] | None = None
    kind: ClassVar[str] = "zbl"
    pairwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if (self.inner is None) != (self.outer is None):
            raise GapyError(
                f"baseline zbl: expected both inner and outer or neither, got inner={self.inner}, "
                f"outer={self.outer}; give the other one, in A"
            )
        if self.inner is not None:
            inner, outer = parse_switch((self.inner, self.outer), "baseline zbl")
            object.__setattr__(self, "inner", inner)
            object.__setattr__(self, "outer", outer)
        if self.species is not None:
            species = atomic_numbers_of(self.species, "baseline zbl, species")
            object.__setattr__(self, "species", species)
        switches = parse_switches(self.switches, self._served, "baseline zbl")
        object.__setattr__(self, "switches", MappingProxyType(switches))

    def __reduce__(self) -> tuple:
        return type(self), (self.inner, self.outer, dict(self.switches), self.species)

    def __hash__(self) -> int:
        return hash((self.inner, self.outer, tuple(self.switches.items()), self.species))

    @property
    def _served(self) -> tuple[int, ...] | None:
        """`species` as __post_init__ leaves them: atomic numbers."""
        return cast("tuple[int, ...] | None", self.species)

    @cached_property
    def cutoff(self) -> float:
        """Largest outer distance of the species served, A."""
        served = self._served or range(1, N_ELEMENTS)
        return max(self.switch(a, b)[1] for a, b in combinations_with_replacement(served, 2))

    def switch(self, a: int, b: int) -> Switch:
        """(inner, outer) in A of a pair of atomic numbers."""
        listed = self.switches.get((min(a, b), max(a, b)))
        if listed is not None:
            return listed
        if self.inner is not None and self.outer is not None:
            return self.inner, self.outer
        outer = BOND_SHARE * float(covalent_radii[a] + covalent_radii[b])
        return 0.5 * outer, outer

    def evaluate(self, system: System) -> Contribution:
        """Repulsion of every pair, half of it to each end that is a centre.

        Raises
        ------
        GapyError : no pairs, or pairs that end before the largest outer distance
        SpeciesError : an atom, centre or not, of a species that is not served
        StructureError : two atoms at one place, or positions that are not finite
        """
        numbers = np.ascontiguousarray(system.numbers, dtype=np.int64)
        out = Contribution.zeros(len(numbers))
        if not len(numbers):
            return out
        slot_z, table_ssk, reach = self._tables(numbers)
        pairs = _reaching(system.pairs, reach)
        r_pc = np.ascontiguousarray(pairs.r_pc, dtype=float)
        energy = repulsion(
            pairs.centre_i, pairs.first_i, pairs.j_p, r_pc, numbers, slot_z, table_ssk,
            out.energies, out.forces, out.virial,
        )  # fmt: skip
        if not math.isfinite(energy):
            raise StructureError(
                "positions: expected finite distances above zero, got two atoms at one place or a "
                "number that is not finite; correct the structure"
            )
        return out

    @cached_property
    def _tables(self) -> Remembered:
        """What the kernel needs of a structure's atomic numbers, which are checked."""
        return Remembered(self._look_up)

    def _look_up(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        present = elements_of(numbers)
        require_served(present, self._served, self.kind)
        return _table(self, present)

    def settings(self) -> dict:
        """inner, outer (A or None), switches {"C-Si": [inner, outer]}, species symbols or None."""
        symbols = chemical_symbols
        return {
            "inner": self.inner,
            "outer": self.outer,
            "switches": {
                f"{symbols[a]}-{symbols[b]}": list(switch)
                for (a, b), switch in self.switches.items()
            },
            "species": None if self._served is None else [symbols[z] for z in self._served],
        }


@lru_cache(maxsize=256)
def _table(zbl: ZBL, present: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, float]:
    """(slot of an atomic number, table of the kernel, largest outer distance)."""
    switch_ss = [[zbl.switch(a, b) for b in present] for a in present]
    slot_z = np.zeros(N_ELEMENTS, dtype=np.int64)
    slot_z[list(present)] = np.arange(len(present))
    table_ssk = [
        [_pair_row(a, b, *switch) for b, switch in zip(present, switch_s)]
        for a, switch_s in zip(present, switch_ss)
    ]
    reach = max(outer for switch_s in switch_ss for _, outer in switch_s)
    return slot_z, np.array(table_ssk), reach


def _pair_row(a: int, b: int, inner: float, outer: float) -> tuple[float, ...]:
    """Row of the kernel's table: the repulsion and the switch that cancels it at `outer`."""
    charge, inverse_length = COULOMB * a * b, (a**0.23 + b**0.23) / 0.46850
    f, df, ddf = screened_coulomb(outer, charge, inverse_length)
    w = outer - inner
    return (
        outer**2,
        inner,
        charge,
        inverse_length,
        (-3.0 * df + w * ddf) / w**2,
        (2.0 * df - w * ddf) / w**3,
        -f + w * df / 2.0 - w**2 * ddf / 12.0,
    )


def _reaching(pairs: PairList | None, reach: float) -> PairList:
    if pairs is None or not pairs.cutoff >= reach:
        got = "none" if pairs is None else f"pairs up to {pairs.cutoff:.6g} A"
        raise GapyError(
            f"baseline zbl: expected all pairs up to {reach:.6g} A, got {got}; search pairs up to "
            "the largest cutoff of terms and baselines"
        )
    return pairs
