"""Pair lists, whole and of a domain with ghosts, as baselines get them; frames where ZBL acts."""

from typing import NamedTuple

import numpy as np
from ase.calculators.emt import EMT
from helpers import labelled_frames

from gapy._support.voigt import stress_of
from gapy.baselines import System, baseline_of
from gapy.geometry.neighbours import neighbour_list


class PairArrays(NamedTuple):
    centre_i: np.ndarray
    first_i: np.ndarray
    j_p: np.ndarray
    r_pc: np.ndarray
    cutoff: float


def whole(atoms, cutoff):
    """Every atom a centre, images folded onto their atoms."""
    found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
    centre_i = np.arange(len(atoms))
    pairs = PairArrays(centre_i, found.first_i, found.j_p, found.r_pc, cutoff)
    return System(atoms.numbers, pairs)


def domain(atoms, cutoff, owned):
    """(system, owner of each listed atom): `owned` atoms, then a ghost for every other image."""
    found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
    owner, listed = list(owned), {(i, 0, 0, 0): k for k, i in enumerate(owned)}
    first, j_p, r_pc = [0], [], []
    for i in owned:
        for p in range(found.first_i[i], found.first_i[i + 1]):
            key = (int(found.j_p[p]), *found.shift_pc[p].tolist())
            if key not in listed:
                listed[key] = len(owner)
                owner.append(key[0])
            j_p.append(listed[key])
            r_pc.append(found.r_pc[p])
        first.append(len(j_p))
    pairs = PairArrays(
        np.arange(len(owned)),
        np.array(first),
        np.array(j_p, dtype=np.int32),
        np.array(r_pc).reshape(-1, 3),
        cutoff,
    )
    return System(atoms.numbers[owner], pairs), np.array(owner, dtype=int)


def compressed(n, seed):
    """Cells in which neighbours come as close as 2 A."""
    out = []
    for atoms in labelled_frames(n, seed):
        atoms.set_cell(0.82 * atoms.cell, scale_atoms=True)
        atoms.calc = EMT()
        atoms.info |= {"REF_energy": atoms.get_potential_energy(), "REF_stress": atoms.get_stress()}
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        out.append(atoms)
    return out


def plus(frames, baselines, factor=1.0):
    """Labels that gain what the baselines give."""
    out = []
    for atoms in frames:
        atoms, base = atoms.copy(), baseline_of(atoms, baselines)
        atoms.info["REF_energy"] += factor * base.energy
        atoms.info["REF_stress"] = atoms.info["REF_stress"] + factor * stress_of(base.virial, atoms)
        atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] + factor * base.forces
        out.append(atoms)
    return out
