"""Properties to first order in the weights of a model.

A property that is a function p of energies E_j of relaxed structures changes with the weights as

    dp = sum_j c_j dE_j,   c_j = dp / dE_j,

where dE_j is that of the structure as the mean relaxed it: where forces vanish, moving with the
minimum changes the energy in second order only. If the cell of the crystal follows the weights too,
by a strain eta that keeps the stress at zero, its share is (dp / d eta) d eta, and the response
d eta = - C^-1 d sigma is again a sum over energies, sigma their first differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.units import GPa

from gapy.errors import GapyError
from gapy.properties.competing_phases import phase_order
from gapy.properties.defects import vacancies_at
from gapy.properties.elasticity import cubic, is_cubic
from gapy.properties.equation_of_state import eos, fitted, scaled
from gapy.properties.relaxing import relax
from gapy.properties.result import require_periodic
from gapy.properties.straining import with_strain

STEP = 1e-5
"""Change of an energy, eV, in derivatives of a fit."""
STRAIN, LITTLE = 0.01, 0.002
"""Strain of second differences of energies, and of derivatives by the cell."""
TIGHT = 2e-4
"""Largest force (eV/A) that remains: energies are then at rest to 1e-8 eV."""
PAIRS = tuple(zip(*np.triu_indices(6)))


@dataclass(frozen=True)
class Linearised:
    """Numbers of a property, and how they change with energies of structures.

    names, units, values (p,); frames (j); coefficients (p, j): d value / d energy, per eV.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    frames: tuple[Atoms, ...]
    coefficients: np.ndarray


def linearised(name: str, calculator, atoms: Atoms, *, phases=None) -> Linearised:
    """A property by name, about the structures as the calculator relaxes them.

    Arguments
    ---------
    name : one of NAMES
    atoms : cell of the crystal
    phases : name -> structure of the competing phases, for "phases" alone

    Raises PropertyError where a relaxation fails, GapyError for an unknown name.
    """
    if name not in NAMES:
        raise GapyError(
            f"property: expected one of {', '.join(NAMES)}, got {name!r}; correct the name"
        )
    require_periodic(atoms, name)
    if (phases is not None) != (name == "phases"):
        raise GapyError("phases: expected with the property 'phases', and only with it")
    if phases is not None:
        return _phases(calculator, phases)
    return _OF_CRYSTAL[name](calculator, atoms)


def _eos(calculator, atoms: Atoms) -> Linearised:
    found = eos(calculator, atoms, force=TIGHT)
    n, volumes = len(atoms), found.volumes

    def numbers(energies: np.ndarray) -> np.ndarray:
        _, bulk, _, volume = fitted(volumes, energies)
        return np.array([volume / n, bulk / GPa])

    slopes = []
    for unit in np.eye(len(volumes)) * STEP:
        slopes.append(
            (numbers(found.energies + unit) - numbers(found.energies - unit)) / (2 * STEP)
        )
    value = numbers(found.energies)
    return Linearised(("volume", "B"), ("A^3/atom", "GPa"), value, found.along, np.array(slopes).T)


def _elastic(calculator, atoms: Atoms) -> Linearised:
    crystal = relax(calculator, atoms, cell="free", force=TIGHT).atoms
    volume, frames, energies, patterns = _strained(calculator, crystal)
    # Rows of `second`: C_ij from the energies; of `first`: stresses.
    second = np.zeros((len(PAIRS), len(frames)))
    first = np.zeros((6, len(frames)))
    second_of = {}
    for k, (i, j) in enumerate(PAIRS):
        plus, minus = patterns[i, j]
        row = np.zeros(len(frames))
        row[[plus, minus, 0]] = np.array([1.0, 1.0, -2.0]) / (volume * STRAIN**2)
        if i == j:
            second_of[i] = second[k] = row
            first[i, [plus, minus]] = np.array([0.5, -0.5]) / (volume * STRAIN)
    for k, (i, j) in enumerate(PAIRS):
        if i != j:
            plus, minus = patterns[i, j]
            second[k, [plus, minus, 0]] = np.array([0.5, 0.5, -1.0]) / (volume * STRAIN**2)
            second[k] -= 0.5 * (second_of[i] + second_of[j])
    tensor = _tensor(second @ energies)
    response = -np.linalg.solve(tensor, first)  # (6, j): d eta / d energy
    names, pick = _names(tensor)
    directions = [np.array([1.0, 1, 1, 0, 0, 0])] if is_cubic(tensor) else list(np.eye(6))
    coefficients = np.array([pick(_tensor(column)) for column in second.T]).T
    for direction in directions:
        ends = []
        for sign in (1.0, -1.0):
            other = with_strain(crystal, sign * LITTLE * direction)
            _, _, e, _ = _strained(calculator, other)
            # The volume in the differences is that of the strained crystal.
            ends.append(pick(_tensor(second @ e)) * volume / other.get_volume())
        slope = (ends[0] - ends[1]) / (2 * LITTLE)
        coefficients += np.outer(slope, direction @ response / (direction @ direction))
    value = pick(tensor) / GPa
    return Linearised(names, ("GPa",) * len(names), value, frames, coefficients / GPa)


def _names(tensor: np.ndarray) -> tuple[tuple[str, ...], Callable]:
    """Names of the numbers of a tensor, and what takes them from one."""
    if is_cubic(tensor):
        return ("C11", "C12", "C44"), lambda c: np.array(cubic(c))
    names = tuple(f"C{i + 1}{j + 1}" for i, j in PAIRS)
    return names, lambda c: np.array([c[i, j] for i, j in PAIRS])


def _tensor(upper: np.ndarray) -> np.ndarray:
    out = np.zeros((6, 6))
    for value, (i, j) in zip(upper, PAIRS):
        out[i, j] = out[j, i] = value
    return out


def _strained(calculator, crystal: Atoms):
    """Volume, relaxed frames, their energies, and (i, j) -> indices of the + and - strain.

    The crystal itself is the first frame.
    """
    done = [relax(calculator, crystal, cell="fixed", force=TIGHT, symmetry=False)]
    patterns = {}
    for i, j in PAIRS:
        at = []
        for sign in (1.0, -1.0):
            strain = np.zeros(6)
            strain[[i, j]] = sign * STRAIN
            frame = with_strain(crystal, strain)
            at.append(len(done))
            done.append(relax(calculator, frame, cell="fixed", force=TIGHT, symmetry=False))
        patterns[i, j] = tuple(at)
    energies = np.array([one.energy for one in done])
    return float(crystal.get_volume()), tuple(one.atoms for one in done), energies, patterns


def _vacancy(calculator, atoms: Atoms) -> Linearised:
    crystal = relax(calculator, atoms, cell="isotropic", force=TIGHT).atoms
    frames, energies, row = _vacancies(calculator, crystal)
    ends, whole = [], []
    for sign in (1.0, -1.0):
        other = scaled(crystal, (1.0 + sign * LITTLE) ** 3)
        there, e, _ = _vacancies(calculator, other)
        ends.append(row @ e)
        whole.append((there[0], e[0]))
    middle = energies[0]
    # The lattice follows: E(eta) has its minimum where its first difference vanishes.
    curvature = (whole[0][1] + whole[1][1] - 2.0 * middle) / LITTLE**2
    slope = (ends[0] - ends[1]) / (2.0 * LITTLE)
    share = -slope / curvature / (2.0 * LITTLE)
    frames = (*frames, whole[0][0], whole[1][0])
    coefficients = np.concatenate([row, [share, -share]])[None]
    return Linearised(("vacancy",), ("eV",), np.array([row @ energies]), frames, coefficients)


def _vacancies(calculator, crystal: Atoms):
    """Supercell and a vacancy of each element in it: frames, energies, and their coefficients."""
    whole, ends, counts = vacancies_at(calculator, crystal, (2, 2, 2), TIGHT * 10, 500)
    frames = (whole, *(end for _, end in ends))
    energies = np.array([frame.get_potential_energy() for frame in frames])
    row = np.array([counts.sum() * (1.0 / len(whole) - 1.0), *counts])
    return frames, energies, row


def _phases(calculator, phases) -> Linearised:
    found = phase_order(calculator, phases, force=TIGHT * 5)
    n = np.array([len(frame) for frame in found.relaxed])
    coefficients = np.diag(1.0 / n)[1:]
    coefficients[:, 0] = -1.0 / n[0]
    names = tuple(found.energies)[1:]
    values = np.array(list(found.numbers().values()))
    return Linearised(names, ("eV/atom",) * len(names), values, found.relaxed, coefficients)


_OF_CRYSTAL = {"eos": _eos, "elastic": _elastic, "vacancy": _vacancy}
NAMES = (*_OF_CRYSTAL, "phases")
"""What can be linearised."""
