"""What labels would do to the error bar of a property, against a posterior that has them."""

import numpy as np
import pytest
from ase.build import bulk
from helpers import labelled_frames

import gapy
from gapy.active.suggestion import fitted_kinds, label_rows, remaining, suggest, whitened_gradient
from gapy.active.support import support
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError
from gapy.fit.solving import solve
from gapy.fit.training import absorb
from gapy.properties.linearised import Linearised
from gapy.structures import from_atoms

PRISTINE = (bulk("Cu", a=3.6), bulk("Cu", a=3.7), bulk("Cu", "bcc", a=2.9))
OF = Linearised(
    ("B", "bcc"), ("", "eV"), np.zeros(2), PRISTINE, np.array([[1.0, -2.0, 0.0], [-1.0, 0.0, 1.0]])
)


@pytest.fixture(scope="module")
def fitted():
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    gp = gapy.SparseGPRegressor(soap, n_inducing=20, zeta=2, n_components="off", baselines=())
    return gp.fit(labelled_frames(15, seed=1))


@pytest.fixture(scope="module")
def pool():
    return labelled_frames(6, seed=9)


def test_the_variance_left_is_that_of_a_posterior_with_the_labels(fitted, pool):
    potential = fitted.potential_
    u = whitened_gradient(potential, OF)
    for atoms in pool[:3]:
        left = remaining(label_rows(potential, atoms), u)
        more = solve(absorb(fitted.training_, from_atoms([atoms], source="x"))).potential
        there = whitened_gradient(more, OF)
        np.testing.assert_allclose(left, (there * there).sum(axis=0), rtol=1e-6)


def test_the_choice_is_the_best_of_all_that_one_can_make(fitted, pool):
    potential = fitted.potential_
    found = suggest(potential, OF, pool, 3)
    u = whitened_gradient(potential, OF)
    weight = 1.0 / (u * u).sum(axis=0)
    rows = [label_rows(potential, atoms) for atoms in pool]
    taken: list[int] = []
    for k, after in zip(found.chosen, found.after):
        left = {
            j: remaining(np.hstack([rows[i] for i in (*taken, j)]), u)
            for j in range(len(pool))
            if j not in taken
        }
        assert k == min(left, key=lambda j: weight @ left[j])
        np.testing.assert_allclose(after**2, left[k], rtol=1e-6)
        taken.append(k)
    assert (np.diff(np.vstack([found.before, found.after]), axis=0) < 0.0).all()
    assert found.considered == found.candidates == 6


def test_labels_of_candidates_are_not_looked_at(fitted, pool):
    bare = [atoms.copy() for atoms in pool]
    for atoms in bare:
        atoms.info = {"config_type": atoms.info.get("config_type", "")}
        del atoms.arrays["REF_forces"]
    found = [suggest(fitted.potential_, OF, frames, 2) for frames in (pool, bare)]
    assert found[0].chosen == found[1].chosen
    assert set(fitted_kinds(fitted.potential_)) <= {"energy", "forces", "stress"}


def test_a_property_rests_on_groups(fitted):
    state = fitted.training_
    found = support(state, OF)
    u = whitened_gradient(fitted.potential_, OF)
    np.testing.assert_allclose(found.std, np.linalg.norm(u, axis=0), rtol=1e-8)
    assert set(found.without) == {g.config_type for g in state.statistic.factors}
    assert all((factor >= 1.0).all() for factor in found.factors().values())
    assert max(f.max() for f in found.factors().values()) > 1.01


def test_bad_input_is_named(fitted, pool):
    for candidates, n in (([], 1), (pool, 0)):
        with pytest.raises(GapyError, match="candidates, n: expected at least one"):
            suggest(fitted.potential_, OF, candidates, n)
    with pytest.raises(SpeciesError):
        suggest(fitted.potential_, OF, [bulk("Au")], 1)


def test_the_spread_is_widened_until_left_out_errors_fit():
    from gapy.error_bars.spread import inflation

    assert inflation({}) is None
    assert inflation({"left_out_spread": {"energy": 0.5, "forces": 0.2}}) == 1.0
    assert inflation({"left_out_spread": {"energy": 2.5, "forces": 3.5}}) == 3.5
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    gp = gapy.SparseGPRegressor(soap, n_inducing=25, optimize=True).fit(labelled_frames(40, seed=3))
    factors = gp.potential_.metadata["left_out_spread"]
    assert "forces" in factors and all(0.1 < f < 1000.0 for f in factors.values())
