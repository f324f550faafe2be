"""Structures far from the data."""

from ase import Atoms


def dimer(symbols, d):
    return Atoms(symbols, [[0, 0, 0], [d, 0, 0]], cell=[20, 20, 20])
