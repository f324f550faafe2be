"""Noise: look-up by kind and config_type, immutability, the JSON form, refusals."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapy.errors import GapyError
from gapy.gp.noise import Noise

KINDS = ("energy", "forces", "stress")
sigmas = st.floats(1e-12, 1e12)
overrides = st.dictionaries(st.text(), st.dictionaries(st.sampled_from(KINDS), sigmas))
noises = st.builds(Noise, energy=sigmas, forces=sigmas, stress=sigmas, overrides=overrides)


@given(noises)
def test_json_pickle_and_deepcopy_round_trips(noise):
    assert Noise.from_dict(json.loads(json.dumps(noise.to_dict()))) == noise
    assert pickle.loads(pickle.dumps(noise)) == noise == copy.deepcopy(noise)
    assert hash(copy.deepcopy(noise)) == hash(noise)


@given(noises, st.text())
def test_override_wins_and_everything_else_is_the_default(noise, other):
    for name in (*noise.overrides, other):
        for kind in KINDS:
            expected = noise.overrides.get(name, {}).get(kind, getattr(noise, kind))
            assert noise.sigma(kind, name) == expected


def test_sigma_of_a_partial_override():
    noise = Noise(forces=0.05, overrides={"liquid": {"forces": 0.2}})
    assert noise.sigma("forces", "liquid") == 0.2
    assert noise.sigma("forces", "slab") == 0.05
    assert noise.sigma("energy", "liquid") == Noise().energy == 0.001


def test_noise_cannot_be_changed():
    source = {"liquid": {"forces": 0.2}}
    noise = Noise(overrides=source)
    source["liquid"]["forces"] = 9.0
    source["slab"] = {}
    assert noise.to_dict()["overrides"] == {"liquid": {"forces": 0.2}}
    noise.to_dict()["overrides"]["liquid"]["forces"] = 9.0
    assert noise.sigma("forces", "liquid") == 0.2
    with pytest.raises(dataclasses.FrozenInstanceError):
        noise.energy = 1.0
    with pytest.raises(TypeError):
        noise.overrides["liquid"]["forces"] = 1.0
    with pytest.raises(TypeError):
        noise.overrides["slab"] = {}


def test_numpy_numbers_become_floats():
    noise = Noise(energy=np.float32(0.5), overrides={"a": {"stress": np.int64(2)}})
    assert json.loads(json.dumps(noise.to_dict()))["energy"] == 0.5
    assert type(noise.sigma("stress", "a")) is float


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, "small", None])
@pytest.mark.parametrize("kind", KINDS)
def test_sigma_must_be_positive_and_finite(kind, value):
    with pytest.raises(GapyError, match=f"noise {kind}: expected a positive finite number, got"):
        Noise(**{kind: value})
    with pytest.raises(GapyError, match=f"config_type 'hot', {kind}: expected a positive finite"):
        Noise(overrides={"hot": {kind: value}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"force": 0.1}, "expected the keys energy, forces, stress, overrides, own, got 'force'"),
        ({"overrides": {"hot": {"virial": 1.0}}}, "config_type 'hot': label kind expected one of"),
        ({"overrides": {"hot": 0.1}}, "config_type 'hot': expected a mapping, got 0.1"),
        ({"overrides": [1]}, r"noise overrides: expected a mapping, got \[1\]"),
        (0.1, "noise: expected a mapping, got 0.1"),
    ],
)
def test_unknown_keys_are_refused(values, message):
    with pytest.raises(GapyError, match=message):
        Noise.from_dict(values)


def test_unknown_kind():
    with pytest.raises(GapyError, match=r"label kind expected one of .* got 'virial'"):
        Noise().sigma("virial", "default")
