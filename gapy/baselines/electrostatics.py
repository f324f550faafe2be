"""Coulomb energy of Gaussian charges: direct sums of molecules, Ewald sums of crystals.

    E = K/2 sum_ij' q_i q_j erf(gamma_ij r_ij) / r_ij,   1/gamma_ij^2 = 2 (s_i^2 + s_j^2)

with K = e^2/(4 pi eps0), charges q in e, Gaussians of standard deviation s in A, over all pairs of
different atoms and all images. What a Gaussian has with itself is not in it. Of crystals the part
of Gaussians of widths w is summed as plane waves, the rest in real space,

    E = K/2 sum_ij' q_i q_j (erf(gamma_ij r) - erf(omega_ij r)) / r
        - K sum_i q_i^2 / (2 w_i sqrt(pi))
        + (2 pi K/V) sum_(k != 0) 1/k^2 |sum_i q_i e^(-k^2 w_i^2 / 2) e^(i k r_i)|^2 + E_0

with 1/omega_ij^2 = 2 (w_i^2 + w_j^2): either w = s, and the waves are all, or one w >= s for all,
and both sums end at the same smallness, whichever is cheaper. The wave k = 0 is left out: the
crystal has no field at its surface (tin foil) and, if it is charged, a uniform background that
compensates it; E_0 = - (pi K/2V) sum_ij q_i q_j (1/omega_ij^2 - 1/gamma_ij^2) makes the sum
independent of w.

Sources: Ewald, Ann. Phys. 369, 253 (1921); Toukmaji and Board, Comput. Phys. Commun. 95, 73 (1996).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.special import erf

from gapy._jit import coulomb as kernels
from gapy._support.voigt import is_crystal
from gapy.baselines.protocol import Contribution
from gapy.baselines.whole import of_whole
from gapy.baselines.zbl import COULOMB
from gapy.errors import StructureError
from gapy.geometry.pairs import pairs_within

REACH = 5.0
"""Sums end where erfc(omega r) and e^(-k^2 w^2) come to erfc(5) and e^-25: 1e-12 and 1e-11."""
PAIR_COST = 100.0
"""Time of a pair in real space, its search included, over that of an atom in one wave."""
WAVES_AT_ONCE = 512
COINCIDENT = 1e-9
"""A; closer atoms are so far apart: erf(gamma r)/r has its limit there."""


class Waves(NamedTuple):
    """One half of all waves: reciprocal (3, 3) 1/A, largest multiples of its rows, multiples h_ki
    and vectors k_kc (1/A)."""

    reciprocal: np.ndarray
    most_i: np.ndarray
    h_ki: np.ndarray
    k_kc: np.ndarray


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
    wave_n, together = split(sigma_n, atoms)
    over_volume = 4.0 * math.pi / atoms.get_volume()
    order = np.argsort(wave_n, kind="stable")
    squares, counts = np.unique(wave_n**2, return_counts=True)
    first = np.concatenate([[0], np.cumsum(counts)])
    sorted_cn = np.zeros((3, len(atoms)))
    energy = kernels.of_waves(
        positions[order], *waves_of(atoms, wave_n), over_volume, first, squares, charge_n[order],
        sorted_cn, virial,
    )  # fmt: skip
    forces[order] = sorted_cn.T
    energy -= charge_n**2 @ (0.5 / wave_n) / math.sqrt(math.pi)
    if not together:
        alpha, reach = _alpha(wave_n), REACH / _alpha(wave_n)
        pairs = pairs_within(atoms, reach)
        energy += kernels.beside_waves(
            pairs.first_i, pairs.j_p, pairs.r_pc, reach, alpha, charge_n, square_n, forces, virial
        )
    background = -0.5 * over_volume * charge_n.sum() * (charge_n @ (wave_n**2 - square_n))
    virial -= background * np.eye(3)
    return of_whole(COULOMB * (energy + background), COULOMB * forces, COULOMB * virial)


def matrix(sigma_n: np.ndarray, atoms: Atoms) -> np.ndarray:
    """A (n, n) eV/e^2 with E = q A q / 2 for any charges; on the diagonal are an atom's images."""
    square_n = np.square(sigma_n, dtype=float)
    squares = square_n[:, None] + square_n
    if not atoms.pbc.any():
        r = np.maximum(atoms.get_all_distances(), COINCIDENT)
        out = erf(r / np.sqrt(2.0 * squares)) / r
        np.fill_diagonal(out, 0.0)
        return COULOMB * out
    wave_n, together = split(sigma_n, atoms)
    out = _of_waves(wave_n, atoms)
    out[np.diag_indices_from(out)] -= 1.0 / (wave_n * math.sqrt(math.pi))
    if not together:
        out += _beside_waves(squares, _alpha(wave_n), atoms)
    beyond_n = wave_n**2 - square_n
    out -= 2.0 * math.pi / atoms.get_volume() * (beyond_n[:, None] + beyond_n)
    return COULOMB * out


def split(sigma_n: np.ndarray, atoms: Atoms) -> tuple[np.ndarray, bool]:
    """Widths (n,) A of the Gaussians that the waves sum, and whether these are the charges' own.

    It is the cheapest: with alpha = 1/(2 w) the terms of real space are N rho (4 pi/3)
    (REACH/alpha)^3, those of waves N V (2 REACH alpha)^3 / (12 pi^2).
    """
    volume, n = atoms.get_volume(), len(atoms)
    best = (2.0 * math.pi**3 * PAIR_COST * n / volume**2) ** (1.0 / 6.0)
    apart = min(best, 0.5 / float(np.max(sigma_n)))

    def of_waves(alpha: float) -> float:
        return volume * (2.0 * alpha) ** 3 / (12.0 * math.pi**2)

    of_pairs = PAIR_COST * n / volume * 4.0 / 3.0 * math.pi / apart**3
    if of_waves(0.5 / float(np.min(sigma_n))) <= of_waves(apart) + of_pairs:
        return np.array(sigma_n, dtype=float), True
    return np.full(n, 0.5 / apart), False


def waves_of(atoms: Atoms, wave_n: np.ndarray) -> Waves:
    """The waves of a cell that count for Gaussians of these widths."""
    reciprocal = 2.0 * math.pi * np.linalg.inv(atoms.cell.array).T
    k_most = REACH / float(np.min(wave_n))
    lengths = np.linalg.norm(atoms.cell.array, axis=1)
    most_i = np.floor(k_most * lengths / (2.0 * math.pi)).astype(np.int64)
    room = (most_i[0] + 1) * (2 * most_i[1] + 1) * (2 * most_i[2] + 1) + 1
    h_ki, k_kc = np.empty((room, 3), dtype=np.int64), np.empty((room, 3))
    n = kernels.list_waves(np.ascontiguousarray(reciprocal), most_i, k_most, h_ki, k_kc)
    return Waves(np.ascontiguousarray(reciprocal), most_i, h_ki[:n], k_kc[:n])


def _alpha(wave_n: np.ndarray) -> float:
    """omega of two Gaussians of the one width of all."""
    return 0.5 / float(wave_n[0])


def require_sums(atoms: Atoms, kind: str) -> None:
    """Raise StructureError for a structure that is partly periodic or has a cell without volume."""
    if atoms.pbc.any() and not is_crystal(atoms):
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


def _of_waves(wave_n: np.ndarray, atoms: Atoms) -> np.ndarray:
    out, k_kc = np.zeros((len(atoms), len(atoms))), waves_of(atoms, wave_n).k_kc
    for begin in range(0, len(k_kc), WAVES_AT_ONCE):
        own_kc = k_kc[begin : begin + WAVES_AT_ONCE]
        square_k = np.einsum("kc,kc->k", own_kc, own_kc)
        # Each wave and its opposite: 2 (4 pi/V) / k^2.
        form_nk = np.exp(-0.5 * np.outer(wave_n**2, square_k))
        form_nk *= np.sqrt(8.0 * math.pi / atoms.get_volume() / square_k)
        phase_nk = atoms.positions @ own_kc.T
        for part_nk in (np.cos(phase_nk) * form_nk, np.sin(phase_nk) * form_nk):
            out += part_nk @ part_nk.T
    return out


def _beside_waves(squares: np.ndarray, alpha: float, atoms: Atoms) -> np.ndarray:
    n, pairs = len(atoms), pairs_within(atoms, REACH / alpha)
    i_p = np.repeat(np.arange(n), np.diff(pairs.first_i))
    r_p = np.linalg.norm(pairs.r_pc, axis=1)
    value_p = (erf(r_p / np.sqrt(2.0 * squares[i_p, pairs.j_p])) - erf(alpha * r_p)) / r_p
    flat = np.bincount(i_p * n + pairs.j_p, value_p, minlength=n * n)
    return flat.reshape(n, n)
