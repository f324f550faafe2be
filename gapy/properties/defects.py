"""Point defects: what it costs to take an atom out of a crystal, or to put one in.

With one vacancy V_X of each element X, n_X atoms of it in the formula unit, in the supercell of
energy E and the energy E_f of a formula unit,

    E(vacancy) = sum_X n_X [E(V_X) - E] + E_f

An element has the usual E(V) - E (N - 1) / N; in a compound it is the Schottky energy, which needs
no chemical potentials. An interstitial of an element costs E(I) - E (N + 1) / N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from scipy.spatial import Voronoi, cKDTree

from gapy.errors import GapyError
from gapy.properties.phase import PRECISION, phase_of
from gapy.properties.relaxing import at_rest, relax
from gapy.properties.result import Result, require_periodic
from gapy.properties.supercells import repeats_of


@dataclass(frozen=True)
class Defect(Result):
    """formation, unrelaxed: formation energy with atoms relaxed and where the crystal has them, eV.

    kind: the name of the defect. crystal, defects: the supercell without and with it, at rest.
    """

    unit: ClassVar[str] = "eV"
    kind: str
    formation: float
    unrelaxed: float
    crystal: Atoms
    defects: tuple[Atoms, ...]

    def frames(self) -> tuple[Atoms, ...]:
        """The supercell, and every defect in it."""
        return (self.crystal, *self.defects)

    def numbers(self) -> dict[str, float]:
        """Formation energies in eV."""
        return {self.kind: self.formation, f"unrelaxed {self.kind}": self.unrelaxed}


def vacancy(
    calculator, atoms: Atoms, *, supercell=None, force: float = 1e-2, steps: int = 300
) -> Defect:
    """Formation energy of vacancies at constant volume of a supercell.

    Arguments
    ---------
    atoms : cell of the crystal; its volume and positions relax first
    supercell : repeats of it, by default those of `repeats_of`; the first atom of each element is
        taken out
    force : largest force that remains around the vacancy, eV/A

    Raises PropertyError where a relaxation fails, or where atoms that were no neighbours of the
    vacancy lose or gain neighbours.
    """
    require_periodic(atoms, "vacancy")
    start = relax(calculator, atoms, cell="isotropic", force=1e-3).atoms
    crystal, ends, counts = vacancies_at(calculator, start, supercell, force, steps)
    whole = crystal.get_potential_energy()
    of_unit = float(whole / len(crystal) * counts.sum())
    after = np.array([end.get_potential_energy() for _, end in ends]) - whole
    before = np.array([bare for bare, _ in ends]) - whole
    return Defect(
        "vacancy",
        float(counts @ after) + of_unit,
        float(counts @ before) + of_unit,
        crystal,
        tuple(end for _, end in ends),
    )


def vacancies_at(calculator, crystal: Atoms, supercell, force: float, steps: int):
    """The supercell, (unrelaxed energy, relaxed structure) of every element, and its counts.

    crystal: cell at the volume at which to stay. The counts are those in the formula unit.
    """
    whole = _supercell(calculator, crystal, supercell)
    elements, counts = np.unique(crystal.numbers, return_counts=True)
    ends = []
    for number in elements:
        defect = whole.copy()
        del defect[int(np.flatnonzero(whole.numbers == number)[0])]
        ends.append(_relaxed(calculator, defect, whole, force, steps))
    return whole, ends, counts // np.gcd.reduce(counts)


def interstitial(
    calculator, atoms: Atoms, *, site=None, supercell=None, force: float = 1e-2, steps: int = 300
) -> Defect:
    """Formation energy of an atom more in a crystal of one element.

    site : scaled coordinates (3,) in the cell of `atoms`, where the atom begins; by default the
        middle of the largest hole, tetrahedral in diamond and bcc, octahedral in fcc and hcp
    supercell : repeats of that cell, by default those of `repeats_of`

    Raises PropertyError where the relaxation fails, GapyError for a compound, whose interstitials
    depend on chemical potentials.
    """
    require_periodic(atoms, "interstitial")
    if site is not None and (np.shape(site) != (3,) or not np.isfinite(site).all()):
        raise GapyError(f"site: expected three finite scaled coordinates, got {site}; correct it")
    if len(set(atoms.numbers.tolist())) > 1:
        raise GapyError(
            "interstitial: expected a crystal of one element, got "
            f"{atoms.get_chemical_formula()}; of a compound it depends on chemical potentials"
        )
    start = relax(calculator, atoms, cell="isotropic", force=1e-3).atoms
    crystal = _supercell(calculator, start, supercell)
    whole, n = crystal.get_potential_energy(), len(crystal)
    site = largest_hole(start) if site is None else site
    # The relaxed cell of `atoms` is that of the crystal over the repeats.
    cell = crystal.cell.array / np.asarray(repeats_of(start, supercell))[:, None]
    defect = crystal.copy() + Atoms(atoms.numbers[:1], [np.asarray(site, dtype=float) @ cell])
    bare, end = _relaxed(calculator, defect, crystal, force, steps)
    known = whole * (n + 1) / n
    return Defect("interstitial", end.get_potential_energy() - known, bare - known, crystal, (end,))


def largest_hole(crystal: Atoms) -> np.ndarray:
    """Scaled coordinates (3,) of the point that is farthest from all atoms.

    It is a corner of the Voronoi cells of the atoms. Of those equally far within PRECISION the
    first by its scaled coordinates is taken, so that the order of atoms does not matter.
    """
    heights = 1.0 / np.linalg.norm(crystal.cell.reciprocal().array, axis=1)
    # Around the cell, as far as a hole of twice the room of an atom reaches.
    reach = 2.0 * (crystal.get_volume() / len(crystal)) ** (1.0 / 3.0) + heights
    images = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1) for n in np.ceil(reach / heights).astype(int))), -1
    ).reshape(-1, 3)
    points = (crystal.positions + (images @ crystal.cell.array)[:, None]).reshape(-1, 3)
    corners = Voronoi(points).vertices
    scaled = crystal.cell.scaled_positions(corners)
    inside = ((scaled > -1e-6) & (scaled < 1.0 - 1e-6)).all(axis=1)
    corners, scaled = corners[inside], scaled[inside]
    room = cKDTree(points).query(corners)[0]
    largest = np.round(scaled[room > room.max() - PRECISION], 6) + 0.0
    return largest[np.lexsort(largest.T[::-1])[0]]


def _supercell(calculator, atoms: Atoms, supercell) -> Atoms:
    """The crystal, repeated, with its results."""
    crystal = atoms.repeat(repeats_of(atoms, supercell))
    crystal.calc = calculator
    return at_rest(crystal)


def _relaxed(calculator, defect: Atoms, crystal: Atoms, force: float, steps: int):
    """Energy (eV) before relaxing, and the structure after it."""
    defect.calc = calculator
    bare = float(defect.get_potential_energy())
    usual = phase_of(crystal, symmetry=False)
    around = phase_of(defect, usual.reach, symmetry=False).neighbours
    # Atoms beside a defect may bond anew; those with the neighbours of the crystal may not.
    watched = np.isin(around, usual.neighbours)
    end = relax(
        calculator, defect, cell="fixed", force=force, steps=steps, symmetry=False, watched=watched
    )
    return bare, end.atoms
