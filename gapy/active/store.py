"""Labels, failures and model versions in an ASE database, each in one transaction."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db.core import str_represents

from gapy._support.files import write_whole
from gapy.active.frames import Request
from gapy.active.labels import Failure, Label, label_error
from gapy.errors import GapyError
from gapy.structures.charge import charge_of, with_charge
from gapy.structures.spins import moments_of, with_moments

LABEL, FAILURE, MODEL = "label", "failure", "model"


class Store:
    """The labels of one loop, in a database that may hold those of others too.

    Rows have `run` (the loop's name), `record` ("label", "failure" or "model") and

    - label, failure: `label_key` (hash of structure and reference method), `request` (number),
      `origin`, `walker`, `explorer`, `step`, `time_ps`, `temperature`, `model_version`,
      `sigma_max` (eV/A, before the label was known), `seconds`; a label also `error_max` (largest
      length of an atom's force error of that model) and `error_rms` (per component), eV/A, and
      `error_energy` (eV/atom); a failure `failure` (its kind) and `reason`. data: `forces_std`,
      `predicted_forces`, `oracle` (settings as text).
    - model: `version`, `model_hash`, `model_file`, `n_labels`.

    Arguments
    ---------
    url : a file name that ends with .db (SQLite), or a URL of PostgreSQL (postgresql://...)
    run : name of the loop; one that reads as a number or as true or false is stored with "run "
        before it, since ASE takes no such text

    Raises
    ------
    GapyError : a URL that ASE does not know, a database that cannot be opened
    """

    def __init__(self, url, run: str):
        self.url = str(url)
        self.run = run = f"run {run}" if _reads_as_number(run) else run
        with self._database_errors():
            if "://" not in self.url and self.url.endswith(".db"):
                _create_whole(Path(self.url))
            # The loop's directory is locked; ASE's lock file would outlive a killed process.
            try:
                self._db = ase.db.connect(self.url, use_lock_file=False)
            except ValueError as error:
                raise GapyError(
                    f"store: expected a file that ends with .db or a URL of PostgreSQL, got "
                    f"{self.url!r} ({error}); correct the name"
                ) from error
            self._rows = {
                row.label_key: (row.id, row.record)
                for row in self._db.select(run=run)
                if row.record != MODEL
            }

    def __len__(self) -> int:
        return sum(record == LABEL for _, record in self._rows.values())

    @property
    def n_failures(self) -> int:
        """Requests that gave no label."""
        return len(self._rows) - len(self)

    def outcome(self, key: str) -> Label | Failure | None:
        """What is stored under a key; None if it was never computed."""
        if _safe(key) not in self._rows:
            return None
        with self._database_errors():
            row = self._db.get(id=self._rows[_safe(key)][0])
        if row.record == FAILURE:
            return Failure(row.failure, row.data["reason"], row.seconds)
        stress = row.get("stress")
        return Label(
            energy=float(row.energy),
            forces=np.array(row.forces),
            stress=None if stress is None else np.array(stress),
            seconds=float(row.seconds),
        )

    def add(
        self, key: str, number: int, request: Request, outcome: Label | Failure, settings: str
    ) -> None:
        """Store an outcome the moment it exists."""
        key = _safe(key)
        if key in self._rows:
            raise GapyError(f"label {key} is in {self.url} already; no label is stored twice")
        atoms = request.atoms
        values = {
            "run": self.run,
            "label_key": key,
            "request": int(number),
            "origin": request.origin,
            "walker": request.walker,
            "explorer": request.explorer,
            "step": int(request.step),
            "time_ps": float(request.time_ps),
            "model_version": int(request.model_version),
            "seconds": float(outcome.seconds),
        }
        if request.temperature is not None:
            values["temperature"] = float(request.temperature)
        if request.forces_std is not None:
            values["sigma_max"] = request.max_force_std
        if request.charge:
            values["total_charge"] = request.charge
        data = {
            "oracle": settings,
            "forces_std": request.forces_std,
            "predicted_forces": request.forces,
        }
        if isinstance(outcome, Label):
            values["record"] = LABEL
            atoms.calc = SinglePointCalculator(
                atoms, energy=outcome.energy, forces=outcome.forces, stress=outcome.stress
            )
            error = label_error(outcome, request.forces)
            if error is not None:
                values["error_max"], values["error_rms"] = error
                values["error_energy"] = abs(request.energy - outcome.energy) / len(atoms)
        else:
            values["record"] = FAILURE
            values["failure"] = outcome.kind
            data["reason"] = outcome.reason
        with self._database_errors():
            row = self._db.write(
                atoms, values, data={k: v for k, v in data.items() if v is not None}
            )
        self._rows[key] = (row, values["record"])

    def forget_failures(self, keys: Sequence[str]) -> None:
        """Remove failures, so that their structures are tried again."""
        for key in map(_safe, keys):
            if self._rows.get(key, (0, ""))[1] == FAILURE:
                with self._database_errors():
                    self._db.delete([self._rows[key][0]])
                del self._rows[key]

    def add_model(self, version: int, model_hash: str, model_file: str, n_labels: int) -> None:
        """Store a model version, unless it is there."""
        with self._database_errors():
            if any(True for _ in self._db.select(run=self.run, record=MODEL, version=version)):
                return
            self._db.write(
                Atoms(),
                run=self.run,
                record=MODEL,
                version=int(version),
                model_hash=_safe(model_hash),
                model_file=str(model_file),
                n_labels=int(n_labels),
            )

    def rows(self, record: str = LABEL) -> list:
        """All rows of one kind, in the order of their numbers."""
        order = "version" if record == MODEL else "request"
        with self._database_errors():
            return sorted(
                self._db.select(run=self.run, record=record), key=lambda row: row.get(order)
            )

    def structure(self, key: str) -> Atoms:
        """The labelled structure under a key, with REF_energy, REF_forces and REF_stress."""
        with self._database_errors():
            row = self._db.get(id=self._rows[_safe(key)][0])
        atoms = with_charge(row.toatoms(), float(row.get("total_charge", 0.0)))
        return labelled(atoms, self.outcome(key))

    @contextmanager
    def _database_errors(self):
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise GapyError(
                f"database {self.url} cannot be used: {error}; free space or mend its permissions, "
                "then resume"
            ) from error
        except ImportError as error:
            raise GapyError(
                f"database {self.url} cannot be opened: {error}; for PostgreSQL install "
                '"gapy[postgresql]"'
            ) from error
        except Exception as error:
            if not type(error).__module__.startswith("psycopg"):
                raise
            raise GapyError(
                f"database {self.url} cannot be used: {' '.join(str(error).split())}; mend it, "
                "then resume"
            ) from error


def _create_whole(path: Path) -> None:
    """Make a new database whole or not at all, unless there is one.

    ASE makes its tables one by one, and a process killed between them leaves a file that nothing
    can open any more.
    """
    if path.exists():
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new.", suffix=".db") as made:
        ase.db.connect(made.name, use_lock_file=False).count()
        try:
            os.link(made.name, path)  # unlike a renamed file, never in the place of another one
        except FileExistsError:
            pass
        except OSError:  # no hard links here
            write_whole(path, Path(made.name).read_bytes())


def labelled(atoms: Atoms, label: Label) -> Atoms:
    """A bare copy of `atoms` with the label under the keys that a fit looks for."""
    out = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    with_moments(with_charge(out, charge_of(atoms)), moments_of(atoms))
    out.info["REF_energy"] = label.energy
    out.arrays["REF_forces"] = np.array(label.forces)
    if label.stress is not None:
        out.info["REF_stress"] = np.array(label.stress)
    return out


def _reads_as_number(text: str) -> bool:
    return any(str_represents(text, kind) for kind in (bool, int, float))


def _safe(key: str) -> str:
    """ASE refuses text that looks like a number, which a hash may."""
    return key if key.startswith("h-") else f"h-{key}"
