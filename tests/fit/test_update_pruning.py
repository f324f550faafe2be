"""Inducing points that can go."""

from dataclasses import replace

import numpy as np
import pytest
from update_helpers import (
    NEW,
    OLD,
    copied,
    predictions,
    regressor,
    settings,
    statistic_of,
    with_statistic,
)

from gapy.fit.update import update
from gapy.gp import pruning
from gapy.gp.terms import blocks, cholesky_factors


def squares(gp, statistic):
    """Regularised sum of squares of the fit, solved densely: |w|^2 + sum |y - W w|^2 / s^2.

    The delta of the regressor is 1 eV.
    """
    rows, y = [], []
    for group, factor in statistic.factors.items():
        sigma = gp.initial_noise().sigma(*group)
        matrix = factor.matrix()
        rows.append(matrix[:, :-1] / sigma)
        y.append(matrix[:, -1] / sigma)
    rows = np.concatenate([*rows, np.eye(rows[0].shape[1])])
    y = np.concatenate([*y, np.zeros(rows.shape[1])])
    return ((rows @ np.linalg.lstsq(rows, y, rcond=None)[0] - y) ** 2).sum()


def test_the_change_by_pruning_is_that_of_a_fit_without_the_points():
    gp = regressor(n_inducing=30).fit(OLD)
    n_labels = gp.statistic_.n_labels
    columns, change = pruning.removable(
        gp.potential_.posterior, n_labels, change=0.1, unexplained=1e-3
    )
    assert 3 < len(columns) < 40 and 0.0 < change <= 0.1
    (term,) = gp.training_.terms
    keep = [np.delete(x, columns[(columns >= b.start) & (columns < b.stop)] - b.start, axis=0)
            for b, x in zip(blocks([term]), term.inducing)]  # fmt: skip
    terms = (replace(term, inducing=tuple(keep)),)
    smaller, factors = pruning.without(
        gp.statistic_, blocks(gp.training_.terms), gp.training_.cholesky, columns
    )
    for lower, expected in zip(factors, cholesky_factors(terms)):
        np.testing.assert_allclose(lower @ lower.T, expected @ expected.T, atol=1e-14)
    rise = squares(gp, smaller) - squares(gp, gp.statistic_)
    assert change == pytest.approx(np.sqrt(rise / n_labels), rel=1e-3)
    # Dropping columns is exact: the statistic is that of the rows against the points left.
    exact = statistic_of(gp, OLD, terms, factors)
    for key, factor in exact.factors.items():
        a, b = factor.matrix(), smaller.factors[key].matrix()
        np.testing.assert_allclose(b.T @ b, a.T @ a, rtol=1e-8, atol=1e-8 * np.abs(a.T @ a).max())
    moved = (
        predictions(with_statistic(gp, smaller, terms, factors), OLD)[0] - predictions(gp, OLD)[0]
    )
    assert np.sqrt((moved**2).mean()) < 2 * change * gp.sigma_forces


def test_pruning_drops_only_what_the_others_explain():
    gp = regressor(n_inducing=30).fit(OLD)
    posterior_ = gp.potential_.posterior
    columns, _ = pruning.removable(posterior_, 100, change=1e9, unexplained=1e-4)
    dropped = set(columns.tolist())
    assert 0 < len(dropped) < 60
    for b in posterior_.blocks:
        left = [k for k in range(len(b.x_sd)) if b.start + k not in dropped]
        k = (b.x_sd[left] @ b.x_sd[left].T) ** 4
        inverse = np.linalg.inv(k + 1e-10 * np.eye(len(left)))
        assert (1.0 / np.diag(inverse) >= 1e-4 * (1 - 1e-3)).all()  # no more could go
    assert not len(pruning.removable(posterior_, 100, change=0.0, unexplained=1e-4)[0])


def test_an_update_prunes_and_says_so():
    gp = regressor(n_inducing=40).fit(OLD)
    plain, pruned = copied(gp), copied(gp)
    update(plain, NEW, settings=settings(threshold=1e-4))
    report = update(pruned, NEW, settings=settings(threshold=1e-4, prune=0.05))
    n = sum(len(x) for x in pruned.training_.terms[0].inducing)
    assert report.n_inducing == n == pruned.statistic_.n_columns
    assert sum(report.pruned.values()) > 0 and 0.0 < report.prune_change <= 0.05
    moved = predictions(pruned)[0] - predictions(plain)[0]
    assert np.sqrt((moved**2).mean()) < 0.1 * pruned.sigma_forces
