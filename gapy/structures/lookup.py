"""Finding the labels of ``ase.Atoms``: label keys first, calculator results behind them."""

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from ase import Atoms
from ase.calculators.calculator import compare_atoms
from ase.calculators.singlepoint import SinglePointCalculator

from gapy.errors import StructureError
from gapy.structures import values
from gapy.structures.charge import charge_of, with_charge
from gapy.structures.elements import require_elements
from gapy.structures.labelled import LabelKeys, LabelledStructure, StructureWarning
from gapy.structures.lookalikes import lookalikes, option, suggested
from gapy.structures.spins import known_signs, with_signs

DEFAULT_KEYS = LabelKeys()
# Label kind -> the fields of LabelKeys that may hold it, first choice first.
KIND_FIELDS = {"energy": ("energy",), "forces": ("forces",), "stress": ("stress", "virial")}
# Label kind -> names among calculator results, first choice first. Forces are the derivative of
# the free energy, not of the energy extrapolated to zero smearing.
RESULT_NAMES = {"energy": ("free_energy", "energy"), "forces": ("forces",), "stress": ("stress",)}
KEY_FIELDS = tuple(f.name for f in fields(LabelKeys) if f.name != "given")
SIGMA_FIELDS = ("energy_sigma", "forces_sigma", "stress_sigma")


@dataclass(frozen=True, eq=False)
class Frame:
    """A structure as read: its index in the file and the results its calculator holds."""

    index: int
    atoms: Atoms
    results: dict[str, object]

    def value(self, keys: LabelKeys, field: str) -> object | None:
        key = getattr(keys, field)
        store = self.atoms.arrays if field == "forces" else self.atoms.info
        return store.get(key, self.results.get(key))

    def has(self, keys: LabelKeys, field: str) -> bool:
        return self.value(keys, field) is not None


@dataclass(frozen=True, eq=False)
class Source:
    """One file (or list) and the frames taken from it."""

    name: str
    frames: Sequence[Frame]

    def where(self, frame: Frame) -> str:
        return f"{self.name} frame {frame.index}"


def make_source(name: str, frames: Iterable[tuple[int, Atoms]]) -> Source:
    return Source(name, [Frame(i, atoms, _calculator_results(atoms)) for i, atoms in frames])


def from_atoms(
    frames: Atoms | LabelledStructure | Iterable[Atoms | LabelledStructure],
    keys: LabelKeys = DEFAULT_KEYS,
    *,
    source: str = "frames",
) -> list[LabelledStructure]:
    """Find the labels of structures in memory.

    Label keys come first. When none of the default keys occurs in any frame, labels whose key is
    the default come from the calculator results: ``free_energy`` (the quantity that forces are the
    derivative of) before ``energy``, ``forces``, ``stress``. Results of a calculator that has seen
    another structure do not count.

    Parameters
    ----------
    frames : one ``ase.Atoms`` or many; a LabelledStructure passes through unchanged
    keys : which keys hold the labels
    source : name of the frames in messages

    Raises
    ------
    StructureError : no frames, a frame without labels, a chosen key that no frame holds, or a label
        of the wrong shape
    """
    items = [frames] if isinstance(frames, Atoms | LabelledStructure) else list(frames)
    if not items:
        raise StructureError(f"{source}: expected at least one structure, got none; add structures")
    for index, item in enumerate(items):
        if not isinstance(item, Atoms | LabelledStructure):
            raise StructureError(
                f"{source} frame {index}: expected an ase.Atoms or a LabelledStructure, got "
                f"{type(item).__name__}; read files with read_structures"
            )
    plain = [(i, item) for i, item in enumerate(items) if isinstance(item, Atoms)]
    labelled = iter(label_sources([make_source(source, plain)], keys) if plain else [])
    return [next(labelled) if isinstance(item, Atoms) else item for item in items]


def label_sources(sources: Sequence[Source], keys: LabelKeys) -> list[LabelledStructure]:
    """Label the frames of several files; each file decides on the calculator results by itself."""
    _require_chosen_keys(sources, keys)
    by_source = [list(label_source(source, keys)) for source in sources]
    structures = [s for labelled in by_source for s in labelled]
    if all(s.energy is None and s.forces is None for s in structures):
        raise StructureError(
            f"{_names(sources)}: expected energies under {keys.energy!r} or forces under "
            f"{keys.forces!r}, found neither; {_present(sources)}; {_remedy(sources, keys)}"
        )
    require_labels(structures)
    for source, labelled in zip(sources, by_source):
        _warn_unused(source, labelled, keys)
    return structures


def require_labels(structures: Sequence[LabelledStructure]) -> None:
    """Raise StructureError, naming the frame, for one without any label."""
    for s in structures:
        if s.energy is None and s.forces is None and s.stress is None:
            raise StructureError(
                f"{s.where}: expected an energy, forces or a stress, got none; label the frame or "
                "remove it"
            )


def label_source(source: Source, keys: LabelKeys) -> Iterator[LabelledStructure]:
    """The frames of one file with their labels."""
    default = {f for names in KIND_FIELDS.values() for f in names if not chosen(keys, f)}
    if any(frame.has(keys, field) for frame in source.frames for field in default):
        from_results = set()
    else:
        from_results = {kind for kind, names in KIND_FIELDS.items() if default.issuperset(names)}
    for frame in source.frames:
        yield _label(source, frame, keys, from_results)


def _label(
    source: Source, frame: Frame, keys: LabelKeys, from_results: Collection[str]
) -> LabelledStructure:
    """One frame; ``from_results`` holds the label kinds that calculator results may give."""
    where, atoms = source.where(frame), frame.atoms
    require_elements(atoms.numbers, where)
    energy_key, energy = _find(frame, keys, "energy", from_results)
    forces_key, forces = _find(frame, keys, "forces", from_results)
    config_type = frame.value(keys, "config_type")
    config_type = "default" if config_type is None else str(config_type).strip() or "default"
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    bare.info["config_type"] = config_type
    with_charge(bare, _of(charge_of, atoms, where))
    with_signs(bare, _of(known_signs, atoms, where))
    return LabelledStructure(
        atoms=bare,
        energy=None if energy is None else values.scalar(energy, energy_key, where),
        forces=None if forces is None else values.vectors(forces, len(atoms), forces_key, where),
        stress=_stress(frame, keys, from_results, where),
        config_type=config_type,
        **{name: _sigma(frame, keys, name, where) for name in SIGMA_FIELDS},
        source=source.name,
        index=frame.index,
    )


def _of(read: Callable, atoms: Atoms, where: str):
    """What a structure says of itself; an error names the frame."""
    try:
        return read(atoms)
    except StructureError as error:
        raise StructureError(f"{where}: {error}") from error


def _find(
    frame: Frame, keys: LabelKeys, kind: str, from_results: Collection[str]
) -> tuple[str, object | None]:
    """(key, value) of a label: its own key first, then the names that calculators use."""
    value = frame.value(keys, kind)
    if value is None and kind in from_results:
        for name in RESULT_NAMES[kind]:
            if frame.results.get(name) is not None:
                return name, frame.results[name]
    return getattr(keys, kind), value


def _stress(
    frame: Frame, keys: LabelKeys, from_results: Collection[str], where: str
) -> np.ndarray | None:
    key, stress = _find(frame, keys, "stress", from_results)
    if stress is not None:
        return values.voigt(stress, key, where)
    virial = frame.value(keys, "virial")
    if virial is None:
        return None
    virial = values.voigt(virial, keys.virial, where)
    return values.stress_from_virial(virial, frame.atoms.cell.volume, keys.virial, where)


def _sigma(frame: Frame, keys: LabelKeys, field: str, where: str) -> float | None:
    value = frame.value(keys, field)
    kind = field.removesuffix("_sigma")
    return None if value is None else values.positive(value, getattr(keys, field), where, kind)


def _calculator_results(atoms: Atoms) -> dict[str, object]:
    """Results that belong to the present positions, cell and species; {} when there are none."""
    results = getattr(atoms.calc, "results", None)
    if not results or compare_atoms(getattr(atoms.calc, "atoms", None), atoms):
        return {}
    return results


def chosen(keys: LabelKeys, field: str) -> bool:
    """Whether a key was given, and is not just the default one."""
    return field in keys.given or getattr(keys, field) != getattr(DEFAULT_KEYS, field)


def _require_chosen_keys(sources: Sequence[Source], keys: LabelKeys) -> None:
    frames = [frame for source in sources for frame in source.frames]
    for field in KEY_FIELDS:
        if chosen(keys, field) and not any(frame.has(keys, field) for frame in frames):
            raise StructureError(
                f"{_names(sources)}: {field} key {getattr(keys, field)!r} expected in some frame, "
                f"found in none; {_present(sources)}; name one of these"
            )
    if not chosen(keys, "virial"):
        return
    with_virial = [frame for frame in frames if frame.has(keys, "virial")]
    if all(frame.has(keys, "stress") for frame in with_virial):
        raise StructureError(
            f"{_names(sources)}: virial key {keys.virial!r} has no effect, all {len(with_virial)} "
            f"frames that hold it have a stress under {keys.stress!r} too, which comes first; "
            "leave one of the two out"
        )


def _warn_unused(source: Source, labelled: Sequence[LabelledStructure], keys: LabelKeys) -> None:
    """Labels under names that nobody gave are easy to lose."""
    names = {getattr(keys, field) for field in KEY_FIELDS}
    for kind, key_fields in KIND_FIELDS.items():
        lost: dict[tuple[str, str], int] = {}
        replaced = False
        for frame, structure in zip(source.frames, labelled):
            if any(frame.has(keys, field) for field in key_fields):
                continue
            stored = isinstance(frame.atoms.calc, SinglePointCalculator)
            results = frame.results if stored else {}
            held = getattr(structure, kind) is not None
            found = list(lookalikes(kind, frame.atoms, names))
            if not held and RESULT_NAMES[kind][-1] in results:
                found.append(("calculator result", RESULT_NAMES[kind][-1]))
            for where in found:
                lost[where] = lost.get(where, 0) + 1
                replaced |= held
        for (store, name), count in lost.items():
            use = option(kind, name)
            field = use.removeprefix("--").partition("-")[0]
            only = "beside calculator results" if replaced else "only"
            warnings.warn(
                f"{source.name}: {kind} found {only} as {store} {name!r} in {count} of "
                f"{len(source.frames)} frames and not used; name {name!r} as the {field} key to "
                f"use it ({use})",
                StructureWarning,
                stacklevel=2,
            )


def _names(sources: Sequence[Source]) -> str:
    return ", ".join(source.name for source in sources)


def _remedy(sources: Sequence[Source], keys: LabelKeys) -> str:
    """What to do where no label was found."""
    atoms = [frame.atoms for source in sources for frame in source.frames]
    options = suggested(atoms, {getattr(keys, field) for field in KEY_FIELDS})
    return f"did you mean {options}?" if options else "name the right keys"


def _present(sources: Sequence[Source]) -> str:
    """The keys that are there, for a message about one that is not."""
    frames = [frame for source in sources for frame in source.frames]
    info = {str(key) for frame in frames for key in frame.atoms.info}
    arrays = {key for frame in frames for key in frame.atoms.arrays} - {"numbers", "positions"}
    results = {key for frame in frames for key in frame.results}
    parts = (("info", info), ("arrays", arrays), ("calculator results", results))
    return "; ".join(f"{name}: {', '.join(sorted(keys)) or 'none'}" for name, keys in parts)
