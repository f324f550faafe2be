"""Small building blocks for the structure generators.  Lengths in A."""

import numpy as np
from ase.neighborlist import neighbor_list


def tag(atoms, group, frames):
    """Append atoms to frames under the group's name with a unique, stable uid."""
    number = sum(frame.info["config_type"] == group for frame in frames)
    atoms.info = {"config_type": group, "uid": f"{group}_{number:03d}"}
    frames.append(atoms)


def scaled(atoms, volume_ratio):
    """Return a copy whose volume is ``volume_ratio`` times that of atoms."""
    new = atoms.copy()
    new.set_cell(atoms.cell.array * volume_ratio ** (1 / 3), scale_atoms=True)
    return new


def strained(atoms, strain):
    """Return a copy deformed by the symmetric 3x3 strain (dimensionless)."""
    new = atoms.copy()
    new.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return new


def random_strain(rng, size):
    """Return a symmetric 3x3 strain with independent normal entries of width ``size``."""
    strain = rng.normal(scale=size, size=(3, 3))
    return (strain + strain.T) / 2


def rattled(atoms, rng, size, nearest=1.8):
    """Return a copy with every coordinate moved by a normal step of width ``size`` A.

    Drawn again until no pair is closer than ``nearest`` A.
    """
    while True:
        new = atoms.copy()
        new.positions += rng.normal(scale=size, size=new.positions.shape)
        if closest(new) > nearest:
            return new


def without(atoms, index):
    """Return a copy with one atom taken out."""
    new = atoms.copy()
    del new[index]
    return new


def closest(atoms, reach=4.0):
    """Return the smallest distance between two atoms (A), periodic images included."""
    distances = neighbor_list("d", atoms, reach)
    return distances.min() if len(distances) else np.inf
