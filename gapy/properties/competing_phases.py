"""Competing phases: crystals of known types, and the order of their energies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk

from gapy.errors import GapyError, PropertyError
from gapy.properties.relaxing import relax
from gapy.properties.result import Result

ROOM = {
    "diamond": 1.35, "hex_diamond": 1.35, "sc": 1.1, "beta_tin": 1.05, "bcc": 1.0, "fcc": 1.0,
    "hcp": 1.0, "zincblende": 1.35, "wurtzite": 1.35, "rocksalt": 1.1, "cesiumchloride": 1.0,
}  # fmt: skip
"""Volume per atom of each type relative to a close packing, where relaxation begins."""


@dataclass(frozen=True)
class PhaseOrder(Result):
    """energies: name -> eV/atom at rest. failed: name -> why there is none. relaxed: structures."""

    unit: ClassVar[str] = "eV/atom"
    energies: Mapping[str, float]
    failed: Mapping[str, str]
    relaxed: tuple[Atoms, ...]

    def frames(self) -> tuple[Atoms, ...]:
        """The phases at rest."""
        return self.relaxed

    def numbers(self) -> dict[str, float]:
        """eV/atom above the first phase."""
        first = next(iter(self.energies.values()))
        return {name: e - first for name, e in list(self.energies.items())[1:]}

    @property
    def order(self) -> tuple[str, ...]:
        """Names from the lowest energy up."""
        return tuple(sorted(self.energies, key=self.energies.__getitem__))


def phase_order(
    calculator, phases: Mapping[str, Atoms], *, force: float = 3e-3, steps: int = 200
) -> PhaseOrder:
    """Energies of phases at rest: first the volume, then shape and positions as well.

    phases : name -> structure; energies are relative to the first, which must relax

    Raises PropertyError where the first phase fails. Others that fail, or turn into another phase,
    are in `failed` and have no energy.
    """
    if len(phases) < 2:
        raise GapyError(f"phases: expected at least two, got {list(phases)}; name more")
    energies, failed, frames = {}, {}, []
    for name, atoms in phases.items():
        try:
            wide = relax(
                calculator, atoms, cell="isotropic", force=10 * force, steps=steps, same_phase=False
            )
            end = relax(calculator, wide.atoms, cell="free", force=force, steps=steps)
        except PropertyError as error:
            if not energies:
                raise
            failed[name] = str(error)
            continue
        energies[name] = end.energy / len(atoms)
        frames.append(end.atoms)
    return PhaseOrder(energies, failed, tuple(frames))


def prototypes(symbols: str, volume: float) -> dict[str, Atoms]:
    """Simple crystals of one element, "Si", or of two in equal parts, "AlAs".

    volume : A^3 per atom of a close packing; other types get more room

    Raises PropertyError for other compositions.
    """
    found = Atoms(symbols).numbers
    elements = list(dict.fromkeys(Atoms(symbols).get_chemical_symbols()))
    if not volume > 0.0:
        raise GapyError(f"volume: expected a positive number of A^3, got {volume}")
    if len(elements) == 1:
        return {name: _scaled(make(elements[0]), name, volume) for name, make in _ELEMENTS.items()}
    if len(elements) == 2 and len(found) == 2:
        formula = "".join(elements)
        names = ("zincblende", "wurtzite", "rocksalt", "cesiumchloride")
        return {name: _scaled(_compound(formula, name), name, volume) for name in names}
    raise PropertyError(
        f"symbols: expected one element or two in equal parts, got {symbols!r}; give phases by hand"
    )


def _compound(formula: str, name: str) -> Atoms:
    if name == "wurtzite":
        return bulk(formula, name, a=4.0, c=4.0 * np.sqrt(8.0 / 3.0))
    return bulk(formula, name, a=4.0)


def _hexagonal_diamond(symbol: str) -> Atoms:
    out = bulk("ZnS", "wurtzite", a=4.0, c=4.0 * np.sqrt(8.0 / 3.0))
    out.symbols[:] = symbol
    return out


def _beta_tin(symbol: str) -> Atoms:
    a, c = 4.8, 4.8 * 0.55
    positions = [(0, 0, 0), (0, 0.5, 0.25), (0.5, 0.5, 0.5), (0.5, 0, 0.75)]
    return Atoms([symbol] * 4, scaled_positions=positions, cell=(a, a, c), pbc=True)


_ELEMENTS = {
    "diamond": lambda x: bulk(x, "diamond", a=5.4),
    "hex_diamond": _hexagonal_diamond,
    "beta_tin": _beta_tin,
    "sc": lambda x: bulk(x, "sc", a=2.5),
    "bcc": lambda x: bulk(x, "bcc", a=3.0),
    "fcc": lambda x: bulk(x, "fcc", a=3.8),
    "hcp": lambda x: bulk(x, "hcp", a=2.7, c=2.7 * np.sqrt(8.0 / 3.0)),
}


def _scaled(atoms: Atoms, name: str, volume: float) -> Atoms:
    factor = ROOM[name] * volume * len(atoms) / atoms.get_volume()
    atoms.set_cell(atoms.cell.array * factor ** (1.0 / 3.0), scale_atoms=True)
    return atoms
