"""Small cells of iron whose labels know the signs of moments, for tests of several rooms."""

import numpy as np
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from gapy.geometry.pairs import pairs_within
from gapy.structures.spins import signs_of, with_signs

REACH = 3.6


def label(atoms):
    """Pairs that repel one another, and more so if their moments are parallel."""
    pairs, signs = pairs_within(atoms, REACH), signs_of(atoms)
    r_p = np.linalg.norm(pairs.r_pc, axis=1)
    first = np.repeat(pairs.centre_i, np.diff(pairs.first_i))
    depth = 0.2 + 0.05 * signs[first] * signs[pairs.j_p]
    fading, slope = (1.0 - (r_p / REACH) ** 2) ** 3, -6.0 * r_p / REACH**2
    slope *= (1.0 - (r_p / REACH) ** 2) ** 2
    bond, bond_slope = np.exp(2.0 * (2.4 - r_p)), -2.0 * np.exp(2.0 * (2.4 - r_p))
    pull = (0.5 * depth * (bond_slope * fading + bond * slope) / r_p)[:, None] * pairs.r_pc
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, first, pull)
    np.add.at(forces, pairs.j_p, -pull)
    virial = pull.T @ pairs.r_pc
    atoms.info["REF_energy"] = float((0.5 * depth * bond * fading).sum())
    atoms.arrays["REF_forces"] = forces
    atoms.info["REF_stress"] = virial.ravel()[[0, 4, 8, 5, 2, 1]] / atoms.get_volume()
    return atoms


def iron(n_frames, seed):
    rng, frames = np.random.default_rng(seed), []
    for _ in range(n_frames):
        atoms = bulk("Fe", cubic=True, a=rng.uniform(2.75, 2.95)) * (2, 1, 1)
        atoms.set_initial_magnetic_moments(None)
        atoms.rattle(0.08, rng=rng)
        frames.append(label(with_signs(atoms, rng.choice([-1, 1], 4))))
    return frames


class Moments(Calculator):
    """Labels of `label`, by the initial magnetic moments of the structure."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        done = label(atoms.copy())
        self.results = {
            "energy": done.info["REF_energy"],
            "forces": done.arrays["REF_forces"],
            "stress": done.info["REF_stress"],
        }
