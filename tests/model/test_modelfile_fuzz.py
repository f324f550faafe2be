"""Altered model and state files: refused with ModelFileError, or what they predict is unchanged.

Hashes are made to fit after a structured mutation, so that nothing but the schema and the stored
reference predictions can notice it.
"""

import mutations
import numpy as np
import pytest

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import ModelFileError
from gapy.fit.checkpoint import load_state, save_state
from gapy.model.loading import load

ENERGY, SIGMA = 1e-7, 1e-4
"""Relative: what the references allow (1e-8 and 1e-5), with room for other structures."""


@pytest.fixture(scope="module")
def regressor(train_frames):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=2, l_max=1)
    return gapy.SparseGPRegressor(soap, n_inducing=6).fit(train_frames[:9])


@pytest.fixture(scope="module")
def files(regressor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    regressor.potential_.save(folder / "model.gapy")
    save_state(regressor, folder / "state.gapy")
    return {"model": folder / "model.gapy", "state": folder / "state.gapy"}


@pytest.fixture(scope="module")
def expected(regressor, test_frames):
    return predictions(regressor.potential_, test_frames)


def predictions(potential, frames) -> list:
    return [potential.evaluate(a, local_std=True, force_std=True) for a in frames[:3]]


def same(found, wanted) -> bool:
    return all(
        abs(a.energy - b.energy) <= ENERGY * max(abs(b.energy), 1.0)
        and np.allclose(a.forces, b.forces, rtol=ENERGY, atol=ENERGY)
        and np.allclose(a.energies_std, b.energies_std, rtol=SIGMA, atol=1e-9)
        and np.allclose(a.forces_std, b.forces_std, rtol=SIGMA, atol=1e-9)
        for a, b in zip(found, wanted)
    )


@pytest.mark.parametrize("what", ["model", "state"])
@pytest.mark.parametrize(
    ("mutate", "n", "most_loaded"),
    [(mutations.of_bytes, 80, 30), (mutations.of_header, 130, 80), (mutations.of_array, 130, 40)],
    ids=["bytes", "header", "array"],
)
def test_mutations(files, expected, test_frames, tmp_path, what, mutate, n, most_loaded):
    data = files[what].read_bytes()
    read = {"model": load, "state": lambda path: load_state(path).potential_}[what]
    path, rng = (
        tmp_path / "mutated.gapy",
        np.random.default_rng(int(__import__("os").environ.get("SEED", "0"))),
    )
    loaded = 0
    for k in range(n):
        name, mutated = mutate(data, rng)
        path.write_bytes(mutated)
        try:
            potential = read(path)
        except ModelFileError as error:
            message = str(error)
            assert message.startswith(str(path)) and "\n" not in message, (k, name, message)
            continue
        loaded += 1
        assert same(predictions(potential, test_frames), expected), (k, name)
    # Most mutations change something, so a reader that takes everything would not pass.
    assert loaded <= most_loaded


def test_mutations_keep_an_unchanged_file(files, expected, test_frames, tmp_path):
    for what, path in files.items():
        (tmp_path / what).write_bytes(mutations.rehashed(*mutations.parts(path.read_bytes())))
        assert same(predictions(load(tmp_path / what), test_frames), expected)
