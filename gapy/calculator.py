"""ASE calculator of a fitted potential: no numerics here."""

from __future__ import annotations

from sys import getrefcount
from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from gapy.descriptors.moving import MovingEnvironments
from gapy.errors import GapyError
from gapy.neighbours import differ

MODES = (False, True, "local", "full")


class GAPCalculator(Calculator):
    """Energy, forces and stress of a potential, with standard deviations when asked for.

    Arguments
    ---------
    potential : gapy.Potential
    uncertainty : False, True, "local" or "full"
        True adds `forces_std` (n, 3), the force error to expect (eV/A), the same for x, y and z,
        calibrated on leave-one-structure-out residuals of the training set, and `energies_std`
        (n,), the posterior standard deviation of each local energy (eV) with the leading inducing
        points only, mostly larger than the exact one. "local" gives `energies_std` alone, of all
        points and within 1 % of the exact one. "full" gives the exact `energies_std` and
        what the GP itself says of every component, `forces_std` (n, 3), `energy_std` (eV) and
        `stress_std` (6,) (eV/A^3); it costs as much as training rows.
    skin : float
        Extra length of the neighbour list (A): larger means fewer searches and more pairs.
    threads : int
        Threads over blocks of atoms; results do not depend on it.

    Results: energy, free_energy (eV), energies (n,) eV, forces (n, 3) eV/A, stress (6,) eV/A^3
    (xx yy zz yz xz xy), and those above.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy", "free_energy", "energies", "forces", "stress",
        "energies_std", "forces_std", "energy_std", "stress_std",
    ]  # fmt: skip

    def __init__(self, potential, *, uncertainty=False, skin=0.5, threads=1, **kwargs):
        if uncertainty not in MODES:
            raise GapyError(f"uncertainty: expected one of {MODES}, got {uncertainty!r}")
        if not skin >= 0.0:
            raise GapyError(f"skin: expected a length of at least 0 A, got {skin}")
        if int(threads) != threads or threads < 1:
            raise GapyError(f"threads: expected a number of at least 1, got {threads}")
        super().__init__(**kwargs)
        self.potential = potential
        self.uncertainty = uncertainty
        self.threads = int(threads)
        self._last_volume = (b"", 0.0)
        self._kept = None
        # One list for each descriptor that works from neighbours; others search for themselves.
        self._update = tuple(
            MovingEnvironments(d, skin).update if d.takes_neighbours else d.environments
            for d in (term.descriptor for term in potential.terms)
        )

    @property
    def largest_force_std(self) -> float | None:
        """Largest force sigma over the left-out training structures, eV/A; None where the
        `forces_std` of this calculator are not calibrated."""
        return self.potential.calibration.largest_seen if self.uncertainty is True else None

    @property
    def shortest_distances(self) -> dict[tuple[int, int], float]:
        """Shortest distance in the training set by pair of ascending atomic numbers, A."""
        if not self.potential.reach or self.potential.reach[0] is None:
            return {}
        numbers = self.potential.terms[0].descriptor.species
        contact_ss = self.potential.reach[0].contact_ss
        return {
            (numbers[a], numbers[b]): float(contact_ss[a, b])
            for a in range(len(numbers))
            for b in range(a, len(numbers))
            if contact_ss[a, b] > 0.0
        }

    def check_state(self, atoms, tol=1e-15):
        """What changed since the last call, among what the energy depends on.

        ASE's own comparison looks at charges and magnetic moments too and takes longer than the
        neighbour list of a small cell.
        """
        last = self.atoms
        if last is None or len(last) != len(atoms):
            return list(all_changes)
        changes = []
        if differ(atoms.positions, last.positions):
            changes.append("positions")
        if differ(atoms.numbers, last.numbers):
            changes.append("numbers")
        if differ(atoms.cell.array, last.cell.array):
            changes.append("cell")
        if differ(atoms.pbc, last.pbc):
            changes.append("pbc")
        return changes

    def _remember(self, atoms) -> None:
        """Make `self.atoms` a copy of atoms.

        ASE's copy takes longer than the neighbours of a small cell. As long as nobody else holds
        the last one and the cell is the same, only its arrays are new.
        """
        kept, self.atoms = self._kept, None
        if (
            type(kept) is not type(atoms)
            or getrefcount(kept) > 3  # self._kept, the name here, the argument of the call
            or kept.constraints
            or atoms.constraints
            or differ(kept.cell.array, atoms.cell.array)
            or differ(kept.pbc, atoms.pbc)
            or differ(kept.get_celldisp(), atoms.get_celldisp())
        ):
            kept = self._kept = atoms.copy()
        else:
            kept.arrays = {name: array.copy() for name, array in atoms.arrays.items()}
            kept.info = dict(atoms.info)
        self.atoms = kept

    def _volume(self, atoms) -> float:
        """|det cell|, A^3, 0 without a periodic direction; computed again only for another cell."""
        key = atoms.cell.array.tobytes() + atoms.pbc.tobytes()
        if key != self._last_volume[0]:
            volume = abs(np.linalg.det(atoms.cell.array)) if atoms.pbc.any() else 0.0
            self._last_volume = (key, volume)
        return self._last_volume[1]

    def _environments(self, atoms) -> dict:
        return {
            id(term.descriptor): update(atoms)
            for term, update in zip(self.potential.terms, self._update)
        }

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        # ASE's own would look for a working directory as well.
        if atoms is not None:
            self._remember(atoms)
        atoms = self.atoms
        wanted = set(properties)
        full = self.uncertainty == "full" or bool(wanted & {"energy_std", "stress_std"})
        local = self.uncertainty == "local"
        calibrated = self.uncertainty is True or bool(wanted & {"energies_std", "forces_std"})
        calibrated = calibrated and self.uncertainty != "full"
        out = self.potential.evaluate(
            atoms, local_std=local, force_std=calibrated, environments=self._environments,
            threads=self.threads,
        )  # fmt: skip
        results = {
            "energy": out.energy,
            "free_energy": out.energy,
            "energies": out.energies,
            "forces": out.forces,
        }
        volume = self._volume(atoms)
        periodic = volume > 1e-8
        if periodic:
            (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = out.virial.tolist()
            virial = (xx, yy, zz, 0.5 * (yz + zy), 0.5 * (xz + zx), 0.5 * (xy + yx))
            results["stress"] = np.array(virial) / volume
        elif wanted & {"stress", "stress_std"}:
            raise PropertyNotImplementedError(
                "stress: the structure has no periodic cell with a volume"
            )
        if local or calibrated:
            results["energies_std"] = out.energies_std
        if calibrated:
            results["forces_std"] = np.repeat(out.forces_std[:, None], 3, axis=1)
        if full:
            std = self.potential.predict(atoms, stress=periodic)[1]
            results["energy_std"] = std.energy
            results["energies_std"] = std.energies
            if self.uncertainty == "full":
                results["forces_std"] = std.forces
            if periodic:
                results["stress_std"] = std.stress
        self.results = results
