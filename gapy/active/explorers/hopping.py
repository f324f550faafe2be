"""Basin hopping as an explorer.

ASE's own BasinHopping relaxes to the end within one step and draws from numpy's global generator,
so it can neither be watched nor be resumed; here its relaxations, ASE's FIRE, are taken step by
step.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from gapy.active.explorers.relaxation import Relaxing
from gapy.md.settings import real, whole


class BasinHopping(Relaxing):
    """Monte Carlo over relaxed structures: displace, relax, accept or go back.

        P(accept) = min(1, exp(-(E_new - E_old) / k_B T))

    Arguments
    ---------
    start : ase.Atoms
    hops : displacements in all
    temperature : K, of the acceptance
    step_width : A, every coordinate moves by a uniform number within +- this
    fmax, max_steps, cell : as in Relaxation

    Raises
    ------
    GapyError : a value of the wrong kind or range

    Source: Wales and Doye, J. Phys. Chem. A 101, 5111 (1997).
    """

    kind = "basin-hopping"

    def __init__(
        self,
        start: Atoms,
        *,
        hops: int = 20,
        temperature: float = 1000.0,
        step_width: float = 0.4,
        fmax: float = 0.05,
        max_steps: int = 200,
        cell: bool = False,
    ):
        super().__init__(start, fmax=fmax, max_steps=max_steps, cell=cell)
        self.hops = whole("hops", hops, least=1)
        self.temperature = real("temperature", temperature, "K", above=0.0)
        self.step_width = real("step_width", step_width, "A", above=0.0)
        self.hopped = -1
        self.minimum = None  # (positions, cell) of the last accepted one

    def begin(self, rng: np.random.Generator) -> None:
        self.hopped = -1
        super().begin(rng)

    def restart(self) -> None:
        self.minimum = None
        self._place(self.start.copy())

    def plan(self) -> str:
        return (
            f"basin hopping, {self.start.get_chemical_formula()}, {self.hops} hops of "
            f"{self.step_width:g} A at {self.temperature:g} K"
        )

    def total_steps(self) -> int:
        return (self.hops + 1) * (self.max_steps + 1)

    def _relaxed(self) -> None:
        """Keep the new minimum or the old one, and displace it."""
        new = np.array(self.atoms.positions), np.array(self.atoms.cell.array)
        if self.minimum is None or self._accepted():
            self.minimum = new
        self.hopped += 1
        if self.hopped >= self.hops:
            self.finished = f"all {self.hops} hops done"
            return
        atoms = self._structure(*self.minimum)
        width = self.step_width
        atoms.positions += self.rng.uniform(-width, width, size=atoms.positions.shape)
        self._place(atoms)

    def _accepted(self) -> bool:
        # Both energies from the model of now: it may have changed since the old minimum.
        new = self.atoms.get_potential_energy()
        old = self._structure(*self.minimum)
        old.calc = self.atoms.calc
        rise = new - old.get_potential_energy()
        return rise <= 0.0 or self.rng.random() < np.exp(-rise / (units.kB * self.temperature))

    def _structure(self, positions, cell) -> Atoms:
        atoms = self.start.copy()
        atoms.set_cell(cell)
        atoms.set_positions(positions, apply_constraint=False)
        return atoms

    def _state(self) -> dict:
        minimum = None if self.minimum is None else list(self.minimum)
        return {**super()._state(), "hopped": self.hopped, "minimum": minimum}

    def _set_state(self, state: dict) -> None:
        super()._set_state(state)
        self.hopped = state["hopped"]
        self.minimum = None if state["minimum"] is None else tuple(state["minimum"])
