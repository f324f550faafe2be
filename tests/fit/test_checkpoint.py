"""The state of a fit in a file goes on bit by bit."""

import numpy as np
import pytest
import scipy.linalg
from update_helpers import (
    HELD_OUT,
    NEW,
    copied,
    frames,
    predictions,
    regressor,
    same,
    settings,
)

import gapy
from gapy.errors import ModelFileError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.update import update
from gapy.model import modelfile, serialise


def test_a_saved_state_goes_on_bit_by_bit(fitted, tmp_path):
    straight = copied(fitted)
    choices = settings(prune=0.02, sample_rows=3.0)
    update(straight, NEW[:2], settings=choices)
    save_state(straight, tmp_path / "loop.gapy")
    first = (tmp_path / "loop.gapy").read_bytes()
    resumed = load_state(tmp_path / "loop.gapy")
    assert same(resumed.potential_, straight.potential_)
    assert same(gapy.load(tmp_path / "loop.gapy"), straight.potential_)
    save_state(resumed, tmp_path / "again.gapy")
    assert (tmp_path / "again.gapy").read_bytes() == first
    for gp in (straight, resumed):
        update(gp, NEW[2:], settings=choices)
        gp.partial_fit(HELD_OUT[:1])
        update(gp, frames(2, seed=9, length=6.0), settings=choices)
    assert same(resumed.potential_, straight.potential_)
    assert resumed.potential_.metadata == straight.potential_.metadata
    assert resumed.training_.n_updates == straight.training_.n_updates == 3


def test_a_state_keeps_missing_labels_and_settings(tmp_path):
    training = frames(4, seed=4)
    del training[0].info["REF_stress"], training[1].arrays["REF_forces"]
    del training[2].info["REF_energy"]
    training[3].info["energy_sigma"] = 0.01
    options = {"n_inducing": {"Si": 4, 6: 5}, "noise_overrides": {"a": {"forces": 0.2}}}
    gp = regressor(**options).fit(training)
    save_state(gp, tmp_path / "s.gapy")
    back = load_state(tmp_path / "s.gapy")
    assert back.n_inducing == {"Si": 4, "C": 5} and back.noise_overrides == gp.noise_overrides
    assert len(back.training_.sample) == 4
    for s, t in zip(gp.training_.sample, back.training_.sample):
        assert s.digest() == t.digest()
        assert (s.energy is None, s.forces is None, s.stress is None, s.energy_sigma) == (
            t.energy is None, t.forces is None, t.stress is None, t.energy_sigma,
        )  # fmt: skip


def test_rows_of_a_file_from_before_they_were_whitened_are_whitened(fitted, tmp_path):
    save_state(fitted, tmp_path / "new.gapy")
    archive = modelfile.read(tmp_path / "new.gapy")
    back = scipy.linalg.block_diag(*fitted.training_.cholesky, 1.0).T
    arrays = {k: v @ back if "state.factor" in k else v for k, v in archive.arrays.items()}
    model, packed = serialise.pack(fitted.potential_)
    arrays |= packed  # triangles as they are in the file
    state = dict(archive.model["state"])
    del state["whitened"]
    modelfile.write(tmp_path / "old.gapy", {**model, "state": state}, arrays)
    old, new = (load_state(tmp_path / name) for name in ("old.gapy", "new.gapy"))
    for gp in (old, new):
        gp.partial_fit(NEW)
    for got, wanted in zip(predictions(old), predictions(new)):
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-7)


def test_a_file_without_a_state_is_refused(fitted, tmp_path):
    fitted.potential_.save(tmp_path / "model.gapy")
    with pytest.raises(ModelFileError, match="expected the state of a regressor, got a model"):
        load_state(tmp_path / "model.gapy")
    save_state(fitted, tmp_path / "s.gapy")
    data = (tmp_path / "s.gapy").read_bytes()
    (tmp_path / "s.gapy").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="truncated or damaged"):
        load_state(tmp_path / "s.gapy")
