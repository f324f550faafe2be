"""What a baseline is: energies, forces and virial that are known before the Gaussian process.

    E = E_baselines + E_gp          labels lose E_baselines, predictions get it back

It has no uncertainty of its own, so the process stays linear and its variances stay as they are.

A baseline sees plain arrays. The caller (ASE, another MD code with its own domains, the fit)
owns the list of pairs and hands it in; its centres are the atoms whose energies are asked for.
Ghosts, atoms of another domain, are neighbours but no centres. Sums over domains are those of
the whole structure, forces on ghosts added to their owners.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


class PairList(Protocol):
    """Neighbours of some centres: pairs first_i[c]:first_i[c + 1] belong to centre c.

    centre_i (c,) atom index of each centre, first_i (c+1,), j_p (P,) atom index of the neighbour
    (a ghost, or the atom of which it is an image), r_pc (P, 3) = r_j - r_i in A, cutoff in A.
    A pair of two centres occurs from both ends. Pairs beyond the cutoff may occur, none within
    it is missing.
    """

    @property
    def centre_i(self) -> np.ndarray: ...
    @property
    def first_i(self) -> np.ndarray: ...
    @property
    def j_p(self) -> np.ndarray: ...
    @property
    def r_pc(self) -> np.ndarray: ...
    @property
    def cutoff(self) -> float: ...


@dataclass(frozen=True, eq=False)
class System:
    """Atoms as baselines see them; a record, so that one who needs more changes no signature.

    numbers (n,) of all listed atoms, ghosts included; pairs, None where no baseline has a cutoff:
    all atoms are centres then. positions (n, 3) and cell (3, 3) in A and pbc (3,) for baselines
    that are no sum over pairs (dispersion, electrostatics, an ASE calculator); None where the
    caller has no whole structure, a domain for instance. charge: of all atoms together, e.
    """

    numbers: np.ndarray
    pairs: PairList | None = None
    positions: np.ndarray | None = None
    cell: np.ndarray | None = None
    pbc: np.ndarray | None = None
    charge: float = 0.0

    @property
    def centres(self) -> np.ndarray:
        """Indices of the atoms whose energies are asked for."""
        return np.arange(len(self.numbers)) if self.pairs is None else self.pairs.centre_i


@dataclass(frozen=True, eq=False)
class Contribution:
    """What a baseline adds to a system.

    energies (n,) eV, local energies of the centres, zero elsewhere; forces (n, 3) eV/A on all
    listed atoms; virial (3, 3) = dE/d(strain) eV; shared, eV: the part of the energy that belongs
    to no atom, all of it for a baseline that gives a total only.
    """

    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    shared: float = 0.0

    @classmethod
    def zeros(cls, n_atoms: int) -> Contribution:
        """Nothing yet, in arrays of its own."""
        return cls(np.zeros(n_atoms), np.zeros((n_atoms, 3)), np.zeros((3, 3)))

    @property
    def energy(self) -> float:
        """Energy of the centres, eV."""
        return float(self.energies.sum()) + self.shared


@runtime_checkable
class Baseline(Protocol):
    """A frozen record with these members; `from_settings(kind, settings())` equals it."""

    @property
    def kind(self) -> str:
        """Name in model files and of TOML tables, "zbl" for instance."""

    @property
    def species(self) -> tuple[int, ...] | None:
        """Atomic numbers it serves; None: any."""

    @property
    def pairwise(self) -> bool:
        """Whether the energy is a sum over atoms and pairs, half of a pair at either end.

        The force on a centre then follows from its own pairs.
        """

    @property
    def cutoff(self) -> float | None:
        """Length (A) up to which it needs all pairs; None: it needs none."""

    def evaluate(self, system: System) -> Contribution:
        """Energies, forces and virial; GapyError if the system lacks what it needs."""

    def settings(self) -> Mapping[str, Any]:
        """Plain JSON data that hold every setting, to the last bit."""


def total(baselines: Iterable[Baseline], system: System) -> Contribution:
    """Sum of several baselines, in their order; zeros for none."""
    parts = [baseline.evaluate(system) for baseline in baselines]
    if len(parts) == 1:  # the usual ZBL alone: in a small cell the sum takes as long as itself
        return parts[0]
    out = Contribution.zeros(len(system.numbers))
    shared = 0.0
    for part in parts:
        out.energies[:] += part.energies
        out.forces[:] += part.forces
        out.virial[:] += part.virial
        shared += part.shared
    return Contribution(out.energies, out.forces, out.virial, shared)


def largest_cutoff(baselines: Iterable[Baseline]) -> float | None:
    """Cutoff (A) of the pairs that serve all baselines; None if none needs pairs."""
    return max((b.cutoff for b in baselines if b.cutoff is not None), default=None)
