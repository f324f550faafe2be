"""Two atoms from 0.1 A to the cutoff: repulsive near, one minimum, smooth, no flips of the force.

Force flips are changes of sign along the scan with forces below QUIET taken as none, as tests of
diatomics in ML-PEG and MLIP Arena count them: one, from repulsion to attraction, is right.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from scipy.ndimage import maximum_filter1d

from gapy.validation.health.check import Check, Settings, judged
from gapy.validation.health.probe import with_calculator

NEAREST = 0.1
"""A, where a scan begins."""
STEP = 0.02
"""A: finer than any feature of a density with a width of a few tenths."""
QUIET = 1e-2
"""eV/A; smaller forces have no sign."""
SHORT = 0.7
"""Of the sum of the covalent radii: no bond is shorter, so everything repels there."""
SHALLOW = 1e-3
"""eV: a minimum that is less deep on either side is none."""
ROUGH = 0.05
"""Of the force near a place, or of the largest beyond the covalent radii: kink that no smooth curve
has over STEP."""
NEAR = 5
"""Steps on either side whose largest force a kink is measured by."""


def dimers(calculator, atoms: Atoms, settings: Settings) -> tuple[Check, ...]:
    """Four checks of every pair of the species in `atoms`."""
    species = sorted(set(atoms.numbers.tolist()))
    found: list[Check] = []
    for a, b in combinations_with_replacement(species, 2):
        found += of_pair(calculator, a, b, settings)
    return tuple(found)


def of_pair(calculator, a: int, b: int, settings: Settings) -> tuple[Check, ...]:
    """Repulsion, flips, minima and smoothness of one pair of atomic numbers."""
    name = f"dimer {chemical_symbols[a]}-{chemical_symbols[b]}"
    at, energy, force = scan(calculator, a, b, settings.cutoff)
    arrays = {"distance (A)": at, "energy (eV)": energy, "force (eV/A)": force}
    bond = covalent_radii[a] + covalent_radii[b]
    short = at < SHORT * bond
    pulled = at[short & (force <= 0.0)]
    note = f"places below {at[short].max():.2f} A where the atoms attract each other"
    if len(pulled):
        note += f", from {pulled.min():.2f} to {pulled.max():.2f} A"
    return (
        judged(
            f"{name}: repulsive",
            len(pulled),
            0,
            "places",
            note,
            arrays=arrays,
        ),
        judged(
            f"{name}: force flips",
            flips(force),
            1,
            "",
            f"changes of sign of the force from {NEAREST:g} A to the cutoff",
        ),
        judged(
            f"{name}: minima",
            minima(energy),
            1,
            "",
            f"minima of the energy deeper than {SHALLOW:g} eV",
        ),
        judged(
            f"{name}: smooth",
            roughness(force[~short], at[~short] >= bond),
            ROUGH,
            "relative",
            f"largest kink of the force over {STEP:g} A beyond {SHORT:g} of the covalent radii, "
            "relative to the force near it or the largest beyond those radii",
        ),
    )


def scan(calculator, a: int, b: int, cutoff: float):
    """Distances (k,) A, energies (k,) eV above the end, forces (k,) eV/A, positive apart."""
    at = np.arange(NEAREST, cutoff + 0.5 * STEP, STEP)
    energy, force = np.empty(len(at)), np.empty(len(at))
    for k, r in enumerate(at):
        pair = with_calculator(Atoms([a, b], [[0.0, 0.0, 0.0], [r, 0.0, 0.0]]), calculator)
        energy[k], force[k] = pair.get_potential_energy(), pair.get_forces()[1, 0]
    return at, energy - energy[-1], force


def flips(force: np.ndarray) -> int:
    """Changes of sign of forces (k,) eV/A, those below QUIET left out."""
    signs = np.sign(force[np.abs(force) >= QUIET])
    return int((signs[1:] != signs[:-1]).sum())


def minima(energy: np.ndarray) -> int:
    """Minima of energies (k,) eV that lie SHALLOW below what is on either side of them."""
    count, low, high, falling = 0, energy[0], energy[0], True
    for e in energy[1:]:
        if falling:
            low = min(low, e)
            if e > low + SHALLOW:
                count, falling, high = count + 1, False, e
        else:
            high = max(high, e)
            if e < high - SHALLOW:
                falling, low = True, e
    return count


def roughness(force: np.ndarray, beyond: np.ndarray) -> float:
    """Largest kink of forces (k,), the change of their slope times STEP, relative to the force.

    Half of the fourth difference is that change at a kink; of a smooth bend, which second
    differences show too, it leaves next to nothing.

    beyond (k,) : places of bonds and farther; the largest force there is the least scale, so that
        the wall at short range does not hide a kink in the well
    """
    least = max(np.abs(force[beyond]).max(initial=0.0), QUIET)
    near = maximum_filter1d(np.abs(force), 2 * NEAR + 1)[2:-2]
    return float((0.5 * np.abs(np.diff(force, 4)) / np.maximum(near, least)).max())
