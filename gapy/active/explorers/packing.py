"""Random structures as an explorer: atoms anywhere, not too close, and a few steps downhill."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from gapy._support.voigt import is_crystal
from gapy.active.explorers.relaxation import Relaxing
from gapy.errors import GapyError
from gapy.md.settings import real, whole

TRIES = 200
"""Places tried for one atom before the cell is made larger."""
GROWTH = 1.02


class RandomStructures(Relaxing):
    """Random structures with the composition of the start structure.

    The start's cell is scaled to a random volume and randomly strained; atoms are put at random
    places, none closer to another than a share of the sum of their covalent radii.

    Arguments
    ---------
    start : ase.Atoms with a cell periodic in three directions
    n : structures
    volumes : smallest and largest volume, in units of the start's
    strain : width of the normal entries of the strain
    closeness : smallest distance of two atoms, in units of the sum of their covalent radii
    max_steps : steps of relaxation of each structure; 0 for none

    Raises
    ------
    GapyError : a value of the wrong kind or range, or a start without a volume
    """

    kind = "random"

    def __init__(
        self,
        start: Atoms,
        *,
        n: int = 20,
        volumes: tuple[float, float] = (0.9, 1.3),
        strain: float = 0.05,
        closeness: float = 0.8,
        max_steps: int = 10,
    ):
        super().__init__(start, fmax=1e-3, max_steps=max(whole("max_steps", max_steps, least=0), 1))
        self.relax = max_steps > 0
        self.n = whole("n", n, least=1)
        if not is_crystal(start):
            raise GapyError(
                f"start: expected a cell periodic in three directions, got pbc {start.pbc.tolist()}"
            )
        if not isinstance(volumes, tuple | list) or len(volumes) != 2:
            raise GapyError(f"volumes: expected two numbers, got {volumes!r}")
        self.volumes = tuple(real("volumes", v, "the start's volume", above=0.0) for v in volumes)
        if self.volumes[0] > self.volumes[1]:
            raise GapyError(f"volumes: expected the smaller one first, got {volumes!r}")
        self.strain = real("strain", strain, "no unit", least=0.0)
        self.closeness = real("closeness", closeness, "no unit", above=0.0)
        self.made = 0

    def begin(self, rng: np.random.Generator) -> None:
        self.made = 0
        super().begin(rng)

    def restart(self) -> None:
        self.made += 1
        if self.made > self.n:
            self.finished = f"all {self.n} structures done"
            return
        self._place(self._packed())

    def plan(self) -> str:
        low, high = self.volumes
        return (
            f"random structures, {self.start.get_chemical_formula()}, {self.n} with {low:g} to "
            f"{high:g} of the start's volume, {self.max_steps if self.relax else 0} steps downhill"
        )

    def total_steps(self) -> int:
        return self.n * (self.max_steps + 1 if self.relax else 1)

    def _is_relaxed(self) -> bool:
        return not self.relax or super()._is_relaxed()

    def _relaxed(self) -> None:
        self.restart()

    def _packed(self) -> Atoms:
        atoms = self.start.copy()
        scale = self.rng.uniform(*self.volumes) ** (1.0 / 3.0)
        strain = self.rng.normal(scale=self.strain, size=(3, 3))
        cell = atoms.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)) * scale
        radii = covalent_radii[atoms.numbers]
        while True:
            positions = self._places(cell, radii)
            if positions is not None:
                atoms.set_cell(cell)
                atoms.set_positions(positions, apply_constraint=False)
                return atoms
            cell = cell * GROWTH ** (1.0 / 3.0)

    def _places(self, cell: np.ndarray, radii: np.ndarray) -> np.ndarray | None:
        shifts_ic = np.array(list(np.ndindex(3, 3, 3))) - 1.0
        placed = np.empty((0, 3))  # fractions of the cell vectors
        for k, radius in enumerate(radii):
            trials = self.rng.random((TRIES, 3))
            between = trials[:, None] - placed[None]
            between -= np.round(between)
            r = (between[:, :, None] + shifts_ic) @ cell
            d = np.sqrt((r**2).sum(axis=-1)).min(axis=-1)  # [trial, placed]
            free = np.flatnonzero((d >= self.closeness * (radius + radii[:k])).all(axis=1))
            if not len(free):
                return None
            placed = np.vstack([placed, trials[free[0]]])
        return placed @ cell

    def _state(self) -> dict:
        return {**super()._state(), "made": self.made}

    def _set_state(self, state: dict) -> None:
        super()._set_state(state)
        self.made = state["made"]
