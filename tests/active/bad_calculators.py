"""Oracles that go wrong in every way that the loop must survive.

Labelling processes import this file, so it imports no more than they need.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT


class Bad(EMT):
    """EMT that goes wrong for structures whose first atom is displaced along x by more than 1 A."""

    how = "none"

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if atoms.positions[0, 0] > 1.0:
            self.go_wrong()

    def go_wrong(self):
        raise NotImplementedError


class Hangs(Bad):
    def go_wrong(self):
        time.sleep(600)


class Raises(Bad):
    def go_wrong(self):
        raise RuntimeError("the density went\naway")


class Dies(Bad):
    def go_wrong(self):
        os.kill(os.getpid(), signal.SIGSEGV)


class Exits(Bad):
    def go_wrong(self):
        os._exit(3)


class NaN(Bad):
    def go_wrong(self):
        self.results["forces"][0, 0] = np.nan


class Infinite(Bad):
    def go_wrong(self):
        self.results["energy"] = self.results["free_energy"] = np.inf


class Absurd(Bad):
    def go_wrong(self):
        self.results["forces"][0, 0] = 1e4


class Unconverged(Bad):
    converged = True

    def go_wrong(self):
        self.converged = False


class WritesUnconverged(Bad):
    def go_wrong(self):
        Path("scf.out").write_text("convergence NOT achieved after 80 iterations: stopping\n")


class NoProgram(Bad):
    def go_wrong(self):
        subprocess.check_call(["no-such-program-anywhere"])


class ShellNoProgram(Bad):
    def go_wrong(self):
        subprocess.run("no-such-program-anywhere", shell=True, check=True, stderr=-3)


class NoForces(Bad):
    def go_wrong(self):
        del self.results["forces"]


class Child(Bad):
    """Hangs in a program of its own, whose process id it leaves behind."""

    def go_wrong(self):
        process = subprocess.Popen(["sleep", "600"])
        Path("../child").write_text(str(process.pid))
        process.wait()


class ReadsInput(EMT):
    """Fails until a file says that it may work."""

    def __init__(self, permission):
        super().__init__()
        self.permission = permission

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if not Path(self.permission).exists():
            raise RuntimeError("no licence")
        super().calculate(atoms, properties, system_changes)


class Uneven(EMT):
    """EMT whose calculations take longer the further up the first atom is: they end in no order."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        time.sleep(float(abs(np.sin(1e4 * atoms.positions[0, 2]))) * 0.05)


class SometimesFails(EMT):
    """EMT that refuses a third of all structures, always the same ones."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if int(abs(atoms.positions[1, 1]) * 1e6) % 3 == 0:
            raise RuntimeError("not this one")
