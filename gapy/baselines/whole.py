"""Baselines that look at a whole structure: what they need of it, and their last answers.

A fit asks for the same structures several times: for e0, for the rows, for left-out errors. Sums
over pairs are cheap beside the rows; a dispersion model or another calculator may not be.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from ase import Atoms

from gapy.baselines.protocol import Baseline, Contribution, System
from gapy.errors import GapyError
from gapy.structures.charge import charge_of, with_charge

BYTES = 64_000_000
"""Of answers that are kept, at most."""


def whole_structure(system: System, kind: str) -> Atoms:
    """The structure as ASE has it, with its charge where it has one.

    Raises
    ------
    GapyError : positions, cell or periodicity are not known, or some atoms are no centres
    """
    known = all(part is not None for part in (system.positions, system.cell, system.pbc))
    if not known or len(system.centres) < len(system.numbers):
        raise GapyError(
            f"baseline {kind}: expected a whole structure with positions, cell and pbc, got pairs "
            "of atoms or of a domain alone; use Potential.evaluate or the ASE calculator, or fit "
            "without this baseline"
        )
    atoms = Atoms(system.numbers, system.positions, cell=system.cell, pbc=system.pbc)
    return with_charge(atoms, system.charge)


def of_whole(energy: float, forces, virial) -> Contribution:
    """A contribution whose energy (eV) belongs to no atom; forces eV/A, virial eV."""
    forces = np.array(forces, dtype=float)
    forces.flags.writeable = False  # it may be handed out again
    virial = np.array(virial, dtype=float).reshape(3, 3)
    virial.flags.writeable = False
    energies = np.zeros(len(forces))
    energies.flags.writeable = False
    return Contribution(energies, forces, virial, float(energy))


class Answers:
    """The last contributions of baselines, BYTES of them; safe in several threads."""

    def __init__(self, most: int = BYTES):
        self._most, self._size = most, 0
        self._kept: OrderedDict[tuple, Contribution] = OrderedDict()
        self._lock = threading.Lock()

    def of(
        self, baseline: Baseline, atoms: Atoms, compute: Callable[[Atoms], Contribution]
    ) -> Contribution:
        """compute(atoms), or what it gave for the same baseline and an equal structure."""
        charge = np.array(charge_of(atoms))
        parts = (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, charge)
        digest = hashlib.blake2b(b"".join(np.ascontiguousarray(p).tobytes() for p in parts))
        key = (baseline, digest.digest())
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = compute(atoms)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = found
                self._size += _bytes(found)
            while self._size > self._most and len(self._kept) > 1:
                self._size -= _bytes(self._kept.popitem(last=False)[1])
        return found


def _bytes(found: Contribution) -> int:
    return found.energies.nbytes + found.forces.nbytes + 500


ANSWERS = Answers()
"""Of this process."""
