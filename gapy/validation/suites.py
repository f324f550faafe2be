"""Suites of properties as data: what is computed of which structures, and what counts as good.

Each entry is a property with the structure that it needs; `run_suite` computes it with the mean of
a potential and with posterior samples, beside a reference computed in the same way, or numbers
from a table. What fails is a row without a value that says why.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from gapy._support.voigt import is_crystal
from gapy.error_bars.coverage import WITHIN
from gapy.errors import GapyError, PackageError, PropertyError
from gapy.properties import competing_phases
from gapy.properties.at_temperature import motion
from gapy.properties.defects import interstitial, vacancy
from gapy.properties.elasticity import elastic
from gapy.properties.equation_of_state import eos
from gapy.properties.lattice_dynamics import phonons
from gapy.properties.melting_point import melting
from gapy.properties.molecules import geometry, vibrations
from gapy.properties.phase import phase_of
from gapy.properties.relaxing import relax
from gapy.properties.result import Result
from gapy.properties.scans import bonds, torsions, turns
from gapy.properties.stacking_fault import has_stacking, stacking
from gapy.properties.surface_energy import surfaces
from gapy.properties.vacancy_migration import migration
from gapy.validation.names import names_among
from gapy.validation.propagation import about
from gapy.validation.property_bars import calibrated


@dataclass(frozen=True)
class Entry:
    """A property of a suite.

    function: of calculator and atoms. needs: "crystal" or "molecule". marks: largest difference
    from the reference that is good, by name of the number; "" for all others. applies: whether a
    structure has it at all. on_request: whether it is left out unless it is named.
    """

    name: str
    function: Callable[..., Result]
    needs: str
    marks: Mapping[str, float]
    applies: Callable[[Atoms], bool] = lambda atoms: True
    on_request: bool = False


def phases_of(calculator, atoms: Atoms) -> dict[str, Atoms]:
    """Simple crystals of the composition of `atoms`, at about its density.

    Raises PropertyError for compositions of which none is known, and where `atoms` do not relax.
    """
    return simple_phases(relax(calculator, atoms, cell="isotropic").atoms)


def simple_phases(start: Atoms) -> dict[str, Atoms]:
    """Simple crystals of the composition and at about the density of a crystal at rest."""
    elements, counts = np.unique(start.get_chemical_symbols(), return_counts=True)
    symbols = "".join(np.repeat(elements, counts // np.gcd.reduce(counts)).tolist())
    neighbours = int(np.median(phase_of(start, symmetry=False).neighbours))
    room = 1.35 if neighbours <= 4 else 1.1 if neighbours <= 6 else 1.0
    return competing_phases.prototypes(symbols, start.get_volume() / len(start) / room)


def phase_order(calculator, atoms: Atoms) -> Result:
    """Energies of the phases of the composition of `atoms`, by `phases_of`."""
    return competing_phases.phase_order(calculator, phases_of(calculator, atoms))


def is_element(atoms: Atoms) -> bool:
    """Whether there is one element."""
    return len(set(atoms.numbers.tolist())) == 1


def has_phases(atoms: Atoms) -> bool:
    """Whether simple crystals of the composition are known."""
    try:
        return bool(simple_phases(atoms))
    except PropertyError:
        return False


BULK = (
    Entry("eos", eos, "crystal", {"a": 0.01, "b": 0.01, "c": 0.01, "B": 5.0}),
    Entry("elastic", elastic, "crystal", {"": 5.0}),
    Entry("vacancy", vacancy, "crystal", {"": 0.05}),
    Entry("interstitial", interstitial, "crystal", {"": 0.05}, is_element),
    Entry("migration", migration, "crystal", {"": 0.1}, is_element),
    Entry("surfaces", surfaces, "crystal", {"": 0.1}),
    Entry("stacking", stacking, "crystal", {"": 0.05}, has_stacking),
    Entry("phases", phase_order, "crystal", {"": 0.02}, has_phases),
    Entry("phonons", phonons, "crystal", {"": 0.5}),
    Entry("motion", motion, "crystal", {}, on_request=True),
    Entry("melting", melting, "crystal", {}, on_request=True),
)
"""Marks: elastic constants 5 GPa, vacancies 0.05 eV as in ML-PEG; interstitials 0.05 eV, lattice
constants 0.01 A, phases 0.02 eV/atom, frequencies 0.5 THz, barriers 0.1 eV, surfaces 0.1 and
stacking faults 0.05 J/m^2 are ours."""
MOLECULE = (
    Entry("geometry", geometry, "molecule", {"": 0.02}),
    Entry("vibrations", vibrations, "molecule", {"": 30.0}),
    Entry("bonds", bonds, "molecule", {"": 0.05}),
    Entry("torsions", torsions, "molecule", {"": 0.02}, turns),
)
"""Ours: distances 0.02 A, frequencies 30 cm^-1, energies of bonds 0.05 and of torsions 0.02 eV."""
REFERENCE_FAILS = "the reference fails"
"""How the note of a row without a reference begins where there should be one."""
SUITES = {"bulk": BULK, "molecule": MOLECULE}


@dataclass(frozen=True)
class PropertyRow:
    """One number of one property.

    name; value and its calibrated standard deviation (None where it failed or without samples);
    unit; reference (None without one); mark: largest good difference, in the unit (None: no
    judgement). verdict: "good", "off", "no reference", "not judged" or "failed"; note: what else is
    to be said, why it failed for one.
    """

    name: str
    value: float | None
    std: float | None
    unit: str
    reference: float | None
    mark: float | None
    verdict: str
    note: str = ""

    @property
    def difference(self) -> float | None:
        """value - reference."""
        if self.value is None or self.reference is None:
            return None
        return self.value - self.reference

    @property
    def covered(self) -> bool | None:
        """Whether the difference lies within WITHIN standard deviations."""
        if self.difference is None or self.std is None:
            return None
        return abs(self.difference) <= WITHIN * self.std


def entries(suite: str, atoms: Atoms) -> tuple[Entry, ...]:
    """The entries of a suite, "auto" for that of the structure.

    Raises GapyError for an unknown suite, or one whose structures these are not, and for slabs and
    wires, of which there is none.
    """
    crystal = is_crystal(atoms)
    if not crystal and atoms.pbc.any():
        raise GapyError(
            f"suite: expected a crystal or a molecule, got {atoms.get_chemical_formula()} with pbc="
            f"{atoms.pbc.tolist()}; there are no properties of slabs and wires: choose none of them"
        )
    if suite == "auto":
        return BULK if crystal else MOLECULE
    if suite not in SUITES:
        raise GapyError(f"suite: expected auto, {', '.join(SUITES)}, got {suite!r}; correct it")
    if crystal != (SUITES[suite][0].needs == "crystal"):
        raise GapyError(
            f"suite: {suite} needs a {SUITES[suite][0].needs}, got "
            f"{atoms.get_chemical_formula()} with pbc={atoms.pbc.tolist()}; choose auto"
        )
    return SUITES[suite]


@dataclass(frozen=True)
class Computed:
    """A property of a suite: the name of its entry, its rows, and its result with the posterior
    mean (None where that failed)."""

    name: str
    rows: tuple[PropertyRow, ...]
    result: Result | None


def run_suite(potential, atoms: Atoms, **options) -> tuple[PropertyRow, ...]:
    """The rows alone of `computed`, which has the same arguments and errors."""
    return tuple(row for one in computed(potential, atoms, **options) for row in one.rows)


def computed(
    potential,
    atoms: Atoms,
    *,
    suite: str = "auto",
    reference=None,
    samples: int = 16,
    seed: int = 0,
    only: Iterable[str] | None = None,
    threads: int = 1,
) -> tuple[Computed, ...]:
    """All properties of a suite for one structure.

    Arguments
    ---------
    suite : "bulk", "molecule" or "auto"
    reference : an ASE calculator, name -> number as in the rows, or None
    samples : posterior samples behind the bars, 0 for none
    only : names of entries; by default all that apply to the structure and are not for requests

    Raises GapyError for an unknown suite or entry. A property that fails, that a named structure
    does not have, or that needs a missing package, is a row with the verdict "failed".
    """
    chosen = chosen_entries(suite, atoms, only)
    committee = potential.sample(samples, seed) if samples else None
    return tuple(
        _computed(
            potential, committee, atoms, entry, reference_numbers(reference, entry, atoms), threads
        )
        for entry in chosen
    )


def chosen_entries(suite: str, atoms: Atoms, only: Iterable[str] | None) -> tuple[Entry, ...]:
    """The entries of a suite that are named, or all that apply and are not for requests.

    Raises GapyError for an unknown suite or entry.
    """
    only = only if only is None or isinstance(only, str) else tuple(only)
    if only == ():
        return ()  # nothing to compute, of any structure
    known = entries(suite, atoms)
    if only is None:
        return tuple(e for e in known if not e.on_request and _applies(e, atoms))
    wanted = names_among(only, [e.name for e in known], "only")
    return tuple(e for e in known if e.name in wanted)


def _applies(entry: Entry, atoms: Atoms) -> bool:
    try:
        return entry.applies(atoms)
    except PackageError:
        return True  # its row then says what is missing


def reference_numbers(reference, entry: Entry, atoms: Atoms) -> Mapping[str, float] | str:
    """Name of the row -> number of the reference; in words why there is none, if it failed."""
    if reference is None:
        return {}
    if isinstance(reference, Mapping):
        return _finite(reference)
    try:
        return _finite(named(entry, entry.function(reference, atoms)))
    except Exception as error:  # whatever a user's calculator may raise
        return f"{REFERENCE_FAILS}, {error}"


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if np.isfinite(value)}


def named(entry: Entry, result: Result) -> dict[str, float]:
    """Numbers under the names of rows."""
    return {_name(entry, key): value for key, value in result.numbers().items()}


def _name(entry: Entry, key: str) -> str:
    return key if key.endswith(entry.name) else f"{entry.name} {key}"


def _computed(potential, committee, atoms: Atoms, entry: Entry, known, threads: int) -> Computed:
    why = known if isinstance(known, str) else ""
    known = {} if isinstance(known, str) else known
    try:
        result = entry.function(potential.calculator(threads=threads), atoms)
    except GapyError as error:
        row = PropertyRow(entry.name, None, None, "", None, None, "failed", str(error))
        return Computed(entry.name, (row,), None)
    bars, note = {}, why
    if committee is not None:
        bars, note = _bars(potential, committee, atoms, entry, result, why)
    most = max((len(frame) for frame in result.frames()), default=0)
    if most > len(atoms):
        note = "; ".join(filter(None, (note, f"{most} atoms")))
    out = []
    for key, value in result.numbers().items():
        name = _name(entry, key)
        mark = entry.marks.get(key, entry.marks.get(""))
        row = PropertyRow(
            name, value, bars.get(key), result.unit_of(key), known.get(name), mark, "", note
        )
        out.append(_judged(row))
    for name, reason in getattr(result, "failed", {}).items():
        row = _name(entry, name)
        out.append(PropertyRow(row, None, None, "", known.get(row), None, "failed", reason))
    return Computed(entry.name, tuple(out), result)


def _bars(potential, committee, atoms: Atoms, entry: Entry, result: Result, note: str):
    """Calibrated bars by name, and the note on members that failed."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            spread = about(result, lambda member: entry.function(member, atoms), committee)
        except GapyError as error:
            return {}, "; ".join(filter(None, (note, f"no error bar, {error}")))
    texts = [note, *(str(w.message) for w in said if "left out" in str(w.message))]
    return calibrated(potential, spread), "; ".join(filter(None, texts))


def _judged(row: PropertyRow) -> PropertyRow:
    if row.difference is None:
        return replace(row, verdict="no reference")
    if row.mark is None:
        return replace(row, verdict="not judged")
    return replace(row, verdict="good" if abs(row.difference) <= row.mark else "off")
