"""What a run may not pass: force sigma, contacts, temperature, jumps of the energy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import units

from gapy.md.contacts import Contacts
from gapy.md.settings import Settings, real

SIGMA_FACTOR = 10.0
"""Times the largest force sigma of the training set: no run that can be trusted comes near it."""
# An atom of any solid or liquid worth simulating stays below it; integration that has gone wrong
# passes it within a few steps.
RUNAWAY_TEMPERATURE = 10_000.0  # K
RUNAWAY_FACTOR = 10.0  # times the highest temperature asked for


def runaway_limit(highest_temperature: float) -> float:
    """Temperature in K above which a run counts as exploded when the user names no limit."""
    return max(RUNAWAY_TEMPERATURE, RUNAWAY_FACTOR * highest_temperature)


@dataclass(frozen=True)
class Limits:
    """Limits of one run; infinite where there is none.

    max_force_std : eV/A, of any atom; default_std says that the user did not choose it
    max_temperature : K; max_energy_jump : eV/atom, change of the total energy in one step
    contacts : the distances that atoms may come to
    """

    max_force_std: float
    default_std: bool
    max_temperature: float
    max_energy_jump: float
    contacts: Contacts

    @classmethod
    def choose(
        cls,
        calculator,
        numbers: np.ndarray,
        settings: Settings,
        *,
        max_force_std: float | None,
        max_temperature: float | None,
        max_energy_jump: float | None,
        min_distance: float | None,
    ) -> Limits:
        """Limits as given, and for None the defaults.

        A calculator states `largest_force_std` (eV/A, or None) and `shortest_distances` (A, by
        pair of atomic numbers) of its training set; of one that does not, nothing is known.
        """
        runaway = runaway_limit(settings.highest_temperature())
        default_std = max_force_std is None
        if default_std:
            largest = getattr(calculator, "largest_force_std", None)
            max_force_std = math.inf if largest is None else SIGMA_FACTOR * largest
        if max_temperature is None:
            max_temperature = runaway
        if max_energy_jump is None:
            max_energy_jump = units.kB * runaway
        if min_distance is not None:
            min_distance = real("min_distance", min_distance, "A", least=0.0)
        return cls(
            real("max_force_std", max_force_std, "eV/A", above=0.0, or_inf=True),
            default_std,
            real("max_temperature", max_temperature, "K", above=0.0, or_inf=True),
            real("max_energy_jump", max_energy_jump, "eV/atom", above=0.0, or_inf=True),
            Contacts(numbers, getattr(calculator, "shortest_distances", {}), min_distance),
        )

    def sigma_source(self) -> str:
        """What is added to a limit on sigma that the user did not choose."""
        if not self.default_std:
            return ""
        return f" (the default, {SIGMA_FACTOR:g} times the largest of the training set)"

    def describe(self) -> str:
        """All limits in one line."""
        parts = ["force sigma not limited"]
        if math.isfinite(self.max_force_std):
            parts = [f"force sigma {self.max_force_std:.3g} eV/A{self.sigma_source()}"]
        near = [f"{pair} {d:.3g} A" for pair, d in self.contacts.distances().items() if d > 0.0]
        if near:
            more = f" and {len(near) - 3} more pairs" if len(near) > 3 else ""
            parts.append(f"contacts {', '.join(near[:3])}{more}{self.contacts.source()}")
        if math.isfinite(self.max_temperature):
            parts.append(f"temperature {self.max_temperature:g} K")
        if math.isfinite(self.max_energy_jump):
            parts.append(f"energy jump {self.max_energy_jump:.3g} eV/atom in a step")
        return "limits: " + "; ".join(parts)

    def to_dict(self) -> dict:
        """Plain numbers; infinite for no limit."""
        return {
            "max_force_std": self.max_force_std,
            "max_temperature": self.max_temperature,
            "max_energy_jump": self.max_energy_jump,
            "min_distance": self.contacts.distances(),
        }
