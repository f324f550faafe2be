"""What an explorer shows of one step, and what is asked of the oracle."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from ase import Atoms

from gapy.structures.charge import charge_of, with_charge
from gapy.structures.spins import moments_of, with_moments

INITIAL, FLAG, START = "initial", "flag", "start"


@dataclass(frozen=True, eq=False)
class Frame:
    """One step of an explorer, as the model sees it.

    Attributes
    ----------
    atoms : the explorer's own atoms, which move on: copy what is to be kept
    energy : eV; forces : (n, 3) eV/A; forces_std : (n,) calibrated force sigma of each atom, eV/A
    step : steps of this explorer so far; time_ps : simulated time, 0 where there is none
    temperature : K that the explorer aims at, None where there is none
    stage : part of the explorer's schedule (a range of temperatures), from 0
    broken : why the structure is not physical any more, or None
    """

    atoms: Atoms
    energy: float
    forces: np.ndarray
    forces_std: np.ndarray
    step: int
    time_ps: float
    temperature: float | None = None
    stage: int = 0
    broken: str | None = None

    @property
    def max_force_std(self) -> float:
        """Largest force sigma of the atoms, eV/A; infinite for a broken structure."""
        if self.broken is not None:
            return float("inf")
        return float(self.forces_std.max())


@dataclass(frozen=True, eq=False)
class Request:
    """A structure that is to be labelled, where it came from, and what the model said of it.

    energy (eV), forces (n, 3) eV/A and forces_std (n,) eV/A are None before there is a model.
    origin is "initial", "flag", or "start" for a walker that was lost at its start; model_version
    counts the fits, 0 for none; charge: of the whole structure, e; moments (n,): of the atoms, Bohr
    magnetons, None where nothing is said.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    origin: str
    walker: str
    explorer: str
    step: int = 0
    time_ps: float = 0.0
    temperature: float | None = None
    energy: float | None = None
    forces: np.ndarray | None = None
    forces_std: np.ndarray | None = None
    model_version: int = 0
    charge: float = 0.0
    moments: np.ndarray | None = None

    @classmethod
    def of_frame(
        cls, frame: Frame, walker: str, explorer: str, model_version: int, *, origin: str = FLAG
    ) -> Request:
        """A copy of what the frame holds."""
        return cls(
            **_geometry(frame.atoms),
            origin=origin,
            walker=walker,
            explorer=explorer,
            step=frame.step,
            time_ps=float(frame.time_ps),
            temperature=None if frame.temperature is None else float(frame.temperature),
            energy=float(frame.energy),
            forces=np.array(frame.forces),
            forces_std=np.array(frame.forces_std),
            model_version=model_version,
        )

    @classmethod
    def initial(cls, atoms: Atoms, walker: str) -> Request:
        """A structure to begin with: no model has seen it."""
        return cls(**_geometry(atoms), origin=INITIAL, walker=walker, explorer="initial")

    @property
    def atoms(self) -> Atoms:
        """The bare structure: species, positions, cell, pbc, charge and moments."""
        bare = Atoms(self.numbers, self.positions, cell=self.cell, pbc=self.pbc)
        return with_moments(with_charge(bare, self.charge), self.moments)

    @property
    def max_force_std(self) -> float | None:
        """Largest force sigma of the atoms, eV/A."""
        return None if self.forces_std is None else float(self.forces_std.max())

    @property
    def worst_atom(self) -> int:
        """Index of the atom with the largest force sigma; 0 before there is a model."""
        return 0 if self.forces_std is None else int(self.forces_std.argmax())

    def to_dict(self) -> dict:
        """Plain data and arrays; `Request(**d)` is the inverse."""
        return asdict(self)


def _geometry(atoms: Atoms) -> dict:
    return {
        "numbers": np.array(atoms.numbers),
        "positions": np.array(atoms.positions),
        "cell": np.array(atoms.cell.array),
        "pbc": np.array(atoms.pbc),
        "charge": charge_of(atoms),
        "moments": moments_of(atoms),
    }
