"""ASE calculator of a fitted potential: no numerics here."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from gapy.errors import GapyError
from gapy.neighbours import VerletList

MODES = (False, True, "full")


class GAPCalculator(Calculator):
    """Energy, forces and stress of a potential, with standard deviations when asked for.

    Arguments
    ---------
    potential : gapy.Potential
    uncertainty : False, True or "full"
        True adds `energies_std` (n,), the posterior standard deviation of each local energy
        (eV), and `forces_std` (n, 3), the force error to expect (eV/A), the same for x, y and z,
        calibrated on leave-one-structure-out residuals of the training set. "full" adds what the GP
        itself says of every component, `forces_std` (n, 3), `energy_std` (eV) and `stress_std`
        (6,) (eV/A^3); it costs as much as training rows.
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
        self._lists = tuple(
            VerletList(t.descriptor.cutoff, skin) if t.descriptor.takes_neighbours else None
            for t in potential.terms
        )

    def check_state(self, atoms, tol=1e-15):
        """What changed since the last call, among what the energy depends on.

        ASE's own comparison looks at charges and magnetic moments too and takes longer than the
        neighbour list of a small cell.
        """
        last = self.atoms
        if last is None or len(last) != len(atoms):
            return list(all_changes)
        changes = []
        if not np.array_equal(atoms.positions, last.positions):
            changes.append("positions")
        if not np.array_equal(atoms.numbers, last.numbers):
            changes.append("numbers")
        if not np.array_equal(atoms.cell.array, last.cell.array):
            changes.append("cell")
        if not np.array_equal(atoms.pbc, last.pbc):
            changes.append("pbc")
        return changes

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        atoms = self.atoms
        wanted = set(properties)
        full = self.uncertainty == "full" or bool(wanted & {"energy_std", "stress_std"})
        local = bool(self.uncertainty) or bool(wanted & {"energies_std", "forces_std"})
        self.potential.check_periodicity(atoms)
        neighbours = {
            id(term.descriptor): verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
            for term, verlet in zip(self.potential.terms, self._lists)
            if verlet is not None
        }
        out = self.potential.evaluate(
            atoms, local_std=local, force_std=local, neighbours=neighbours, threads=self.threads
        )
        results = {
            "energy": out.energy,
            "free_energy": out.energy,
            "energies": out.energies,
            "forces": out.forces,
        }
        periodic = bool(atoms.pbc.any()) and abs(np.linalg.det(atoms.cell.array)) > 1e-8
        if periodic:
            symmetric = 0.5 * (out.virial + out.virial.T) / atoms.get_volume()
            results["stress"] = symmetric[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]
        elif wanted & {"stress", "stress_std"}:
            raise PropertyNotImplementedError(
                "stress: the structure has no periodic cell with a volume"
            )
        if local:
            results["energies_std"] = out.energies_std
            results["forces_std"] = np.repeat(out.forces_std[:, None], 3, axis=1)
        if full:
            std = self.potential.predict(atoms, stress=periodic)[1]
            results["energy_std"] = std.energy
            if self.uncertainty == "full":
                results["forces_std"] = std.forces
            if periodic:
                results["stress_std"] = std.stress
        self.results = results
