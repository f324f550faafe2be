"""State of a run on disk: one .npz, arrays in full precision and a JSON header, no pickle."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
from ase import Atoms

from gapy._support.schema import Anything, Map, Number, Optional, Record, Text
from gapy._support.zip_arrays import Members
from gapy.errors import GapyError
from gapy.md.settings import Settings
from gapy.structures.spins import known_signs, with_signs

FORMAT = 1
# A calculator that gives another energy for the stored positions is not the one of the run.
ENERGY_TOLERANCE = {"single": 1e-5}  # eV/atom, of calculators of this precision
OTHERS = 1e-6
COUNT, VALUES = Number(0, whole=True), Map(Text(), Anything())
HEADER = Record(
    {
        "format": COUNT,
        "step": COUNT,
        "energy": Number(),
        "random": VALUES,
        "barostat": Optional(Record({"mass": Number(0.0, above=True)}, rest=Anything())),
        "averages": VALUES,
        "sizes": Map(Text(), COUNT),
        "settings": Record({"ramp_steps": COUNT}, rest=Anything()),
    },
    {"precision": Optional(Text())},
)


def precision_of(calculator) -> str | None:
    """What a calculator states as its `precision`, None for nothing."""
    stated = getattr(calculator, "precision", None)
    return stated if isinstance(stated, str) else None


@dataclass(frozen=True)
class Averages:
    """Running sums over the steps of a run, the first state included."""

    count: int = 0
    temperature: float = 0.0  # sum, K
    force_std: float = 0.0  # sum of the means over atoms, eV/A
    max_force_std: float = 0.0  # largest so far, eV/A

    def add(self, record) -> Averages:
        """The sums with one more step."""
        return Averages(
            self.count + 1,
            self.temperature + record.temperature_K,
            self.force_std + record.mean_force_std_eV_per_A,
            # np.maximum passes nan on: no uncertainty stays "unknown", not zero
            float(np.maximum(self.max_force_std, record.max_force_std_eV_per_A)),
        )


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped."""

    step: int
    atoms: Atoms  # positions, momenta, cell, numbers, masses, pbc, signs of moments if any
    energy: float  # eV
    random: dict  # state of the generator
    barostat: dict | None
    averages: Averages
    sizes: dict[str, int]  # bytes of the appended files
    settings: dict
    precision: str | None = None  # that the calculator states, if any

    def to_bytes(self) -> bytes:
        """The file's contents."""
        header = {
            "format": FORMAT,
            "step": self.step,
            "energy": self.energy,
            "random": self.random,
            "barostat": self.barostat,
            "averages": asdict(self.averages),
            "sizes": self.sizes,
            "settings": self.settings,
            "precision": self.precision,
        }
        signs = known_signs(self.atoms)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            header=np.array(json.dumps(header)),
            numbers=self.atoms.numbers,
            positions=self.atoms.positions,
            momenta=self.atoms.get_momenta(),
            masses=self.atoms.get_masses(),
            cell=self.atoms.cell.array,
            pbc=self.atoms.pbc,
            **({} if signs is None else {"signs": signs}),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, path) -> Checkpoint:
        """Read back what `to_bytes` wrote; `path` is for the message of the GapyError."""
        try:
            Members(io.BytesIO(data))  # nothing in it is larger than it
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(str(arrays.pop("header")))
            HEADER.check(header, "header")
            if header.pop("format") != FORMAT:
                raise ValueError("another format version")
            np.random.default_rng(0).bit_generator.state = header["random"]  # refused if damaged
            masses, momenta = arrays.pop("masses"), arrays.pop("momenta")
            signs = arrays.pop("signs", None)
            atoms = with_signs(Atoms(**arrays, masses=masses), signs)
            known_signs(atoms)  # refused if damaged
            atoms.set_momenta(momenta)
            averages = Averages(**header.pop("averages"))
            return cls(atoms=atoms, averages=averages, **header)
        except Exception as error:  # zip, numpy, json and ASE each refuse in many ways
            raise GapyError(
                f"{path} is damaged or no checkpoint of this version "
                f"({' '.join(str(error).split())[:300]}); start again with overwrite"
            ) from error

    def agreed_settings(self, given: Settings) -> Settings:
        """`given` with the stored ramp; GapyError naming every setting that differs."""
        differing = given.differences(self.settings)
        if differing:
            raise GapyError(
                f"restart with other settings ({'; '.join(differing)}); give the stored ones, or "
                "begin a new run in another directory"
            )
        return replace(given, ramp_steps=self.settings["ramp_steps"])

    def restore(self, atoms: Atoms) -> Atoms:
        """A copy of `atoms` in the stored state; GapyError if these are not the same atoms."""
        same = (
            np.array_equal(atoms.numbers, self.atoms.numbers)
            and np.array_equal(atoms.pbc, self.atoms.pbc)
            and np.array_equal(atoms.get_masses(), self.atoms.get_masses())
        )
        if not same:
            raise GapyError(
                f"atoms ({atoms.get_chemical_formula()}) are not those of the run "
                f"({self.atoms.get_chemical_formula()}): species, order, masses and pbc must be "
                "the same at a restart; give the structure that the run began with"
            )
        run_signs, signs = known_signs(self.atoms), known_signs(atoms)
        # Files of older versions hold none; their energy is compared all the same.
        if run_signs is not None and not np.array_equal(run_signs, _or_zeros(signs, atoms)):
            raise GapyError(
                f"atoms ({atoms.get_chemical_formula()}) have other signs of magnetic moments than "
                "those of the run; give the structure that the run began with"
            )
        restored = atoms.copy()
        restored.set_cell(self.atoms.cell)
        restored.set_positions(self.atoms.positions, apply_constraint=False)
        restored.set_momenta(self.atoms.get_momenta(), apply_constraint=False)
        return restored

    def check_precision(self, precision: str | None) -> None:
        """GapyError unless the calculator states the stored precision."""
        # Files of older versions hold none.
        if self.precision is not None and precision != self.precision:
            raise GapyError(
                f"precision: expected {self.precision}, in which the run was begun, got "
                f"{precision}; restart with that one, or begin a new run in another directory"
            )

    def check_energy(self, energy: float) -> None:
        """GapyError unless the calculator gives the stored energy for the stored positions."""
        difference = abs(energy - self.energy) / len(self.atoms)
        if not difference <= ENERGY_TOLERANCE.get(self.precision or "", OTHERS):
            raise GapyError(
                f"calculator gives {energy:.9g} eV for the stored positions, the run had "
                f"{self.energy:.9g} eV: it is another potential; restart with the same one, or "
                "begin a new run in another directory"
            )


def _or_zeros(signs: np.ndarray | None, atoms: Atoms) -> np.ndarray:
    return np.zeros(len(atoms), dtype=np.int64) if signs is None else signs
