"""ASE calculator of a fitted potential: no numerics here."""

from __future__ import annotations

from collections.abc import Set
from copy import deepcopy
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from gapy.errors import GapyError
from gapy.geometry.moving import MovingPairs
from gapy.geometry.neighbours import differ
from gapy.structures import charge, spins

CALIBRATED = (True, "cheap", "posterior")
MODES = (False, *CALIBRATED, "local", "full")
OF_ASE = ("atoms", "label", "directory")
"""Keywords of every ASE calculator that mean something here."""


def check_uncertainty(uncertainty):
    """`uncertainty`, or GapyError if it is none of MODES."""
    # 1 == True, but it would switch nothing on.
    if not any(type(uncertainty) is type(mode) and uncertainty == mode for mode in MODES):
        raise GapyError(f"uncertainty: expected one of {MODES}, got {uncertainty!r}")
    return uncertainty


def check_skin(skin) -> float:
    """`skin` (A), or GapyError."""
    is_real = isinstance(skin, Real)
    if not (is_real and 0.0 <= skin < np.inf):
        raise GapyError(f"skin: expected a length of at least 0 A, got {skin!r}")
    return float(skin)


def _check_count(name: str):
    """What checks a whole number of at least 1."""

    def check(value) -> int:
        is_real = isinstance(value, Real)
        if not (is_real and value >= 1 and value % 1 == 0):
            raise GapyError(f"{name}: expected a number of at least 1, got {value!r}")
        return int(value)

    return check


class GAPCalculator(Calculator):
    """Energy, forces and stress of a potential, with standard deviations when asked for.

    Arguments
    ---------
    potential : gapy.Potential, or the path of a model file
    trust : whether such a file may import the calculator that a baseline names (`gapy.load`)
    precision : "double" or "single" (`Potential.in_precision`); that of the potential unless given
    uncertainty : False, True, "cheap", "posterior", "local" or "full"
        "cheap" adds `forces_std` (n, 3), the force error to expect (eV/A), the same for x, y and z,
        calibrated on leave-one-structure-out residuals of the training set, and `energies_std`
        (n,), the posterior standard deviation of each local energy (eV) with the leading inducing
        points only, mostly larger than the exact one. "posterior" does the same, with `forces_std`
        from posterior samples of the forces where they rank left-out errors better
        (`Potential.evaluate`), at two or three force calls more. True takes these where they rank
        left-out errors much better (by 0.1 in rank correlation), "cheap" elsewhere. "local" gives
        `energies_std` alone, of all points and within 1 % of the exact one. "full" gives the exact
        `energies_std` and what the GP itself says of every component, `forces_std` (n, 3),
        `energy_std` (eV) and
        `stress_std` (6,) (eV/A^3); it costs as much as training rows.
    posterior_every : int
        Where posterior samples are drawn, only for the first and every so many-th structure that
        this calculator meets since it was made or `reset`, with the cheap sigma between: for
        molecular dynamics, where one step is like the next.
    skin : float
        Extra length of the neighbour list (A): larger means fewer searches and more pairs.
    threads : int
        Threads over blocks of atoms; results do not depend on it.

    It also takes `atoms`, `label` and `directory`, as every ASE calculator does.

    `set` changes uncertainty, posterior_every, skin and threads. `todict` holds them, the hash of
    the model and the precision, so that ASE's databases and trajectories say what computed their
    numbers.

    Results: energy, free_energy (eV), energies (n,) eV, forces (n, 3) eV/A, stress (6,) eV/A^3
    (xx yy zz yz xz xy), and those above.
    """

    _atoms: Atoms | None
    _seen: Seen | None
    uncertainty: bool | str
    posterior_every: int
    skin: float
    threads: int
    implemented_properties: ClassVar[list[str]] = [  # type: ignore[misc]  # ASE's is an instance's
        "energy", "free_energy", "energies", "forces", "stress",
        "energies_std", "forces_std", "energy_std", "stress_std",
    ]  # fmt: skip

    def __init__(
        self, potential, *, uncertainty=False, posterior_every=1, skin=0.5, threads=1,
        trust=False, precision=None, **of_ase,
    ):  # fmt: skip
        self._refuse_unknown(of_ase, OF_ASE)
        if isinstance(potential, str | Path):
            import gapy  # its `load` lies above this module

            potential = gapy.load(potential, trust=trust)
        elif not hasattr(potential, "terms"):
            raise GapyError(
                "potential: expected a gapy.Potential or the path of a model file, got "
                f"{type(potential).__name__}"
            )
        self.potential = potential if precision is None else potential.in_precision(precision)
        self._last_volume = (b"", 0.0)
        super().__init__(**of_ase)
        self.set(
            uncertainty=uncertainty, posterior_every=posterior_every, skin=skin, threads=threads
        )

    @property
    def precision(self) -> str:
        """Of the potential: "double" or "single"."""
        return self.potential.precision

    def _checks(self) -> dict:
        """What checks the value of each setting."""
        return {
            "uncertainty": check_uncertainty,
            "posterior_every": _check_count("posterior_every"),
            "skin": check_skin,
            "threads": _check_count("threads"),
        }

    def _refuse_unknown(self, given, also=()) -> None:
        known = (*self._checks(), *also)
        for name in given:
            if name not in known:
                raise GapyError(
                    f"{name}: expected one of the keywords {', '.join(known)} of "
                    f"{type(self).__name__}, got {name}={given[name]!r}; leave it out"
                )

    def set(self, **settings) -> dict:
        """Change settings; results of other settings are forgotten. Returns what has changed.

        Raises GapyError for an unknown keyword or a wrong value; then nothing has changed.
        """
        self._refuse_unknown(settings)
        checks = self._checks()
        changed = super().set(**{name: checks[name](value) for name, value in settings.items()})
        if changed:
            for name, value in changed.items():
                setattr(self, name, value)
            self.reset()
            self._follow()
        return changed

    def _follow(self) -> None:
        self._pairs = MovingPairs(self.potential.pairs_cutoff, self.skin)

    def todict(self, skip_default=True) -> dict:
        """Settings, precision and hash of the model (`model_sha256`, as in `gapy info`); JSON."""
        settings = {name: getattr(self, name) for name in self._checks()}
        model = {"model_sha256": self.potential.sha256, "precision": self.precision}
        return model | settings

    def __getstate__(self) -> dict:
        # Neighbour lists are made again.
        return {name: value for name, value in self.__dict__.items() if name != "_pairs"}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._follow()

    @property
    def atoms(self):
        """A copy of the structure of the last calculation, None without one.

        ASE's copy takes longer than the neighbours of a small cell, so it is made when asked for.
        """
        if self._atoms is None and self._seen is not None:
            self._atoms = self._seen.atoms()
        return self._atoms

    @atoms.setter
    def atoms(self, atoms) -> None:
        self._atoms, self._seen = atoms, None if atoms is None else Seen(atoms)

    @property
    def largest_force_std(self) -> float | None:
        """Largest force sigma over the left-out training structures, eV/A; None where the
        `forces_std` of this calculator are not calibrated."""
        if self.uncertainty not in CALIBRATED:
            return None
        calibration = self.potential.calibration
        sampled = self.draws_samples
        return (calibration.posterior if sampled else calibration).largest_seen

    @property
    def draws_samples(self) -> bool:
        """Whether `forces_std` follow posterior samples of the forces."""
        asked = self.uncertainty in CALIBRATED
        return asked and self.potential.draws_samples(self.uncertainty)

    @property
    def shortest_distances(self) -> dict[tuple[int, int], float]:
        """Shortest distance in the training set by pair of ascending atomic numbers, A."""
        contacts = self.potential.contacts
        return {} if contacts is None else contacts.by_pair()

    def check_state(self, atoms, tol=1e-15):
        """What changed since the last call, among what the energy depends on.

        Of charges that is the total one (`atoms.info["charge"]`), named as ASE names charges, as
        the signs of moments (`atoms.arrays["magmom_sign"]`) are named as its moments are. ASE's
        own comparison takes longer than the neighbour list of a small cell.
        """
        last = self._seen
        if last is None or len(last.arrays["numbers"]) != len(atoms):
            return list(all_changes)
        changes = []
        if differ(atoms.positions, last.arrays["positions"]):
            changes.append("positions")
        if differ(atoms.numbers, last.arrays["numbers"]):
            changes.append("numbers")
        if differ(atoms.cell.array, last.cell):
            changes.append("cell")
        if differ(atoms.pbc, last.pbc):
            changes.append("pbc")
        now: Any = atoms.info.get(charge.KEY)
        before: Any = last.info.get(charge.KEY)
        if now is not before and not np.array_equal(now, before):
            changes.append("initial_charges")
        if any(_other(atoms.arrays, last.arrays, name) for name in (spins.KEY, spins.MOMENTS)):
            changes.append("initial_magmoms")
        return changes

    def reset(self) -> None:
        """Forget the results, and begin to count structures anew."""
        super().reset()
        self._met = 0

    def _force_std(self, wanted: Set) -> bool | str:
        """Which force sigma the structure at hand gets, of those of `Potential.evaluate`."""
        if self.uncertainty not in CALIBRATED:
            return self.uncertainty != "full" and bool(wanted & {"energies_std", "forces_std"})
        due = self._met % self.posterior_every == 0
        self._met += 1
        return self.uncertainty if due or not self.draws_samples else "cheap"

    def _remember(self, atoms) -> None:
        """Keep what `self.atoms` is made from and later calls are compared with."""
        self._atoms, self._seen = None, Seen(atoms)

    def _volume(self, atoms) -> float:
        """|det cell|, A^3, 0 without a periodic direction; computed again only for another cell."""
        key = atoms.cell.array.tobytes() + atoms.pbc.tobytes()
        if key != self._last_volume[0]:
            volume = abs(np.linalg.det(atoms.cell.array)) if atoms.pbc.any() else 0.0
            self._last_volume = (key, volume)
        return self._last_volume[1]

    def _neighbourhood(self, atoms):
        return self.potential.neighbourhood(atoms, self._pairs.update(atoms))

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        # ASE's own would look for a working directory as well.
        if atoms is None:
            atoms = self.atoms
        else:
            self._remember(atoms)
        wanted = set(properties)
        full = self.uncertainty == "full" or bool(wanted & {"energy_std", "stress_std"})
        local = self.uncertainty == "local"
        force_std = self._force_std(wanted)
        calibrated = bool(force_std)
        out = self.potential.evaluate(
            atoms, local_std=local, force_std=force_std, neighbourhood=self._neighbourhood,
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
            if out.energy_std is not None:
                results["energy_std"] = out.energy_std
        if full:
            std = self.potential.predict(atoms, stress=periodic)[1]
            results.setdefault("energy_std", std.energy)
            results["energies_std"] = std.energies
            if self.uncertainty == "full":
                results["forces_std"] = std.forces
            if periodic:
                results["stress_std"] = std.stress
        self.results = results


def _other(now: dict, before: dict, name: str) -> bool:
    """Whether an array has changed, come or gone."""
    a, b = now.get(name), before.get(name)
    return a is not b and (a is None or b is None or not np.array_equal(a, b))


class Seen:
    """What a structure was, in arrays of its own."""

    def __init__(self, atoms):
        self.kind = type(atoms)
        self.arrays = {name: array.copy() for name, array in atoms.arrays.items()}
        self.cell, self.pbc = atoms.cell.array.copy(), atoms.pbc.copy()
        self.displacement = atoms.get_celldisp()  # a copy
        self.info = dict(atoms.info)
        self.constraints = deepcopy(atoms.constraints) if atoms.constraints else []

    def atoms(self):
        """The structure, made anew."""
        out = self.kind(cell=self.cell, pbc=self.pbc, celldisp=self.displacement, info=self.info)
        out.arrays = {name: array.copy() for name, array in self.arrays.items()}
        out.constraints = deepcopy(self.constraints)
        return out
