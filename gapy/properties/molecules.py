"""Molecules: geometry, vibrations, and energies along a bond or about one.

    H_ij = - [F_i(+h e_j) - F_i(-h e_j)] / 2 h,   M^-1/2 H M^-1/2 e = w^2 e

The three translations and the rotations about the centre of mass are projected out of H.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from scipy import constants

from gapy.errors import GapyError, PropertyError
from gapy.properties.relaxing import at_rest, relax
from gapy.properties.result import Result

BONDED = 1.2
"""Sums of covalent radii up to which two atoms are bonded."""
FREE = 1e-6
"""Singular value, relative to the largest, below which a rotation moves no atom (a line's axis)."""
PER_CM = np.sqrt(constants.e / constants.atomic_mass) * 1e10 / (2.0 * np.pi * constants.c * 100.0)
"""(eV/A^2/u)^(1/2) as a wave number, cm^-1."""


@dataclass(frozen=True)
class Geometry(Result):
    """atoms at rest; bonds: (i, j) -> length A; angles: (i, j, k) about j -> degrees."""

    unit: ClassVar[str] = "A"
    atoms: Atoms
    bonds: Mapping[tuple[int, int], float]
    angles: Mapping[tuple[int, int, int], float]

    def frames(self) -> tuple[Atoms, ...]:
        """The molecule at rest."""
        return (self.atoms,)

    def numbers(self) -> dict[str, float]:
        """Mean length (A) of the bonds of each pair of elements."""
        symbols, groups = self.atoms.get_chemical_symbols(), {}
        for (i, j), length in self.bonds.items():
            groups.setdefault("-".join(sorted((symbols[i], symbols[j]))), []).append(length)
        return {name: float(np.mean(lengths)) for name, lengths in sorted(groups.items())}


@dataclass(frozen=True)
class Vibrations(Result):
    """frequencies (3 n - 6 or 3 n - 5,) cm^-1, negative where imaginary; atoms at rest."""

    unit: ClassVar[str] = "1/cm"
    atoms: Atoms
    frequencies: np.ndarray

    def frames(self) -> tuple[Atoms, ...]:
        """The molecule at rest."""
        return (self.atoms,)

    def numbers(self) -> dict[str, float]:
        """Frequencies from the lowest up, cm^-1."""
        return {str(k + 1): float(w) for k, w in enumerate(self.frequencies)}


@dataclass(frozen=True)
class Scan(Result):
    """Energies (eV) above the lowest at each `at` (A or degrees), and the structures."""

    unit: ClassVar[str] = "eV"
    at: np.ndarray
    energies: np.ndarray
    scanned: tuple[Atoms, ...]

    def frames(self) -> tuple[Atoms, ...]:
        """The structures along the scan."""
        return self.scanned

    def numbers(self) -> dict[str, float]:
        """eV above the lowest energy, by place."""
        return {f"{x:g}": float(e) for x, e in zip(self.at, self.energies)}


def geometry(calculator, atoms: Atoms, *, force: float = 1e-3) -> Geometry:
    """Bonds and angles at rest.

    Raises PropertyError where the relaxation fails or bonds break or form.
    """
    before = bonds_of(atoms)
    end = relax(calculator, atoms, cell="fixed", force=force, same_phase=False).atoms
    after = bonds_of(end)
    if before != after:
        raise PropertyError(
            f"geometry: {atoms.get_chemical_formula()} left its phase, bonds "
            f"{sorted(before ^ after)} broke or formed; begin nearer to the minimum"
        )
    bonds = {(i, j): float(end.get_distance(i, j, mic=True)) for i, j in sorted(after)}
    angles = {}
    for j in range(len(end)):
        near = sorted({b for a, b in after if a == j} | {a for a, b in after if b == j})
        for x, i in enumerate(near):
            for k in near[x + 1 :]:
                angles[i, j, k] = float(end.get_angle(i, j, k, mic=True))
    return Geometry(end, bonds, angles)


def vibrations(
    calculator, atoms: Atoms, *, displacement: float = 0.01, force: float = 1e-3
) -> Vibrations:
    """Harmonic frequencies of a molecule at rest, by central differences of the forces.

    displacement : A. Raises PropertyError where the relaxation fails. Source: Wilson, Decius and
    Cross, Molecular Vibrations (1955), ch. 2.
    """
    if not displacement > 0.0:
        raise GapyError(f"displacement: expected a positive number of A, got {displacement}")
    end = geometry(calculator, atoms, force=force).atoms
    n = len(end)
    hessian = np.empty((3 * n, 3 * n))
    for k in range(3 * n):
        forces = []
        for sign in (1.0, -1.0):
            moved = end.copy()
            moved.calc = calculator
            moved.positions[k // 3, k % 3] += sign * displacement
            forces.append(moved.get_forces().ravel())
        hessian[k] = (forces[1] - forces[0]) / (2.0 * displacement)
    root = np.repeat(np.sqrt(end.get_masses()), 3)
    dynamical = 0.5 * (hessian + hessian.T) / np.outer(root, root)
    inner = _internal(end, root)
    w2 = np.linalg.eigvalsh(inner.T @ dynamical @ inner)
    return Vibrations(end, np.sign(w2) * np.sqrt(np.abs(w2)) * PER_CM)


def bond_scan(calculator, atoms: Atoms, bond: tuple[int, int], lengths) -> Scan:
    """Energies of rigid structures as one bond is stretched, the parts on its ends unchanged.

    bond : the two atoms; lengths (n,) : A. Raises GapyError for a bond in a ring.
    """
    i, j = bond
    part = _side(atoms, i, j)
    direction = atoms.positions[j] - atoms.positions[i]
    length = float(np.linalg.norm(direction))
    frames = []
    for at in np.asarray(lengths, dtype=float):
        frame = atoms.copy()
        frame.positions[part] += direction / length * (at - length)
        frames.append(frame)
    return _scanned(calculator, np.asarray(lengths, dtype=float), frames)


def torsion_scan(calculator, atoms: Atoms, torsion: tuple[int, int, int, int], angles) -> Scan:
    """Energies of rigid structures as the part beyond a bond turns about it.

    torsion : atoms a, b, c, d of the dihedral about b-c; angles (n,) : degrees. Raises GapyError
    for a bond in a ring.
    """
    a, b, c, d = torsion
    part = _side(atoms, b, c)
    mask = np.isin(np.arange(len(atoms)), part)
    frames = []
    for at in np.asarray(angles, dtype=float):
        frame = atoms.copy()
        frame.set_dihedral(a, b, c, d, at, mask=mask)
        frames.append(frame)
    return _scanned(calculator, np.asarray(angles, dtype=float), frames)


def _scanned(calculator, at: np.ndarray, frames: list[Atoms]) -> Scan:
    if not len(frames):
        raise GapyError("scan: expected at least one length or angle, got none")
    done = []
    for frame in frames:
        frame.calc = calculator
        done.append(at_rest(frame))
    energies = np.array([frame.get_potential_energy() for frame in done])
    return Scan(at, energies - energies.min(), tuple(done))


def bonds_of(atoms: Atoms) -> set[tuple[int, int]]:
    """Pairs of atoms, the lower first, within BONDED of their covalent radii."""
    i, j = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=BONDED))
    return {(int(a), int(b)) for a, b in zip(i, j) if a < b}


def _side(atoms: Atoms, i: int, j: int) -> list[int]:
    """Atoms on the side of j when the bond i-j is cut."""
    bonds = bonds_of(atoms) - {(min(i, j), max(i, j))}
    found, edge = {j}, [j]
    while edge:
        k = edge.pop()
        for bond in bonds:
            if k in bond:
                other = bond[0] if bond[1] == k else bond[1]
                if other not in found:
                    found.add(other)
                    edge.append(other)
    if i in found:
        raise GapyError(f"bond: expected one that divides the molecule, got {i}-{j} in a ring")
    return sorted(found)


def _internal(atoms: Atoms, root: np.ndarray) -> np.ndarray:
    """Orthonormal columns (3 n, m): mass-weighted displacements that neither shift nor turn."""
    from_centre = atoms.positions - atoms.get_center_of_mass()
    shifts = np.tile(np.eye(3), (len(atoms), 1))
    turns = np.stack([np.cross(axis, from_centre).ravel() for axis in np.eye(3)], axis=1)
    outer = np.concatenate([shifts, turns], axis=1) * root[:, None]
    u, s, _ = np.linalg.svd(outer, full_matrices=True)
    return u[:, int((s > FREE * s[0]).sum()) :]
