"""Calculators that a baseline meets: without stress, failing, not finite, none at all."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Counted(EMT):
    """EMT that counts its calls."""

    calls = 0

    def calculate(self, *args, **kwargs):
        type(self).calls += 1
        super().calculate(*args, **kwargs)


class Odd(Calculator):
    """No forces, an energy that counts calls since it was reset, and what `does` says."""

    implemented_properties = ("energy", "forces")

    def __init__(self, does="nothing"):
        super().__init__()
        self.does, self.since = does, 0

    def reset(self):
        super().reset()
        self.since = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if self.does == "fail" and len(atoms) == 3:
            raise RuntimeError("the self-consistent field\ndid not converge")
        forces = np.full((len(atoms), 3), np.nan if self.does == "nan" else 0.0)
        self.since += 1
        self.results = {"energy": 0.1 * self.since, "forces": forces}


class OfCharge(Calculator):
    """The energy is the total charge, where ASE's calculators look for it."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        total = float(self.atoms.get_initial_charges().sum())
        self.results = {"energy": total, "forces": np.zeros((len(self.atoms), 3))}


class NoCalculator:
    pass
