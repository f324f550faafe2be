"""More structures for a regressor that is fitted."""

import numpy as np
import pytest
from dense_gp import frames, regressor
from helpers import labels_in

from gapy.errors import SpeciesError
from gapy.fit.labels import add_labels
from gapy.gp import posterior
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks
from gapy.structures import from_atoms


def test_partial_fit_equals_a_fit_of_everything_with_the_same_inducing_points():
    one, two, three = frames(5, seed=14), frames(4, seed=15), frames(1, seed=16)
    gp = regressor(e0={"Si": -1.0, "C": 0.5}).fit(one)
    terms = gp.training_.terms
    before = gp.potential_.posterior.alpha.copy()
    gp.partial_fit(two).partial_fit(three)
    assert gp.training_.terms is terms
    assert gp.n_structures_ == 10
    statistic = SufficientStatistic(gp.statistic_.n_columns)
    for s in from_atoms([*three, *two, *one]):
        add_labels(statistic, labels_in(gp, s)[1], blocks(terms), gp.training_.cholesky)
    expected = posterior.solve(terms, gp.training_.cholesky, statistic, gp.initial_noise().sigma)
    got = gp.potential_.posterior
    assert np.abs(got.alpha - before).max() > 1e-3 * np.abs(before).max()
    rows = structure_rows(terms, three[0], local=True, stress=True)
    for kind in ("energy", "forces", "stress", "local"):
        np.testing.assert_allclose(
            getattr(rows, kind) @ got.alpha, getattr(rows, kind) @ expected.alpha, atol=1e-7
        )
    assert got.log_marginal_likelihood == pytest.approx(expected.log_marginal_likelihood)


def test_partial_fit_of_nothing_fitted_is_a_fit():
    training = frames(4)
    one, two = regressor().partial_fit(training), regressor().fit(training)
    np.testing.assert_array_equal(one.potential_.posterior.alpha, two.potential_.posterior.alpha)


def test_partial_fit_leaves_earlier_potentials_alone():
    gp = regressor().fit(frames(4))
    old, atoms = gp.potential_, frames(1, seed=3)[0]
    energy = old.evaluate(atoms).energy
    gp.partial_fit(frames(4, seed=1))
    assert old.evaluate(atoms).energy == energy
    assert gp.potential_.evaluate(atoms).energy != energy


def test_a_species_without_inducing_points_is_refused():
    """Without them its energy would be zero and its sigma too: certainty out of nothing."""
    only_si = frames(4, symbols=("Si",))
    for e0 in ("zero", {"Si": 0.0, "C": 0.0}):
        gp = regressor(e0=e0).fit(only_si)
        assert gp.potential_.species == (14,)
        mixed = frames(1, seed=2)[0]
        with pytest.raises(SpeciesError, match=r"fitted for \['Si'\], the structure also .*'C'"):
            gp.potential_.evaluate(mixed)
        with pytest.raises(SpeciesError, match="fit with structures that contain them"):
            gp.partial_fit([mixed])
