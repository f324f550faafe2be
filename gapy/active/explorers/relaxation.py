"""Relaxations as explorers: the way downhill from distorted structures."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.filters import UnitCellFilter
from ase.optimize import FIRE

from gapy.active.explorers.base import Explorer
from gapy.active.frames import Frame
from gapy.errors import GapyError, StructureError
from gapy.md.settings import real, whole


class Relaxing(Explorer):
    """What explorers that relax have in common: one step of FIRE at a time.

    The optimiser is made anew in `attach`, so its only memory across a checkpoint is the
    structure. Subclasses say in `_relaxed` what comes after a relaxation.
    """

    def __init__(self, start: Atoms, *, fmax: float, max_steps: int, cell: bool = False):
        super().__init__(start)
        self.fmax = real("fmax", fmax, "eV/A", above=0.0)
        self.max_steps = whole("max_steps", max_steps, least=1)
        if not isinstance(cell, bool):
            raise GapyError(f"cell: expected true or false, got {cell!r}")
        if cell and not start.pbc.all():
            raise GapyError(
                f"cell: expected a structure periodic in three directions to relax the cell, got "
                f"pbc {start.pbc.tolist()}; leave it out"
            )
        self.cell = cell
        self.taken = 0
        self._optimiser = None

    def attach(self, calculator) -> None:
        super().attach(calculator)
        self._optimiser = None

    def advance(self) -> Frame | None:
        if self.finished is not None:
            return None
        self.step += 1
        self.taken += 1
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                # The first frame is the structure that the relaxation begins with.
                if self.taken > 1:
                    self._relax_once()
                frame = self._frame()
            except StructureError as error:
                return self._broken(str(error))
        if frame.broken is None and (self._is_relaxed() or self.taken > self.max_steps):
            self.taken = 0
            self._relaxed()
        return frame

    def _relax_once(self) -> None:
        if self._optimiser is None:
            target = UnitCellFilter(self.atoms) if self.cell else self.atoms
            self._optimiser = FIRE(target, logfile=None)
        self._optimiser.step()

    def _is_relaxed(self) -> bool:
        forces = self.atoms.get_forces()
        if float(np.linalg.norm(forces, axis=1).max()) > self.fmax:
            return False
        if not self.cell:
            return True
        # The work of the stress on the cell, as a force per atom.
        stress = self.atoms.get_stress(voigt=False) * self.atoms.get_volume() / len(self.atoms)
        return float(np.abs(stress).max()) <= self.fmax

    def _relaxed(self) -> None:
        raise NotImplementedError

    def _place(self, atoms: Atoms) -> None:
        """Begin a relaxation with this structure."""
        calculator = self.atoms.calc
        self.atoms = atoms
        self.atoms.calc = calculator
        self.taken = 0
        self._optimiser = None

    def _state(self) -> dict:
        return {"taken": self.taken}

    def _set_state(self, state: dict) -> None:
        self.taken = state["taken"]
        self._optimiser = None


class Relaxation(Relaxing):
    """Relaxations, each from the start structure with new random displacements.

    Arguments
    ---------
    start : ase.Atoms
    n : relaxations
    rattle : A, width of the normal displacements of every coordinate
    fmax : eV/A, a relaxation ends when no force is larger
    max_steps : steps of one relaxation at most
    cell : relax the cell too

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    kind = "relaxation"

    def __init__(
        self,
        start: Atoms,
        *,
        n: int = 5,
        rattle: float = 0.1,
        fmax: float = 0.02,
        max_steps: int = 200,
        cell: bool = False,
    ):
        super().__init__(start, fmax=fmax, max_steps=max_steps, cell=cell)
        self.n = whole("n", n, least=1)
        self.rattle = real("rattle", rattle, "A", least=0.0)
        self.done = 0

    def begin(self, rng: np.random.Generator) -> None:
        self.done = 0
        super().begin(rng)

    def restart(self) -> None:
        atoms = self.start.copy()
        atoms.positions += self.rng.normal(scale=self.rattle, size=atoms.positions.shape)
        self._place(atoms)

    def plan(self) -> str:
        what = "positions and cell" if self.cell else "positions"
        return (
            f"relaxation, {self.start.get_chemical_formula()}, {self.n} times from displacements "
            f"of {self.rattle:g} A, {what} to {self.fmax:g} eV/A"
        )

    def total_steps(self) -> int:
        return self.n * (self.max_steps + 1)

    def _relaxed(self) -> None:
        self.done += 1
        if self.done >= self.n:
            self.finished = f"all {self.n} relaxations done"
        else:
            self.restart()

    def _state(self) -> dict:
        return {**super()._state(), "done": self.done}

    def _set_state(self, state: dict) -> None:
        super()._set_state(state)
        self.done = state["done"]
