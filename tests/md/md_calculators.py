"""Calculators and helpers of the MD tests."""

import csv

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class UncertainEMT(EMT):
    """EMT whose force sigma grows with the force; with its neighbour list it has a history."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        forces = self.results["forces"]
        self.results["forces_std"] = 0.01 + 0.1 * np.abs(forces)
        self.results["energies_std"] = 0.001 + 0.01 * np.linalg.norm(forces, axis=1)


class MemorylessEMT(UncertainEMT):
    """The same with a new neighbour list at every call: results depend on the atoms alone."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, all_changes)


class Springs(Calculator):
    """Atoms on a ring of springs, 3 independent chains: fast, exact, momentum is conserved.

    U = k/2 sum_i |u_i - u_(i+1)|^2 with u the displacement from `sites`.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, sites, stiffness=2.0, std=0.1):
        super().__init__()
        self.sites = np.array(sites)
        self.stiffness = stiffness
        self.std = std

    def check_state(self, atoms, tol=0.0):
        """ASE's own comparison takes longer than the springs."""
        same = self.atoms is not None and np.array_equal(self.atoms.positions, atoms.positions)
        return [] if same else ["positions"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        u = self.atoms.positions - self.sites
        bond = u - np.roll(u, -1, axis=0)
        forces = self.stiffness * (np.roll(bond, 1, axis=0) - bond)
        self.results = {
            "energy": 0.5 * self.stiffness * np.sum(bond**2),
            "forces": forces,
            "forces_std": self.std * np.abs(forces),
            "energies_std": self.std * np.linalg.norm(forces, axis=1),
        }


class Breaking(Springs):
    """Springs that give, from call number `calls` on, `value` as the first force."""

    def __init__(self, sites, calls, value):
        super().__init__(sites)
        self.calls_left = calls
        self.value = value

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls_left -= 1
        if self.calls_left < 0:
            self.results["forces"][0, 0] = self.value


def copper(repeat=2):
    return bulk("Cu", cubic=True) * repeat


def ring(n=8):
    atoms = Atoms(f"Ar{n}", positions=[[3.0 * i, 0.0, 0.0] for i in range(n)])
    atoms.set_masses(10.0 + np.arange(n))
    return atoms


def springs(atoms, **options):
    return Springs(atoms.positions, **options)


def log_columns(path):
    """The log as {column: array of floats}."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def log_without_wall_time(path):
    return [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]


def final_state(directory):
    """Positions, momenta and cell of the checkpoint, in full precision."""
    with np.load(directory / "checkpoint.npz", allow_pickle=False) as file:
        return {name: file[name] for name in ("positions", "momenta", "cell")}


def assert_same_run(one, other):
    """The two directories hold the same run, bit by bit."""
    assert log_without_wall_time(one / "md.csv") == log_without_wall_time(other / "md.csv")
    assert (one / "md.extxyz").read_bytes() == (other / "md.extxyz").read_bytes()
    first, second = final_state(one), final_state(other)
    for name in first:
        assert np.array_equal(first[name], second[name]), name
