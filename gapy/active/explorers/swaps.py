"""Monte Carlo for alloys as an explorer: atoms of unlike species change places."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from gapy.active.explorers.base import Explorer
from gapy.active.frames import Frame
from gapy.errors import GapyError, StructureError
from gapy.md.settings import real, whole


class Swaps(Explorer):
    """Metropolis Monte Carlo: swaps of unlike atoms, and displacements of all atoms between them.

        P(accept) = min(1, exp(-(E_new - E_old) / k_B T))

    Every trial structure is shown, accepted or not.

    Arguments
    ---------
    start : ase.Atoms with at least two species
    steps : trials in all
    temperature, temperature_end : K; with an end, linear in the steps
    displacement : A, width of the normal displacements of every coordinate in a trial without a
        swap; 0 for swaps only
    swap_share : share of the trials that swap

    Raises
    ------
    GapyError : a value of the wrong kind or range, or a start of one species
    """

    kind = "swaps"

    def __init__(
        self,
        start: Atoms,
        *,
        steps: int = 1000,
        temperature: float = 600.0,
        temperature_end: float | None = None,
        displacement: float = 0.03,
        swap_share: float = 0.5,
    ):
        super().__init__(start)
        self.steps = whole("steps", steps, least=1)
        self.temperature = real("temperature", temperature, "K", above=0.0)
        end = temperature if temperature_end is None else temperature_end
        self.temperature_end = real("temperature_end", end, "K", above=0.0)
        self.displacement = real("displacement", displacement, "A", least=0.0)
        self.swap_share = real("swap_share", swap_share, "no unit", least=0.0)
        if not 0.0 <= self.swap_share <= 1.0:
            raise GapyError(f"swap_share: expected a number from 0 to 1, got {swap_share!r}")
        if self.swap_share > 0.0 and len(set(start.numbers.tolist())) < 2:
            raise GapyError(
                f"start: expected at least two species to swap, got {start.get_chemical_formula()}"
            )
        if self.displacement == 0.0 and self.swap_share < 1.0:
            self.swap_share = 1.0  # a trial that moves nothing is none
        self._energy: float | None = None

    def attach(self, calculator) -> None:
        super().attach(calculator)
        self._energy = None

    def restart(self) -> None:
        super().restart()
        self._energy = None

    def advance(self) -> Frame | None:
        if self.step >= self.steps:
            self.finished = f"all {self.steps} trials done"
            return None
        temperature = self.temperature_at(self.step)
        if self._energy is None:
            self._energy = self.atoms.get_potential_energy()
        self.step += 1
        trial = self._trial()
        try:
            frame = self._frame(trial, temperature=temperature)
        except StructureError as error:
            return self._broken(str(error), temperature=temperature)
        rise = frame.energy - self._energy
        if rise <= 0.0 or self.rng.random() < np.exp(-rise / (units.kB * temperature)):
            self.atoms, self._energy = trial, frame.energy
        return frame

    def temperature_at(self, step: int) -> float:
        """Temperature of the acceptance, K."""
        share = step / self.steps
        return self.temperature + share * (self.temperature_end - self.temperature)

    def plan(self) -> str:
        end = "" if self.temperature_end == self.temperature else f" to {self.temperature_end:g}"
        return (
            f"swaps, {self.start.get_chemical_formula()}, {self.steps} trials at "
            f"{self.temperature:g}{end} K, {100 * self.swap_share:g} % of them swaps"
        )

    def total_steps(self) -> int:
        return self.steps

    def _trial(self) -> Atoms:
        trial = self.atoms.copy()
        trial.calc = self.atoms.calc
        if self.rng.random() >= self.swap_share:
            moves = self.rng.normal(scale=self.displacement, size=trial.positions.shape)
            trial.positions += moves
            return trial
        first = int(self.rng.integers(len(trial)))
        unlike = np.flatnonzero(trial.numbers != trial.numbers[first])
        second = int(unlike[self.rng.integers(len(unlike))])
        # The places change hands, not the species: constraints and momenta stay with the atom.
        trial.positions[[first, second]] = trial.positions[[second, first]]
        return trial
