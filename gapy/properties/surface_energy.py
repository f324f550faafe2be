"""Surface energies: what it costs to cut a crystal along a plane.

    gamma = (E_slab - N e) / 2 A

with the energy per atom e of the crystal and two equal surfaces of area A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.units import J, m

from gapy.errors import GapyError, PropertyError
from gapy.properties.cutting import cut, layers_for
from gapy.properties.lattices import conventional
from gapy.properties.phase import phase_of
from gapy.properties.relaxing import at_rest, relax
from gapy.properties.result import Result, require_periodic

PLANES = ((1, 0, 0), (1, 1, 0), (1, 1, 1))
PER_AREA = float(m**2 / J)
"""eV/A^2 in J/m^2."""
SIDE = 0.5
"""A from the outermost atom: what is within belongs to the surface layer."""


@dataclass(frozen=True)
class Surfaces(Result):
    """relaxed, unrelaxed: plane -> J/m^2. failed: plane -> why there is none. slabs: at rest."""

    unit: ClassVar[str] = "J/m^2"
    relaxed: Mapping[str, float]
    unrelaxed: Mapping[str, float]
    failed: Mapping[str, str]
    slabs: tuple[Atoms, ...]

    def frames(self) -> tuple[Atoms, ...]:
        """The slabs at rest."""
        return self.slabs

    def numbers(self) -> dict[str, float]:
        """J/m^2 by plane, relaxed and with the atoms where the crystal has them."""
        return {**self.relaxed, **{f"unrelaxed {k}": v for k, v in self.unrelaxed.items()}}


def surfaces(
    calculator,
    atoms: Atoms,
    *,
    planes=PLANES,
    thickness: float = 10.0,
    vacuum: float = 12.0,
    force: float = 2e-2,
    steps: int = 300,
) -> Surfaces:
    """Energies of surfaces without reconstruction, each of the smallest slab.

    Arguments
    ---------
    atoms : cell of the crystal; relaxed first
    planes : Miller indices of the conventional cell
    thickness, vacuum : of a slab at least, and between slabs, A
    force : largest that remains, eV/A

    Slabs are cut where planes of atoms are farthest apart. A plane of a compound whose slab has two
    unlike sides (a polar one) has no energy and is left out; one of an element with unlike sides,
    or whose relaxation fails or reaches into the crystal, is in `failed`. Raises PropertyError
    where no plane is left.
    """
    require_periodic(atoms, "surfaces")
    if not (thickness > 0.0 and vacuum > 0.0 and len(planes)):
        raise GapyError(
            f"planes, thickness, vacuum: expected at least one plane and positive lengths, got "
            f"{planes}, {thickness} and {vacuum}"
        )
    crystal = relax(calculator, atoms, cell="free").atoms
    each = crystal.get_potential_energy() / len(crystal)
    cell = conventional(crystal)
    relaxed, unrelaxed, failed, ends = {}, {}, {}, []
    for plane in planes:
        name = "(" + "".join(map(str, plane)) + ")"
        slab = cut(cell, plane, layers_for(cell, plane, thickness))
        slab.center(0.5 * vacuum, axis=2)
        if not _is_symmetric(slab):
            if len(set(cell.numbers.tolist())) == 1:
                failed[name] = f"the two sides of a slab of {cell.symbols} are unlike"
            continue
        try:
            bare, end = _at_rest(calculator, slab, crystal, force, steps)
        except PropertyError as error:
            failed[name] = str(error)
            continue
        area = 2.0 * float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
        whole = each * len(slab)
        relaxed[name] = float(end.get_potential_energy() - whole) / area * PER_AREA
        unrelaxed[name] = float(bare - whole) / area * PER_AREA
        ends.append(end)
    if not relaxed:
        why = "; ".join(failed.values()) or "all slabs have two unlike sides"
        raise PropertyError(f"surfaces: no plane has an energy: {why}")
    return Surfaces(relaxed, unrelaxed, failed, tuple(ends))


def _is_symmetric(slab: Atoms) -> bool:
    """Whether the same elements are outermost on both sides."""
    z = slab.positions[:, 2]
    sides = (sorted(slab.numbers[np.abs(z - end) < SIDE]) for end in (z.min(), z.max()))
    lower, upper = sides
    return lower == upper


def _at_rest(calculator, slab: Atoms, crystal: Atoms, force: float, steps: int):
    """Energy (eV) before relaxing, and the slab after it."""
    slab.calc = calculator
    bare = float(at_rest(slab).get_potential_energy())
    usual = phase_of(crystal, symmetry=False)
    around = phase_of(slab, usual.reach, symmetry=False).neighbours
    # Atoms at the surface may bond anew; those inside may not.
    watched = np.isin(around, usual.neighbours)
    end = relax(
        calculator, slab, cell="fixed", force=force, steps=steps, symmetry=False, watched=watched
    )
    return bare, end.atoms
