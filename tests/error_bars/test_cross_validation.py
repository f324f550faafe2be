"""Leave-one-structure-out in closed form against refits."""

import numpy as np
from dense_gp import frames, regressor
from helpers import labels_in

from gapy.error_bars import cross_validation
from gapy.fit.labels import add_labels, stacked
from gapy.gp import posterior
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import JITTER, blocks
from gapy.structures import from_atoms


def test_leave_one_out_equals_refits():
    training = frames(8, seed=11)
    gp = regressor().fit(training)
    noise, terms = gp.initial_noise(), gp.training_.terms
    structures = from_atoms(training)
    everything = [labels_in(gp, s) for s in structures]
    for k in (0, 3, 7):
        s, local = structures[k], everything[k][0].local
        stack = stacked(everything[k][1], noise)
        rows, y = stack.rows, stack.y
        out = cross_validation.leave_one_out(
            gp.potential_.posterior,
            gp.potential_.posterior.whiten(rows),
            y,
            stack.sigma,
            local,
            np.full(len(s.atoms), gp.delta**2),
        )
        without = SufficientStatistic(gp.statistic_.n_columns)
        for j, other in enumerate(everything):
            if j != k:
                add_labels(without, other[1], blocks(terms), gp.training_.cholesky)
        refit = posterior.solve(terms, gp.training_.cholesky, without, noise.sigma)
        np.testing.assert_allclose(out.residual, y - rows @ refit.alpha, rtol=1e-5, atol=1e-7)
        explained, uncertain = refit.explained_and_posterior(local)
        expected = np.sqrt(np.maximum(gp.delta**2 - explained, 0) + uncertain)
        np.testing.assert_allclose(out.local_std, expected, rtol=1e-5, atol=1e-8)


def test_distance_without_own_inducing_points_equals_a_smaller_set():
    training = frames(8, seed=12)
    gp = regressor().fit(training)
    fitted, noise = gp.potential_.posterior, gp.initial_noise()
    block = next(b for b in fitted.blocks if b.slot == 0)
    s = from_atoms(training)[0]
    rows, labels = labels_in(gp, s)
    stack = stacked(labels, noise)
    out = cross_validation.leave_one_out(
        fitted,
        fitted.whiten(stack.rows),
        stack.y,
        stack.sigma,
        rows.local,
        np.full(len(s.atoms), gp.delta**2),
    )
    own = (rows.local[:, block.columns] > cross_validation.OWN).any(axis=0)
    assert own.any() and not own.all()
    x_sd = block.x_sd[~own]
    k_mm = (x_sd @ x_sd.T) ** block.zeta + JITTER * np.eye(len(x_sd))
    central = s.atoms.numbers == gp.potential_.terms[0].descriptor.species[0]
    k = rows.local[central][:, block.columns][:, ~own]
    expected = gp.delta**2 * (1.0 - np.einsum("im,mi->i", k, np.linalg.solve(k_mm, k.T)))
    np.testing.assert_allclose(out.distances[central], expected, rtol=1e-3, atol=1e-7)
