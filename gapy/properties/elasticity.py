"""Elastic constants from the stress of strained crystals.

    sigma_i = sum_j C_ij e_j,    Voigt order xx yy zz yz xz xy, engineering shear strains

Strains and the regression are those of matscipy; atoms stay where the strain puts them (the clamped
C), and relax under each strain, or follow it to first order (C).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.units import GPa

from gapy.errors import GapyError
from gapy.properties.nonaffine import nonaffine
from gapy.properties.relaxing import at_rest, relax
from gapy.properties.result import Result, require_periodic, required

SYMMETRIES = ("triclinic", "cubic")
METHODS = ("relax", "hessian")
CUBIC = 0.02
"""Relative deviation below which a tensor is called cubic and named by three numbers."""


@dataclass(frozen=True)
class Elastic(Result):
    """relaxed, clamped: C (6, 6) in GPa. atoms: the unstrained crystal."""

    unit: ClassVar[str] = "GPa"
    atoms: Atoms
    relaxed: np.ndarray
    clamped: np.ndarray

    def frames(self) -> tuple[Atoms, ...]:
        """The unstrained crystal."""
        return (self.atoms,)

    def numbers(self) -> dict[str, float]:
        """GPa: C11, C12, C44 and the clamped C44 of a cubic tensor, else all 21; B by Voigt."""
        c = self.relaxed
        out = {}
        if is_cubic(c):
            out = dict(zip(("C11", "C12", "C44"), cubic(c)))
            out["clamped C44"] = cubic(self.clamped)[2]
        else:
            for i, j in zip(*np.triu_indices(6)):
                out[f"C{i + 1}{j + 1}"] = float(c[i, j])
        return {**out, "B": float(c[:3, :3].mean())}


def elastic(
    calculator,
    atoms: Atoms,
    *,
    strain: float = 0.01,
    symmetry: str = "triclinic",
    force: float = 1e-3,
    relaxed: bool = True,
    method: str = "relax",
) -> Elastic:
    """The elastic tensor of a crystal at zero stress.

    Arguments
    ---------
    atoms : relaxed first, cell and positions; the axes are those of the tensor
    strain : of each pattern, both signs
    symmetry : "triclinic" assumes none; "cubic" strains once and asks for cubic axes along x, y, z
    force : largest force (eV/A) that remains
    relaxed : False leaves atoms where the strain puts them, whatever the method, and gives the
        clamped tensor twice
    method : "relax" relaxes the atoms under each strain; "hessian" moves them to first order, from
        differences of forces (`gapy.properties.nonaffine`), without relaxations

    Raises PropertyError where a relaxation fails or the phase is left, PackageError without
    matscipy. Source: Grigorev et al., J. Open Source Softw. 9, 5668 (2024), for matscipy.
    """
    matscipy = required("matscipy.elasticity", "elastic constants")
    require_periodic(atoms, "elastic")
    if symmetry not in SYMMETRIES:
        raise GapyError(
            f"symmetry: expected one of {', '.join(SYMMETRIES)}, got {symmetry!r}; correct it"
        )
    if method not in METHODS:
        raise GapyError(f"method: expected one of {', '.join(METHODS)}, got {method!r}; correct it")
    if not 0.0 < strain < 0.2:
        raise GapyError(f"strain: expected a number between 0 and 0.2, got {strain}")
    cell = "isotropic" if symmetry == "cubic" else "free"
    crystal = relax(calculator, atoms, cell=cell, force=force).atoms
    frames = matscipy.generate_strained_configs(crystal, symmetry, N_steps=3, delta=strain)
    clamped, moved = [], []
    for frame in frames:
        frame.calc = calculator
        clamped.append(_known(frame, at_rest(frame)))
        if relaxed and method == "relax":
            done = relax(calculator, frame, cell="fixed", force=force, symmetry=False)
            moved.append(_known(frame, done.atoms))

    def tensor(of: list[Atoms]) -> np.ndarray:
        c, _ = matscipy.fit_elastic_constants(of, symmetry, N_steps=3, delta=strain, verbose=False)
        return 0.5 * (c + c.T) / GPa

    fixed = tensor(clamped)
    if not relaxed:
        return Elastic(crystal, fixed, fixed)
    if method == "hessian":
        return Elastic(crystal, fixed - nonaffine(calculator, crystal) / GPa, fixed)
    return Elastic(crystal, tensor(moved), fixed)


def cubic(c: np.ndarray) -> tuple[float, float, float]:
    """C11, C12 and C44: means of the entries that cubic symmetry makes equal."""
    off = c[[0, 0, 1], [1, 2, 2]]
    return float(np.diag(c)[:3].mean()), float(off.mean()), float(np.diag(c)[3:].mean())


def is_cubic(c: np.ndarray) -> bool:
    """Whether a tensor (6, 6) is that of a cubic crystal along its axes, to CUBIC."""
    c11, c12, c44 = cubic(c)
    ideal = np.diag([c11 - c12] * 3 + [c44] * 3)
    ideal[:3, :3] += c12
    return bool(np.abs(c - ideal).max() < CUBIC * np.abs(c).max())


def _known(strained: Atoms, done: Atoms) -> Atoms:
    """`done` with what matscipy keeps of the strain in `strained`."""
    done.info.update(strained.info)
    return done
