"""Checks of labelled structures before a fit: errors for the unusable, warnings for the odd."""

import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from vesin import NeighborList

from gapy._support.ranges import LARGEST, LARGEST_LENGTH
from gapy.errors import SpeciesError, StructureError
from gapy.structures.duplicates import find_duplicates
from gapy.structures.elements import require_elements
from gapy.structures.labelled import (
    LabelledStructure,
    StructureWarning,
    is_isolated_atom,
    is_isolated_type,
)

COINCIDENT = 0.1  # A; no two nuclei of a calculation that ran are closer
# Bonds are near 1.0 in these units and core overlap, where no DFT label is to be trusted, begins
# near 0.5; hot liquids and compressed crystals stay above 0.35.
BOND_FRACTION = 0.35
DEGENERATE = 0.05  # A; smallest singular value of the periodic cell vectors
SHOWN = 5  # findings of one kind that are spelled out


def one_structure(atoms) -> None:
    """Raise StructureError unless this is one `ase.Atoms`."""
    if not isinstance(atoms, Atoms):
        raise StructureError(
            f"atoms: expected one ase.Atoms, got {type(atoms).__name__}; call this for each "
            "structure by itself, with its .atoms if it is a LabelledStructure"
        )


def check_structures(
    structures: Sequence[LabelledStructure],
    *,
    species: Iterable[str | int] | None = None,
    magnetic: Collection[int] = (),
    min_distance: float | None = None,
    max_force: float | None = 50.0,
) -> list[str]:
    """Check structures and labels; raise on what cannot be used, warn of what looks wrong.

    Errors: nothing to check, a frame without atoms, positions, cell or labels that are not finite,
    or beyond all calculations (1e7 eV/atom, 1e6 eV/A, 1e4 eV/A^3, 1e5 A), an atom of no element, a
    periodic direction without a cell vector, a stress without a volume, two atoms (images
    included) closer than 0.1 A, a species that is not in ``species``, an IsolatedAtom frame that
    holds several atoms. Warnings: the limits below, equal structures (same atoms in the same
    order, within 1e-4 A), equal structures whose labels differ, isolated atoms without an energy.

    Parameters
    ----------
    structures : from read_structures or from_atoms
    species : symbols or atomic numbers that the descriptor knows; None for any
    magnetic : atomic numbers whose signs of moments tell structures apart, those that a descriptor
        looks at
    min_distance : warn of closer pairs, A; by default 0.35 of the sum of covalent radii
    max_force : warn of larger forces, eV/A; None for no limit

    Returns
    -------
    messages, also emitted as StructureWarning; of each kind five and the number of the others

    Raises
    ------
    StructureError, SpeciesError : naming the file and the frame
    """
    structures = list(structures)
    if not structures:
        raise StructureError("structures: expected at least one, got none; add structures")
    for s in structures:
        _require_atoms(s)
        _require_finite(s)
        _require_plausible(s)
        _require_cell(s)
    if species is not None:
        _require_species(structures, species)
    findings = (
        _close_pairs(structures, min_distance),
        _large_forces(structures, np.inf if max_force is None else max_force),
        (m for s in structures for m in _useless_isolated_atom(s)),
        *find_duplicates(structures, magnetic),
    )
    messages = [message for kind in findings for message in _abridged(kind)]
    for message in messages:
        warnings.warn(message, StructureWarning, stacklevel=2)
    return messages


def _abridged(findings: Iterable[str]) -> list[str]:
    findings = iter(findings)
    shown = list(islice(findings, SHOWN))
    n_more = sum(1 for _ in findings)
    if n_more:
        shown[-1] += f" (and {n_more} more like this)"
    return shown


def _require_atoms(s: LabelledStructure) -> None:
    if len(s.atoms) == 0:
        raise StructureError(f"{s.where}: expected atoms, got none; remove the frame")
    require_elements(s.atoms.numbers, s.where)
    if is_isolated_type(s.config_type) and len(s.atoms) != 1:
        raise StructureError(
            f"{s.where}: config_type {s.config_type!r} expected one atom, got {len(s.atoms)}; "
            "rename the config_type"
        )


def _require_finite(s: LabelledStructure) -> None:
    parts = {
        "positions": s.atoms.positions,
        "cell": s.atoms.cell.array,
        "energy": s.energy,
        "forces": s.forces,
        "stress": s.stress,
    }
    for name, part in parts.items():
        if part is None or np.isfinite(part).all():
            continue
        atom = ""
        if name in ("positions", "forces"):
            atom = f" of atom {np.flatnonzero(~np.isfinite(part).all(axis=1))[0]}"
        raise StructureError(
            f"{s.where}: {name} expected finite numbers, got nan or inf{atom}; remove the frame or "
            "the label"
        )


def _require_plausible(s: LabelledStructure) -> None:
    """Refuse what no calculation gives: a wrong unit or a damaged file."""
    parts = (
        ("positions", s.atoms.positions, LARGEST_LENGTH, "A"),
        ("cell", s.atoms.cell.array, LARGEST_LENGTH, "A"),
        ("energy", None if s.energy is None else s.energy / len(s.atoms), LARGEST["energy"],
         "eV/atom"),
        ("forces", s.forces, LARGEST["forces"], "eV/A"),
        ("stress", s.stress, LARGEST["stress"], "eV/A^3"),
    )  # fmt: skip
    for name, part, limit, unit in parts:
        if part is not None and np.abs(part).max() > limit:
            raise StructureError(
                f"{s.where}: {name} expected within {limit:g} {unit}, as all calculations give, "
                f"got {np.abs(part).max():.3g}; correct the unit or remove the frame"
            )


def _require_cell(s: LabelledStructure) -> None:
    periodic = s.atoms.cell.array[s.atoms.pbc]
    if len(periodic) and np.linalg.svd(periodic, compute_uv=False)[-1] < DEGENERATE:
        raise StructureError(
            f"{s.where}: cell expected independent vectors along the periodic directions "
            f"{s.atoms.pbc.tolist()}, got {s.atoms.cell.array.tolist()}; correct the cell or pbc"
        )
    if s.stress is not None and s.atoms.cell.volume == 0:
        raise StructureError(
            f"{s.where}: stress needs a cell with a volume, got {s.atoms.cell.array.tolist()}; add "
            "the cell or remove the stress"
        )


def _require_species(structures: Sequence[LabelledStructure], species: Iterable[str | int]) -> None:
    known = {atomic_numbers[z] if isinstance(z, str) else int(z) for z in species}
    for s in structures:
        unknown = sorted(set(s.atoms.numbers.tolist()) - known)
        if unknown:
            raise SpeciesError(
                f"{s.where}: species expected among {_symbols(sorted(known))}, got "
                f"{_symbols(unknown)}; add it to the descriptor or remove the frame"
            )


def _close_pairs(
    structures: Sequence[LabelledStructure], min_distance: float | None
) -> Iterator[str]:
    """The pair of each frame that is furthest below its limit; raises below COINCIDENT."""
    for s in structures:
        numbers = s.atoms.numbers
        radii = BOND_FRACTION * covalent_radii[numbers]
        cutoff = max(2 * radii.max() if min_distance is None else min_distance, COINCIDENT)
        i, j, d = NeighborList(cutoff=cutoff, full_list=False).compute(
            s.atoms.positions, s.atoms.cell.array, s.atoms.pbc, quantities="ijd"
        )
        if len(d) == 0:
            continue
        limits = radii[i] + radii[j] if min_distance is None else np.full(len(d), min_distance)
        limits = np.maximum(limits, COINCIDENT)
        worst = np.argmin(d / limits)
        if d[worst] >= limits[worst]:
            continue
        a, b = sorted((i[worst], j[worst]))
        pair = (
            f"{s.where}: atoms {a} ({chemical_symbols[numbers[a]]}) and {b} "
            f"({chemical_symbols[numbers[b]]}) are {d[worst]:.3g} A apart"
        )
        if d[worst] < COINCIDENT:
            raise StructureError(
                f"{pair}, expected at least {COINCIDENT} A; correct or remove the frame"
            )
        yield f"{pair}, expected at least {limits[worst]:.3g} A; remove the frame if unintended"


def _large_forces(structures: Sequence[LabelledStructure], max_force: float) -> Iterator[str]:
    for s in structures:
        if s.forces is None:
            continue
        norms = np.linalg.norm(s.forces, axis=1)
        atom = np.argmax(norms)
        if norms[atom] > max_force:
            yield (
                f"{s.where}: force on atom {atom} ({chemical_symbols[s.atoms.numbers[atom]]}) is "
                f"{norms[atom]:.4g} eV/A, expected at most {max_force:g}; check its units, remove "
                "the frame or raise max_force"
            )


def _useless_isolated_atom(s: LabelledStructure) -> Iterator[str]:
    if is_isolated_atom(s) and s.energy is None:
        yield (
            f"{s.where}: isolated {s.atoms.symbols[0]} atom expected an energy, got none; it gives "
            "no e0, add the energy or remove the frame"
        )


def _symbols(numbers: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in numbers)
