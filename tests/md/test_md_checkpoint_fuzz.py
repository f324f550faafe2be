"""Altered checkpoints: refused with GapyError, or read."""

import io
import json

import mutations
import numpy as np
from ase.build import molecule

from gapy.errors import GapyError
from gapy.md.restart import Averages, Checkpoint


def checkpoint() -> bytes:
    return Checkpoint(
        step=3,
        atoms=molecule("H2O"),
        energy=-1.0,
        random=np.random.default_rng(0).bit_generator.state,
        barostat={"mass": 1.0},
        averages=Averages(1, 300.0, 0.1, 0.2),
        sizes={"md.csv": 10},
        settings={"ramp_steps": 5, "timestep": 1.0},
    ).to_bytes()


def readable(data: bytes) -> bool:
    try:
        Checkpoint.from_bytes(data, "checkpoint.npz")
    except GapyError as error:
        assert "is damaged or no checkpoint" in str(error) and "\n" not in str(error)
        return False
    return True


def test_altered_bytes_and_headers():
    data, rng = checkpoint(), np.random.default_rng(0)
    assert readable(data)
    n_read = sum(readable(mutations.of_bytes(data, rng)[1]) for _ in range(100))
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    for k in range(200):
        header = json.loads(str(arrays["header"]))
        key = sorted(header)[k % len(header)]
        header[key] = mutations.JUNK[rng.integers(len(mutations.JUNK))]
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, "header": np.array(json.dumps(header))})
        n_read += readable(buffer.getvalue())
    assert n_read < 100


def test_compressed_arrays_are_refused_unread():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.zeros(10_000_000))
    assert not readable(buffer.getvalue())
