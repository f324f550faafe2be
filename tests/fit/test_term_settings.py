"""Terms with settings of their own: points, kernel, prior and species."""

import numpy as np
import pytest
from helpers import along_atom, labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.update import update


def soap(r_cut, species=("Al", "Cu")):
    return smooth_soap(list(species), r_cut=r_cut, n_max=3, l_max=2)


@pytest.fixture(scope="module")
def frames():
    return labelled_frames(12, seed=3)


@pytest.fixture(scope="module")
def two(frames):
    """A long term with many points, and a short one for copper alone."""
    short = gapy.TermSettings(
        soap(3.2), zeta=3, n_inducing={"Cu": 5}, delta=0.5, selection="farthest", species=["Cu"]
    )
    return gapy.SparseGPRegressor([soap(4.0), short], n_inducing=10, zeta=2).fit(frames)


def test_each_term_has_its_own_settings(two):
    long, short = two.potential_.terms
    assert (long.zeta, short.zeta) == (2, 3)
    assert [len(x) for x in long.inducing] == [10, 10]
    assert [len(x) for x in short.inducing] == [0, 5]
    assert long.delta[0] == 1.0 and short.delta[0] == 0.5
    assert long.served == (13, 29) and short.served == short.known_species == (29,)
    assert two.potential_.species == (13, 29)


def test_terms_of_equal_settings_are_a_plain_list(frames):
    plain = gapy.SparseGPRegressor([soap(4.0), soap(3.2)], n_inducing=6).fit(frames)
    spelled = gapy.SparseGPRegressor(
        [gapy.TermSettings(soap(4.0)), gapy.TermSettings(soap(3.2), n_inducing=6)], n_inducing=6
    ).fit(frames)
    np.testing.assert_array_equal(
        plain.potential_.posterior.alpha, spelled.potential_.posterior.alpha
    )


def test_forces_are_derivatives_of_the_sum(two):
    atoms = labelled_frames(3, seed=9)[2]
    forces = two.potential_.evaluate(atoms).forces
    for j, c in ((0, 0), (3, 2)):
        slope = along_atom(lambda a: two.potential_.evaluate(a).energy, atoms, j, c)
        assert forces[j, c] == pytest.approx(-slope, abs=1e-6)


def test_files_and_updates_keep_the_settings(two, frames, tmp_path):
    two.potential_.save(tmp_path / "m.gapy")
    again = gapy.load(tmp_path / "m.gapy")
    assert [t.served for t in again.terms] == [(13, 29), (29,)]
    atoms = labelled_frames(2, seed=4)[1]
    np.testing.assert_array_equal(
        again.evaluate(atoms).forces, two.potential_.evaluate(atoms).forces
    )
    save_state(two, tmp_path / "s.gapy")
    back = load_state(tmp_path / "s.gapy")
    asked = back.descriptor[1]
    assert asked.n_inducing == {"Cu": 5} and asked.selection == "farthest"
    update(back, labelled_frames(6, seed=8))
    short = back.potential_.terms[1]
    assert len(short.inducing[0]) == 0 and short.served == (29,)
    refitted = gapy.SparseGPRegressor(back.descriptor, n_inducing=10, zeta=2).fit(frames)
    np.testing.assert_array_equal(
        refitted.potential_.posterior.alpha, two.potential_.posterior.alpha
    )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"species": ["Si"]}, SpeciesError, "expected some of Al, Cu, which its descriptor knows"),
        ({"species": []}, SpeciesError, "expected some of Al, Cu"),
        ({"zeta": 0}, GapyError, "zeta: expected an integer of at least 1, got 0"),
        ({"n_inducing": 1.5}, GapyError, "n_inducing: expected an integer"),
        ({"delta": -1.0}, GapyError, "delta: expected a positive finite number"),
        ({"selection": "best"}, GapyError, "selection: expected one of"),
    ],
)
def test_bad_settings_are_named(frames, options, error, words):
    term = gapy.TermSettings(soap(4.0), **options)
    with pytest.raises(error, match=words):
        gapy.SparseGPRegressor([term], n_inducing=4).fit(frames)


def test_a_species_that_no_term_serves_is_refused(frames):
    term = gapy.TermSettings(soap(4.0), species=["Cu"])
    with pytest.raises(SpeciesError, match=r"inducing points for \['Cu'\].*also holds \['Al'\]"):
        gapy.SparseGPRegressor([term], n_inducing=4).fit(frames)
