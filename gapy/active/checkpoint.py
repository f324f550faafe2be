"""The loop's directory and its state: one file, written whole, that says how to go on."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

from gapy._support.schema import Anything, Map, Text
from gapy.errors import GapyError
from gapy.md.files import LOCK, RunDirectory

STATE = "state.json"
LABELS_CSV = "labels.csv"
LOOP_CSV = "loop.csv"
TEST_CSV = "test.csv"
MODEL = "model.gapy"
DATABASE = "labels.db"
MODELS = "models"
ORACLE = "oracle"
REPORT = "report.html"
FORMAT = 1


class LearnDirectory(RunDirectory):
    """The directory of one loop: its lock, logs that can be cut back, files written whole."""

    def present(self) -> list[str]:
        """Names of the files of an earlier loop that are here."""
        return [name for name in (STATE, DATABASE, MODEL) if (self.path / name).exists()]

    def was_begun(self) -> bool:
        """Whether a loop was ever started here, be it killed before its first state."""
        return (self.path / LOCK).exists()

    def save(self, state: dict) -> None:
        """Write the state; until the rename is done, the one before it stands."""
        text = json.dumps({"format": FORMAT, **state}, default=_pack)
        self.replace(STATE, text.encode())

    def load(self) -> dict:
        """The state as `save` wrote it.

        Raises
        ------
        GapyError : it cannot be read, or it is damaged
        """
        path = self.path / STATE
        try:
            state = json.loads(self.read(STATE), object_hook=_unpack)
            Map(Text(), Anything()).check(state, "state")
            if state.pop("format") != FORMAT:
                raise ValueError("another format version")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise GapyError(
                f"{path} is damaged or of another version ({error}); start again in another "
                "directory"
            ) from error
        return state

    def model_path(self, version: int) -> Path:
        """File of one model version."""
        return self.path / MODELS / f"model-{version:04d}.gapy"


def _pack(value):
    """Arrays bit by bit; numpy's scalars as Python's."""
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"__array__": data, "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot store {type(value).__name__}")


def _unpack(value: dict):
    if "__array__" not in value:
        return value
    data = base64.b64decode(value["__array__"])
    return np.frombuffer(data, dtype=value["dtype"]).reshape(value["shape"]).copy()
