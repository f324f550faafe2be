"""Energies of isolated atoms, e0(Z): what a structure's energy is before its atoms interact."""

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols

from gapy._support.ranges import LARGEST
from gapy.baselines.elements import atomic_number
from gapy.errors import GapyError, SpeciesError
from gapy.structures import LabelledStructure, StructureWarning, is_isolated_atom

MODES = ("auto", "isolated", "fit", "zero")
ISOLATED_SPREAD = 0.001  # eV; energies of one isolated atom further apart are worth a word


class Composition(NamedTuple):
    """What e0 needs of a structure: atoms by atomic number, energy (eV) or None, whether it is an
    isolated atom, and where it stands."""

    counts: dict[int, int]
    energy: float | None
    isolated: bool
    where: str

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.counts.values())


def composition_of(s: LabelledStructure) -> Composition:
    """Of a structure."""
    numbers, counts = np.unique(s.atoms.numbers, return_counts=True)
    of = dict(zip(numbers.tolist(), counts.tolist()))
    return Composition(of, s.energy, is_isolated_atom(s), s.where)


def isolated_atom_energies(
    structures: Sequence[LabelledStructure | Composition],
    mode: str | Mapping[str | int, float] = "auto",
    *,
    ridge: float = 1e-10,
    known: Mapping[int, float] | None = None,
) -> dict[int, float]:
    """Energy e0 of one atom of each species that occurs, by atomic number.

    Where e0 is fitted, it minimises

        (1/S) sum_s (E_s / N_s - sum_Z c_sZ e0_Z)^2 + ridge * sum_Z (e0_Z - m)^2

    over the S structures with an energy, c_sZ the fraction of species Z and m the mean energy per
    atom: the ridge decides only what the compositions leave open, a fixed stoichiometry for
    instance, where every species then tends to m. Where some e0 are known from isolated atoms,
    their part of E_s is subtracted first and m is the mean of the rest. An isolated atom enters
    the sum only when its species occurs in nothing else that has an energy.

    Parameters
    ----------
    structures : labelled structures, or their Compositions; without any energy every e0 is 0
    mode : "auto", energies of isolated atoms for the species that have one and a fit for the
        others; "isolated", isolated atoms only; "fit", a fit for all; "zero"; or explicit
        values, {"Si": -107.1} or "Si=-107.1,O=-400"
    ridge : weight of the mean, relative to one structure's weight in the sum
    known : e0 by atomic number that stay as they are; the modes decide the other species only

    Returns
    -------
    {atomic number: e0 in eV}; explicit values for species that do not occur are kept

    Raises
    ------
    SpeciesError : a species without a value in mode "isolated" or among explicit values
    GapyError : an unknown mode, a value that is not a number, or a ridge that is not positive
    """
    found = [s if isinstance(s, Composition) else composition_of(s) for s in structures]
    species = sorted({z for s in found for z in s.counts})
    values = parse_e0(mode)
    if not (math.isfinite(ridge) and ridge > 0):
        raise GapyError(f"ridge: expected a positive finite number, got {ridge!r}; correct it")
    if not isinstance(values, str):
        return _require_species({**values, **(known or {})}, species, "add its value")
    known = dict(known or {})
    labelled = [s for s in found if s.energy is not None]
    if mode == "zero" or (not labelled and mode != "isolated"):
        return dict.fromkeys(species, 0.0) | known
    if mode == "fit":
        return _fit(labelled, species, known, ridge)
    isolated = _from_isolated_atoms(labelled) | known
    if mode == "isolated":
        remedy = "add an isolated_atom frame with an energy or use e0 = auto"
        return _require_species(isolated, species, remedy)
    return _fit(labelled, species, isolated, ridge)


def parse_e0(e0: str | Mapping[Any, float]) -> str | dict[int, float]:
    """Mode name, or explicit values by atomic number from "Si=-107.1,O=-400" or a mapping.

    Raises
    ------
    GapyError : neither a mode nor values, a value that is no finite number, a species twice
    SpeciesError : a name that is no chemical element
    """
    if isinstance(e0, Mapping):
        return e0_values(e0.items())
    if isinstance(e0, str) and "=" in e0:
        items = (item.partition("=") for item in e0.split(",") if item.strip())
        return e0_values((name, value) for name, _, value in items)
    if isinstance(e0, str) and e0 in MODES:
        return e0
    raise GapyError(
        f"e0: expected one of {', '.join(MODES)} or values such as Si=-107.1,O=-400, got "
        f"{e0!r}; correct it"
    )


def e0_values(pairs: Iterable[tuple[Any, Any]]) -> dict[int, float]:
    """Values by atomic number, as `parse_e0` gives them."""
    values: dict[int, float] = {}
    for name, value in pairs:
        z = atomic_number(name, "e0")
        if z in values:
            raise GapyError(f"e0: expected {chemical_symbols[z]} once, got it twice; remove one")
        values[z] = _energy(value, chemical_symbols[z])
    return values


def _energy(value: Any, symbol: str) -> float:
    try:
        energy = float(value)
    except (TypeError, ValueError):
        energy = math.nan
    if not math.isfinite(energy):
        raise GapyError(
            f"e0 of {symbol}: expected a finite number in eV, got {value!r}; correct it"
        )
    if abs(energy) > LARGEST["energy"]:
        raise GapyError(
            f"e0 of {symbol}: expected within {LARGEST['energy']:g} eV, as of any atom, got "
            f"{value!r}; correct it"
        )
    return energy


def _require_species(e0: dict[int, float], species: Sequence[int], remedy: str) -> dict[int, float]:
    missing = [chemical_symbols[z] for z in species if z not in e0]
    if missing:
        given = ", ".join(chemical_symbols[z] for z in e0) or "none"
        raise SpeciesError(
            f"e0: expected a value for each species of the structures, got {given}, none for "
            f"{', '.join(missing)}; {remedy}"
        )
    return e0


def _from_isolated_atoms(labelled: Sequence[Composition]) -> dict[int, float]:
    """Mean energy of the isolated atoms of each species that has one."""
    found = defaultdict(list)
    for s in labelled:
        if s.energy is not None and s.isolated:
            found[next(iter(s.counts))].append((s.energy, s.where))
    for z, atoms in found.items():
        (low, low_at), (high, high_at) = min(atoms), max(atoms)
        if high - low > ISOLATED_SPREAD:
            warnings.warn(
                f"isolated {chemical_symbols[z]} atoms: expected one energy, got {low:.6g} "
                f"({low_at}) to {high:.6g} eV ({high_at}); their mean is used, remove "
                "the wrong one",
                StructureWarning,
                stacklevel=3,
            )
    return {
        z: float(np.mean([energy for energy, _ in atoms])) for z, atoms in sorted(found.items())
    }


def _fit(
    labelled: Sequence[Composition],
    species: Sequence[int],
    known: Mapping[int, float],
    ridge: float,
) -> dict[int, float]:
    """Least squares for the species that are not known; the known ones are subtracted first."""
    bonded = {z for s in labelled if not s.isolated for z in s.counts}
    used = [s for s in labelled if not (s.isolated and bonded.issuperset(s.counts))]
    n_atoms_s = np.array([s.n_atoms for s in used])
    counts_sz = np.array([[s.counts.get(z, 0) for z in species] for s in used])
    known_z = np.array([known.get(z, 0.0) for z in species])
    rest_s = np.array([s.energy for s in used]) - counts_sz @ known_z
    is_known_z = np.isin(species, list(known))
    is_free_z = ~is_known_z & counts_sz.any(axis=0)
    _warn_uncovered([z for z, k, f in zip(species, is_known_z, is_free_z) if not k and not f])
    rows = counts_sz[:, is_free_z].any(axis=1)
    e0_z = known_z
    if rows.any():
        counts_sf = counts_sz[rows][:, is_free_z]
        mean = rest_s[rows].sum() / counts_sf.sum()
        fractions_sf = counts_sf / n_atoms_s[rows, None]
        per_atom_s = rest_s[rows] / n_atoms_s[rows]
        e0_z[is_free_z] = _least_squares_towards(mean, fractions_sf, per_atom_s, ridge)
    return dict(zip(species, e0_z.tolist()))


def _least_squares_towards(
    mean: float, a_sf: np.ndarray, y_s: np.ndarray, ridge: float
) -> np.ndarray:
    """x that minimises |A x - y|^2 / S + ridge |x - mean|^2."""
    n_rows, n_columns = a_sf.shape
    scale = 1 / math.sqrt(n_rows)
    stack = np.vstack([scale * a_sf, math.sqrt(ridge) * np.eye(n_columns)])
    target = np.concatenate([scale * (y_s - mean * a_sf.sum(axis=1)), np.zeros(n_columns)])
    return mean + np.linalg.lstsq(stack, target)[0]


def _warn_uncovered(species: Sequence[int]) -> None:
    if species:
        warnings.warn(
            f"e0 of {', '.join(chemical_symbols[z] for z in species)}: expected a structure with "
            "an energy that holds the species, got none; e0 = 0 is used, add one or give its value",
            StructureWarning,
            stacklevel=4,
        )
