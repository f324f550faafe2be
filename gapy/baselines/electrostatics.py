"""Coulomb energy of Gaussian charges: direct sums of molecules, Ewald sums of crystals.

    E = K/2 sum_ij' q_i q_j erf(gamma_ij r_ij) / r_ij,   1/gamma_ij^2 = 2 (s_i^2 + s_j^2)

with K = e^2/(4 pi eps0), charges q in e, Gaussians of standard deviation s in A, over all pairs of
different atoms and all images. What a Gaussian has with itself is not in it. Of crystals erf(alpha
r)/r is summed as plane waves, the rest in real space,

    E = K/2 sum_ij' q_i q_j (erf(gamma_ij r) - erf(alpha r)) / r - K alpha/sqrt(pi) sum_i q_i^2
        + (2 pi K/V) sum_(k != 0) e^(-k^2 / 4 alpha^2) / k^2 |sum_i q_i e^(i k r_i)|^2 + E_0

with alpha <= gamma, so that both end at the same smallness. The wave k = 0 is left out: the crystal
has no field at its surface (tin foil) and, if it is charged, a uniform background that compensates
it; E_0 = - (pi K/2V) sum_ij q_i q_j (1/alpha^2 - 1/gamma_ij^2) makes the sum independent of alpha.

Sources: Ewald, Ann. Phys. 369, 253 (1921); Toukmaji and Board, Comput. Phys. Commun. 95, 73 (1996).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.special import erf

from gapy._jit import coulomb as kernels
from gapy._support.voigt import has_volume
from gapy.baselines.protocol import Contribution
from gapy.baselines.whole import of_whole
from gapy.baselines.zbl import COULOMB
from gapy.errors import StructureError
from gapy.geometry.pairs import pairs_within

REACH = 5.0
"""Sums end where erfc(alpha r) and e^(-k^2 / 4 alpha^2) come to that of 5: 1e-12 and 1e-11."""
PAIR_COST = 100.0
"""Time of a pair in real space, its search included, over that of an atom in one wave."""
WAVES_AT_ONCE = 512


class Waves(NamedTuple):
    """One half of all waves: reciprocal (3, 3) 1/A, multiples h_ki of its rows, vectors k_kc (1/A),
    weights (4 pi/V) e^(-k^2 bend) / k^2, and the largest multiples."""

    reciprocal: np.ndarray
    most_i: np.ndarray
    h_ki: np.ndarray
    k_kc: np.ndarray
    weight_k: np.ndarray
    bend: float


def energy_and_forces(charge_n: np.ndarray, sigma_n: np.ndarray, atoms: Atoms) -> Contribution:
    """Energy, forces and virial of charges that stay as they are.

    Arguments: charge_n (n,) e; sigma_n (n,) A, above 0; atoms without or with three periodic
    directions (`require_sums`).
    """
    forces, virial = np.zeros((len(atoms), 3)), np.zeros((3, 3))
    charge_n, square_n = (
        np.ascontiguousarray(charge_n, dtype=float),
        np.square(sigma_n, dtype=float),
    )
    positions = np.ascontiguousarray(atoms.positions, dtype=float)
    if not atoms.pbc.any():
        energy = kernels.direct(positions, charge_n, square_n, forces, virial)
        return of_whole(COULOMB * energy, COULOMB * forces, COULOMB * virial)
    alpha, together = split(sigma_n, atoms)
    waves = waves_of(atoms, alpha)
    energy = kernels.of_waves(
        positions, *waves[:3], waves.k_kc, waves.weight_k, waves.bend, charge_n, forces, virial
    )
    energy -= alpha / math.sqrt(math.pi) * (charge_n @ charge_n)
    if not together:
        reach = REACH / alpha
        pairs = pairs_within(atoms, reach)
        energy += kernels.beside_waves(
            pairs.first_i, pairs.j_p, pairs.r_pc, reach, alpha, charge_n, square_n, forces, virial
        )
    total = charge_n.sum()
    flat = total**2 / alpha**2 - 4.0 * total * (charge_n @ square_n)
    background = -0.5 * math.pi / atoms.get_volume() * flat
    virial -= background * np.eye(3)
    return of_whole(COULOMB * (energy + background), COULOMB * forces, COULOMB * virial)


def matrix(sigma_n: np.ndarray, atoms: Atoms) -> np.ndarray:
    """A (n, n) eV/e^2 with E = q A q / 2 for any charges; on the diagonal are an atom's images."""
    square_n = np.square(sigma_n, dtype=float)
    squares = square_n[:, None] + square_n
    if not atoms.pbc.any():
        r = atoms.get_all_distances()
        np.fill_diagonal(r, 1.0)
        out = erf(r / np.sqrt(2.0 * squares)) / r
        np.fill_diagonal(out, 0.0)
        return COULOMB * out
    alpha, together = split(sigma_n, atoms)
    out = _of_waves(atoms.positions, waves_of(atoms, alpha))
    out[np.diag_indices_from(out)] -= 2.0 * alpha / math.sqrt(math.pi)
    if not together:
        out += _beside_waves(squares, alpha, atoms)
    out -= math.pi / atoms.get_volume() * (1.0 / alpha**2 - 2.0 * squares)
    return COULOMB * out


def split(sigma_n: np.ndarray, atoms: Atoms) -> tuple[float, bool]:
    """alpha (1/A), and whether the waves alone are all: at equal widths they may be.

    It is the cheapest: the terms of real space are N rho (4 pi/3) (REACH/alpha)^3, those of waves
    N V (2 REACH alpha)^3 / (12 pi^2).
    """
    widest, narrowest = float(np.max(sigma_n)), float(np.min(sigma_n))
    most, volume = 0.5 / widest, atoms.get_volume()
    density = len(atoms) / volume
    best = (2.0 * math.pi**3 * PAIR_COST * density / volume) ** (1.0 / 6.0)

    def cost(alpha: float, pairs: bool) -> float:
        space = PAIR_COST * density * 4.0 / 3.0 * math.pi * alpha**-3
        return (space if pairs else 0.0) + volume * (2.0 * alpha) ** 3 / (12.0 * math.pi**2)

    if widest == narrowest and cost(most, False) <= cost(min(best, most), True):
        return most, True
    return min(best, most), False


def waves_of(atoms: Atoms, alpha: float) -> Waves:
    """The waves of a cell that count beside alpha."""
    reciprocal = 2.0 * math.pi * np.linalg.inv(atoms.cell.array).T
    k_most = 2.0 * REACH * alpha
    lengths = np.linalg.norm(atoms.cell.array, axis=1)
    most_i = np.floor(k_most * lengths / (2.0 * math.pi)).astype(np.int64)
    room = (most_i[0] + 1) * (2 * most_i[1] + 1) * (2 * most_i[2] + 1) + 1
    h_ki, k_kc = np.empty((room, 3), dtype=np.int64), np.empty((room, 3))
    n = kernels.list_waves(np.ascontiguousarray(reciprocal), most_i, k_most, h_ki, k_kc)
    bend = 0.25 / alpha**2
    square_k = np.einsum("kc,kc->k", k_kc[:n], k_kc[:n])
    weight_k = 4.0 * math.pi / atoms.get_volume() * np.exp(-bend * square_k) / square_k
    return Waves(np.ascontiguousarray(reciprocal), most_i, h_ki[:n], k_kc[:n], weight_k, bend)


def require_sums(atoms: Atoms, kind: str) -> None:
    """Raise StructureError for a structure that is partly periodic or has a cell without volume."""
    if atoms.pbc.any() and not (atoms.pbc.all() and has_volume(atoms)):
        raise StructureError(
            f"baseline {kind}: expected a structure without periodic directions, or with three and "
            f"a cell of full rank, got pbc={atoms.pbc.tolist()}, cell {atoms.cell.array.tolist()}; "
            "set pbc to three directions with vacuum in the cell, or to none"
        )


def require_neutral(total: float, atoms: Atoms, kind: str, remedy: str) -> None:
    """Raise StructureError for a periodic structure of total charge (e) other than 0."""
    if atoms.pbc.any() and abs(total) > 1e-8 * max(len(atoms), 1):
        raise StructureError(
            f"baseline {kind}: expected a neutral structure, since it is periodic, got "
            f"{atoms.get_chemical_formula()} of charge {total:.6g} e; {remedy}, or set background "
            "= true for a uniform background that compensates it"
        )


def _of_waves(positions: np.ndarray, waves: Waves) -> np.ndarray:
    out = np.zeros((len(positions), len(positions)))
    for begin in range(0, len(waves.k_kc), WAVES_AT_ONCE):
        own = slice(begin, begin + WAVES_AT_ONCE)
        phase_nk = positions @ waves.k_kc[own].T
        root_k = np.sqrt(2.0 * waves.weight_k[own])  # each wave and its opposite
        for part_nk in (np.cos(phase_nk) * root_k, np.sin(phase_nk) * root_k):
            out += part_nk @ part_nk.T
    return out


def _beside_waves(squares: np.ndarray, alpha: float, atoms: Atoms) -> np.ndarray:
    n, pairs = len(atoms), pairs_within(atoms, REACH / alpha)
    i_p = np.repeat(np.arange(n), np.diff(pairs.first_i))
    r_p = np.linalg.norm(pairs.r_pc, axis=1)
    value_p = (erf(r_p / np.sqrt(2.0 * squares[i_p, pairs.j_p])) - erf(alpha * r_p)) / r_p
    flat = np.bincount(i_p * n + pairs.j_p, value_p, minlength=n * n)
    return flat.reshape(n, n)
