"""The schema of model files, their memory, and files of the version before."""

import io
import json
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import mutations
import numpy as np
import pytest
from helpers import labelled_frames

import gapy
from gapy._support.schema import SchemaError
from gapy.errors import GapyError, ModelFileError
from gapy.fit.checkpoint import load_state
from gapy.gp.posterior import solve
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import cholesky_factors, normalised
from gapy.model import modelfile, modelschema
from gapy.model.potential import Potential

HERE = Path(__file__).parents[1] / "data"


def refused(path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        gapy.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- version 2 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [gapy.load, lambda path: load_state(path).potential_])
def test_version_2_loads_and_predicts_the_same(load):
    potential = load(HERE / "version-2.gapy")
    stored = json.loads((HERE / "version-2.json").read_text())
    (atoms,) = labelled_frames(1, seed=2)
    found = potential.evaluate(atoms, local_std=True, force_std=True)
    for name, value in stored.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-6, atol=1e-9)


def test_version_2_is_saved_as_the_present_version(tmp_path):
    gapy.load(HERE / "version-2.gapy").save(tmp_path / "new.gapy")
    assert modelfile.read(HERE / "version-2.gapy").version == 2
    assert modelfile.read(tmp_path / "new.gapy").version == modelfile.POTENTIAL.version
    gapy.load(tmp_path / "new.gapy")


def test_version_2_does_not_hide_missing_references(tmp_path, model_file):
    header, arrays = mutations.parts(model_file.read_bytes())
    message = refused(tmp_path / "m.gapy", mutations.rehashed({**header, "version": 2}, arrays))
    assert "expected no other arrays" in message


# -- sigmas that a file states ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (("calibration", "beyond"), 1.01),
        (("calibration", "curve", 0, 1), 1.01),
        (("calibration", "curve", -1, 0), 1.01),
        (("terms", 0, "delta", 0), 1.01),
        (("reach", 0, 0, 1), 1.01),
        (("reach", 0, 1, 0), 1.01),
        (("e0", "Cu"), 1.01),
    ],
)
def test_altered_number_with_fitting_hashes(tmp_path, model_file, place, change):
    header, arrays = mutations.parts(model_file.read_bytes())
    holder = header["model"]
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] *= change
    assert " expected " in refused(tmp_path / "m.gapy", mutations.rehashed(header, arrays))


@pytest.mark.parametrize(
    "name", ["r_factor", "block0.cholesky", "block1.cholesky", "w", "alpha", "reach0.least"]
)
def test_altered_array_with_fitting_hashes(tmp_path, model_file, name):
    header, arrays = mutations.parts(model_file.read_bytes())
    array = np.load(io.BytesIO(arrays[name]))
    array.flat[3] *= 1.01
    arrays[name] = mutations.npy(array)
    assert " expected " in refused(tmp_path / "m.gapy", mutations.rehashed(header, arrays))


def test_largest_sigma_may_be_there(model_file):
    model = modelfile.read(model_file).model
    model["calibration"]["largest"] = 3.0
    modelschema.check_model(model)
    model["calibration"]["largest"] = -3.0
    with pytest.raises(SchemaError, match=r"calibration.largest: expected a finite number from 0"):
        modelschema.check_model(model)


def test_what_cannot_be_read_is_not_written(tmp_path, model_file):
    archive = modelfile.read(model_file)
    with pytest.raises(GapyError, match=r"model: expected the keys .*got 'other'"):
        modelfile.write(tmp_path / "m.gapy", {**archive.model, "other": 1}, {})
    assert not list(tmp_path.iterdir())


# -- memory -------------------------------------------------------------------------------------


def peak(call) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["deflated", "shape", "header", "shared bytes"])
def test_a_small_file_that_states_gigabytes(tmp_path, model_file, kind):
    """2.5 GB of zeros deflate to 2.5 MB; other ways need only say that there is much."""
    header, arrays = mutations.parts(model_file.read_bytes())
    path = tmp_path / "bomb.gapy"
    if kind == "deflated":
        size = 200_000_000  # enough to tell, and made quickly
        arrays["w"] = mutations.npy(np.zeros(size // 8))
        data = mutations.rehashed(header, arrays, compression=zipfile.ZIP_DEFLATED)
        assert len(data) < size / 100
    elif kind == "shape":
        arrays["w"] = arrays["w"].replace(b"(50,), }        ", b"(50000000000,), }", 1)
        assert b"50000000000" in arrays["w"]
        data = mutations.rehashed(header, arrays)
    elif kind == "header":
        header["model"]["metadata"]["more"] = [[]] * 6_000_000
        data = mutations.rehashed(header, arrays)
    else:
        data = _shared(mutations.rehashed(header, arrays))
    del arrays, header
    assert peak(lambda: refused(path, data)) < 2 * len(data) + 20_000_000


def _shared(data: bytes) -> bytes:
    """The zip with its list of members thirty times as long, all of it pointing at its start."""
    end = data.rindex(b"PK\5\6")
    start = data.index(b"PK\1\2")
    listed = b"".join(data[start:end].replace(b"arrays/", b"a%05d/" % k) for k in range(30))
    tail = bytearray(data[end:])
    tail[12:16] = len(listed).to_bytes(4, "little")
    return data[:start] + listed + bytes(tail)


def test_loading_takes_twice_the_file_at_most(tmp_path):
    """Triangles are unpacked as they are read, not from a copy of the file."""
    path = tmp_path / "large.gapy"
    _large(1500).save(path)
    gapy.load(path)  # what is imported and compiled stays
    assert peak(lambda: gapy.load(path)) < 2 * path.stat().st_size + 6_000_000


def _large(n: int) -> Potential:
    """A potential of n inducing points that no data have chosen."""
    potential = gapy.load(HERE / "version-2.gapy")
    rng = np.random.default_rng(0)
    (term,) = potential.terms
    points = [normalised(rng.random((n, x.shape[1]))) for x in term.inducing]
    terms = (replace(term, zeta=40, inducing=(points[0], points[1][:2])),)
    statistic = SufficientStatistic(n + 2)
    statistic.add(Group("energy", "default"), rng.random((1, n + 2)), rng.random(1))
    fitted = solve(terms, cholesky_factors(terms), statistic, lambda *group: 1.0)
    return replace(potential, terms=terms, posterior=fitted, references=())
