"""A pair potential that is right in every respect, and ways to spoil it."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from vesin import ase_neighbor_list

WELL, WIDTH, BOND = 0.3, 1.6, 2.4
CUTOFF = 5.0


def morse(r):
    """Energy (eV) and slope (eV/A) of a Morse pair that goes to zero smoothly at CUTOFF."""
    e = np.exp(-WIDTH * (r - BOND))
    phi, slope = WELL * (e * e - 2.0 * e), -2.0 * WELL * WIDTH * (e * e - e)
    x = np.minimum(r / CUTOFF, 1.0)
    f, df = (1.0 - x) ** 3 * (1.0 + 3.0 * x), -12.0 * x * (1.0 - x) ** 2 / CUTOFF
    return phi * f, slope * f + phi * df


def cut(r):
    """The same pair without the smooth end."""
    e = np.exp(-WIDTH * (r - BOND))
    inside = 1.0 * (r < CUTOFF)
    return inside * WELL * (e * e - 2.0 * e), -inside * 2.0 * WELL * WIDTH * (e * e - e)


def kinked(r):
    """The same pair with a kink of the force in the well."""
    phi, slope = morse(r)
    inside = np.maximum(3.0 - r, 0.0)
    return phi + 2.5 * inside**2, slope - 5.0 * inside


def wavy(r):
    """With waves on top: several minima, and attraction at short range."""
    phi, slope = morse(r)
    return phi + np.cos(8.0 * r), slope - 8.0 * np.sin(8.0 * r)


def hole(r):
    """Atoms that only attract one another, without an end."""
    e = np.exp(-(r**2) / 4.0)
    return -3.0 * e, 1.5 * r * e


class Toy(Calculator):
    """Energy, forces, stress of a pair; `sigma(atoms)` gives forces_std (n, 3) where it is stated.

    spoil : called with the results and the atoms, changes the results
    """

    implemented_properties = ("energy", "forces", "stress", "forces_std")

    def __init__(self, pair=morse, *, sigma=None, flag=None, spoil=None):
        super().__init__()
        self.pair, self.sigma, self.largest_force_std, self.spoil = pair, sigma, flag, spoil

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, d, vectors = ase_neighbor_list("idD", atoms, CUTOFF)
        phi, slope = self.pair(d)
        pull = slope[:, None] * vectors / d[:, None]
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, pull)
        self.results = {"energy": 0.5 * phi.sum(), "forces": forces}
        if atoms.pbc.all():
            virial = 0.5 * vectors.T @ pull / atoms.get_volume()
            self.results["stress"] = virial.ravel()[[0, 4, 8, 5, 2, 1]]
        if self.sigma is not None:
            self.results["forces_std"] = self.sigma(atoms)
        if self.spoil is not None:
            self.spoil(self.results, atoms)


def constant(value):
    """The same sigma everywhere, eV/A."""
    return lambda atoms: np.full((len(atoms), 3), value)
