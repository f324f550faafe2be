"""Migration of a vacancy: the barrier that a neighbour passes on its way into the empty site.

Images between the two relaxed ends are held apart by springs along the path and the highest climbs
to the saddle (ASE's nudged elastic band).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.mep import NEB
from ase.optimize import FIRE

from gapy.errors import GapyError, PropertyError
from gapy.properties.defects import vacancies_at
from gapy.properties.relaxing import at_rest, relax
from gapy.properties.result import Result, require_periodic

SYMMETRIC = 0.05
"""eV: the two ends are one defect in two places."""


@dataclass(frozen=True)
class Migration(Result):
    """barrier: eV above the vacancy at rest. energies (k,) eV along the path of `images`."""

    unit: ClassVar[str] = "eV"
    barrier: float
    energies: np.ndarray
    images: tuple[Atoms, ...]

    def frames(self) -> tuple[Atoms, ...]:
        """The images, both ends included."""
        return self.images

    def numbers(self) -> dict[str, float]:
        """The barrier, eV."""
        return {"migration": self.barrier}


def migration(
    calculator,
    atoms: Atoms,
    *,
    supercell=None,
    images: int = 3,
    force: float = 5e-2,
    steps: int = 200,
) -> Migration:
    """Barrier of a vacancy that moves by one neighbour, at constant volume of a supercell.

    supercell : repeats of the cell, by default those of `repeats_of`
    images : between the ends, an odd number so that one is on the middle
    force : largest that remains on an image, across the path, eV/A

    Raises PropertyError where an end does not relax, the ends are not one defect, or the path does
    not settle; GapyError for compounds.
    """
    require_periodic(atoms, "migration")
    if len(set(atoms.numbers.tolist())) > 1:
        raise GapyError(
            f"migration: expected a crystal of one element, got {atoms.get_chemical_formula()}; in "
            "a compound the way to the next site of the element passes others"
        )
    if images < 1 or images % 2 == 0:
        raise GapyError(f"images: expected an odd number of at least 1, got {images}")
    start = relax(calculator, atoms, cell="isotropic").atoms
    whole, ends, _ = vacancies_at(calculator, start, supercell, 0.2 * force, steps)
    first = ends[0][1]
    # The first atom of the crystal is the one that is missing; its nearest neighbour moves.
    distances = whole.get_distances(0, range(1, len(whole)), mic=True)
    mover = int(np.argmin(distances))
    moved = whole[1:]
    moved.positions[mover] += whole.get_distance(mover + 1, 0, mic=True, vector=True)
    last = relax(
        calculator, moved, cell="fixed", force=0.2 * force, steps=steps, same_phase=False
    ).atoms
    low, high = first.get_potential_energy(), last.get_potential_energy()
    if abs(high - low) > SYMMETRIC:
        raise PropertyError(
            f"migration: the energies of the vacancy in two neighbouring sites differ by "
            f"{abs(high - low):.3f} eV; the sites are not alike, or take a larger supercell"
        )
    return _path(calculator, first, last, images, force, steps)


def _path(calculator, first: Atoms, last: Atoms, images: int, force: float, steps: int):
    between = [first.copy() for _ in range(images)]
    for image in between:
        image.calc = calculator
    band = NEB(
        [first, *between, last], climb=True, allow_shared_calculator=True, method="improvedtangent"
    )
    band.interpolate(mic=True)
    if not FIRE(band, logfile=None).run(fmax=force, steps=steps):
        raise PropertyError(
            f"migration: the path has not settled after {steps} steps; allow more, or a larger "
            "force"
        )
    path = (first, *(at_rest(image) for image in between), last)
    energies = np.array([image.get_potential_energy() for image in path])
    return Migration(float(energies.max() - energies[0]), energies - energies[0], path)
