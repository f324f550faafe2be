"""LAMMPS SNAP: files of a model, and a step with arbitrary coefficients.

For the time alone the coefficients are small random numbers: the cost does not depend on them,
and the atoms stay.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from peers import lammps_box

TWOJMAX = 8
RFAC0 = 0.99363
N_COMPONENTS = sum(
    j >= j1
    for j1 in range(TWOJMAX + 1)
    for j2 in range(j1 + 1)
    for j in range(j1 - j2, min(TWOJMAX, j1 + j2) + 1, 2)
)
"""Bispectrum components: 55."""


def n_coefficients(quadratic: bool) -> int:
    """The constant, the components, and the products of two of them."""
    k = N_COMPONENTS
    return 1 + k + (k * (k + 1) // 2 if quadratic else 0)


def write(folder: Path, coefficients: np.ndarray, r_cut: float, symbol: str = "Si") -> list[str]:
    """Write x.snapcoeff and x.snapparam; the LAMMPS commands of the pair style.

    Source: Thompson et al., J. Comput. Phys. 285, 316 (2015); Wood and Thompson, J. Chem. Phys.
    148, 241721 (2018) for the quadratic form.
    """
    n = len(coefficients)
    lines = ["# SNAP", f"1 {n}", f"{symbol} 0.5 1.0", *(f"{v:.16e}" for v in coefficients)]
    (folder / "x.snapcoeff").write_text("\n".join(lines) + "\n")
    (folder / "x.snapparam").write_text(
        f"rcutfac {r_cut}\ntwojmax {TWOJMAX}\nrfac0 {RFAC0}\nrmin0 0\nbzeroflag 0\n"
        f"quadraticflag {int(n > n_coefficients(False))}\n"
    )
    return [
        "pair_style snap",
        f"pair_coeff * * {folder}/x.snapcoeff {folder}/x.snapparam {symbol}",
    ]


def arbitrary(atoms, r_cut: float, *, quadratic=False) -> lammps_box.Step:
    """A step of these atoms with a SNAP of random coefficients."""
    values = 1e-9 * np.random.default_rng(0).normal(size=n_coefficients(quadratic))
    with tempfile.TemporaryDirectory() as folder:  # read once, when the pair style is set
        return lammps_box.Step(atoms, write(Path(folder), values, r_cut))
