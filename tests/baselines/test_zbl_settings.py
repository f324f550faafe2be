"""Settings of ZBL: what is refused, in one line, and what survives a file to the last bit."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapy.baselines import ZBL, from_settings
from gapy.errors import GapyError, SpeciesError

distances = st.tuples(st.floats(1e-3, 2.0), st.floats(1e-3, 3.0)).map(lambda d: (d[0], sum(d)))
pairs = st.sampled_from(["H-H", "O-H", "H-Si", "O-O", "Si-O", "Si-Si"])
switches = st.dictionaries(pairs, distances)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((2.0, 1.0), r"expected 0 < inner < outer in A, got inner=2, outer=1; correct"),
        ((1.0, 1.0), r"expected 0 < inner < outer"),
        ((0.0, 1.0), r"expected 0 < inner < outer"),
        ((-1.0, 1.0), r"got inner=-1"),
        ((np.nan, 1.0), r"got inner=nan"),
        ((1.0, np.nan), r"outer=nan"),
        ((1.0, np.inf), r"outer=inf"),
        (("1", 2.0), r"expected numbers \(inner, outer\) in A, got \('1', 2.0\)"),
        ((True, 2.0), r"expected numbers"),
        ((1.0,), r"expected both inner and outer or neither, got inner=1.0, outer=None; give"),
        ((None, 1.0), r"expected both"),
        ((1.0, 2.0, {"Si-C": (2.0, 1.0)}), r"switch of C-Si: expected 0 < inner < outer"),
        ((1.0, 2.0, {"Si-C": 2.0}), r"switch of C-Si: expected numbers \(inner, outer\)"),
        ((1.0, 2.0, {"Si-C": (1.0, 2.0, 3.0)}), r"expected numbers"),
        ((1.0, 2.0, {"Si": (1.0, 2.0)}), r'expected a pair such as "Si-O", got \'Si\''),
        ((1.0, 2.0, {14: (1.0, 2.0)}), r"expected a pair"),
        ((1.0, 2.0, {("Si", "C"): (1, 2), ("C", "Si"): (1, 2)}), r"C-Si: expected one, got two"),
        ((1.0, 2.0, [("Si", "C")]), r"switches: expected a mapping"),
        ((1.0, 2.0, {}, "Si"), r"species: expected a list of chemical elements, got 'Si'; give"),
        ((1.0, 2.0, {}, []), r"species: expected a list"),
        ((1.0, 2.0, {}, 14), r"species: expected a list"),
    ],
)
def test_bad_settings_are_refused_in_one_line(arguments, message):
    with pytest.raises(GapyError, match=message) as refused:
        ZBL(*arguments)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("baseline zbl")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1.0, 2.0, {"Si-Xx": (1.0, 2.0)}), "switches: expected a chemical element, got 'Xx'"),
        ((1.0, 2.0, {("Si", 0): (1.0, 2.0)}), "expected a chemical element, got 0"),
        ((1.0, 2.0, {}, ["Si", "Q"]), "species: expected a chemical element, got 'Q'"),
        ((1.0, 2.0, {"Si-O": (1, 2)}, ["Si"]), "switch of O-Si: expected a pair of Si, got"),
    ],
)
def test_unknown_species_are_refused(arguments, message):
    with pytest.raises(SpeciesError, match=message):
        ZBL(*arguments)


def test_pairs_override_the_distances_of_the_model():
    zbl = ZBL(1, 2, {("Si", "C"): (0.5, 2.5), "C-C": (0.4, 0.9)}, ["Si", 6])
    assert zbl.species == (6, 14)
    assert zbl.switch(14, 6) == zbl.switch(6, 14) == (0.5, 2.5)
    assert zbl.switch(14, 14) == (1.0, 2.0)
    assert zbl.cutoff == 2.5
    assert zbl == ZBL(1.0, 2.0, {"C-C": (0.4, 0.9), "C-Si": [0.5, 2.5]}, ("C", "Si", "C"))


@given(st.none() | distances, switches, st.none() | st.just(["H", "Si", "O"]))
def test_settings_survive_json_and_pickle(both, given_switches, species):
    zbl = ZBL(*(both or (None, None)), given_switches, species)
    copy = from_settings("zbl", json.loads(json.dumps(zbl.settings())))
    for other in (copy, pickle.loads(pickle.dumps(zbl))):
        assert other == zbl and hash(other) == hash(zbl)
        assert other.settings() == zbl.settings()
        assert other.cutoff == zbl.cutoff


def test_is_frozen_and_keeps_no_argument():
    given_switches = {"C-C": (0.4, 0.9)}
    zbl = ZBL(1.0, 2.0, given_switches)
    given_switches["Si-Si"] = (1.0, 2.0)
    assert list(zbl.switches) == [(6, 6)]
    with pytest.raises(AttributeError):
        zbl.inner = 0.5
    with pytest.raises(TypeError):
        zbl.switches[6, 14] = (1.0, 2.0)
