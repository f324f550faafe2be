"""Incremental updates against fits from scratch, dense formulas and differences."""

import numpy as np
import pytest
import scipy.linalg
from helpers import along_atom, labels_in, morse_labels
from update_helpers import (
    HELD_OUT,
    NEW,
    OLD,
    THRESHOLD,
    copied,
    predictions,
    regressor,
    settings,
    statistic_of,
    with_statistic,
)

from gapy.error_bars import cross_validation
from gapy.errors import GapyError
from gapy.fit.labels import stacked
from gapy.fit.update import rebuild, update
from gapy.gp import column_estimation, online_selection
from gapy.gp.rows import structure_rows
from gapy.gp.terms import blocks, cholesky_factors, normalised
from gapy.gp.whitening import extended
from gapy.structures import from_atoms


def test_exact_update_equals_a_fit_from_scratch_with_the_same_points(fitted):
    gp = copied(fitted)
    report = update(gp, NEW, settings=settings(columns="exact"), old=OLD)
    assert sum(report.added.values()) > 3
    expected = with_statistic(gp, statistic_of(gp, [*NEW, *OLD]))
    for got, wanted in zip(predictions(gp), predictions(expected)):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)
    assert gp.log_marginal_likelihood() == pytest.approx(
        expected.log_marginal_likelihood(), rel=1e-8
    )
    assert gp.n_structures_ == 16 and gp.training_.n_updates == 1


def test_points_are_those_that_the_present_ones_leave_unexplained(fitted):
    found = online_selection.choose(
        fitted.training_.terms, fitted.training_.cholesky, NEW, threshold=THRESHOLD, max_points=1000
    )
    before = cholesky_factors(fitted.training_.terms)
    terms = found.extend(fitted.training_.terms)
    after = cholesky_factors(terms)
    seen = []
    for atoms in NEW:
        env = terms[0].descriptor.environments(atoms)
        for slot in range(2):
            x_id = normalised(
                terms[0].descriptor.values(env, env.start_s[slot], env.start_s[slot + 1])
            )
            for model, factors in ((fitted.training_.terms, before), (terms, after)):
                x_sd = model[0].inducing[slot]
                k = (x_sd @ x_id.T) ** 4
                dense = 1.0 - np.einsum(
                    "sn,sn->n", k, scipy.linalg.cho_solve((factors[slot], True), k)
                )
                seen.append((model is terms, dense.max(initial=0.0)))
    assert max(d for is_new, d in seen if is_new) <= THRESHOLD * (1 + 1e-6)
    assert max(d for is_new, d in seen if not is_new) == pytest.approx(found.unexplained, rel=1e-6)
    fewer = online_selection.choose(
        fitted.training_.terms, fitted.training_.cholesky, NEW, threshold=THRESHOLD, max_points=3
    )
    assert fewer.n_points == 3
    for few, many in zip(fewer.points[0], found.points[0]):
        np.testing.assert_array_equal(few, many[: len(few)])


def test_near_duplicates_add_no_points(fitted):
    gp = copied(fitted)
    assert update(gp, NEW[:1], settings=settings()).added
    near = NEW[0].copy()
    near.positions[0] += 1e-3
    report = update(gp, [morse_labels(near)], settings=settings())
    assert report.added == {} and report.unexplained < THRESHOLD
    # Two copies of a new structure add what one adds.
    once = online_selection.choose(
        fitted.training_.terms,
        fitted.training_.cholesky,
        NEW[1:2],
        threshold=THRESHOLD,
        max_points=50,
    )
    twice = online_selection.choose(
        fitted.training_.terms,
        fitted.training_.cholesky,
        [NEW[1], NEW[1]],
        threshold=THRESHOLD,
        max_points=50,
    )
    assert once.n_points == twice.n_points > 0


def test_projected_columns_are_exact_for_points_in_the_span():
    # zeta = 2 of six features spans 21 dimensions: more points than that are combinations.
    gp = regressor(zeta=2, n_inducing=21).fit([*OLD, *NEW])
    points = regressor(zeta=2, n_inducing=2).fit(NEW).training_.terms[0].inducing
    extra = online_selection.NewPoints((points,), 0.0)
    assert not online_selection.choose(
        gp.training_.terms, gp.training_.cholesky, NEW, threshold=1e-8, max_points=50
    ).n_points  # so they are in the span
    terms = extra.extend(gp.training_.terms)
    got = online_selection.projected(gp.statistic_, gp.training_.terms, extra)
    larger = extended(gp.training_.terms, gp.training_.cholesky, terms)
    exact = statistic_of(gp, [*OLD, *NEW], terms, larger)
    # Points in the span have jitter for an innovation, so rows K are compared, not K L^-T.
    back = scipy.linalg.block_diag(*larger, 1.0).T
    for key, factor in exact.factors.items():
        a, b = (f.matrix() @ back for f in (factor, got.factors[key]))
        scale = np.abs(a.T @ a).max()
        np.testing.assert_allclose(b.T @ b, a.T @ a, atol=1e-6 * scale)


def test_projection_changes_no_prediction_and_neglects_no_more_than_its_bound(fitted):
    extra = online_selection.choose(
        fitted.training_.terms, fitted.training_.cholesky, NEW, threshold=THRESHOLD, max_points=8
    )
    statistic = online_selection.projected(fitted.statistic_, fitted.training_.terms, extra)
    terms = extra.extend(fitted.training_.terms)
    larger = extended(fitted.training_.terms, fitted.training_.cholesky, terms)
    grown = with_statistic(fitted, statistic, terms, larger)
    for got, wanted in zip(predictions(grown), predictions(fitted)):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    old, new = online_selection.column_map(fitted.training_.terms, extra)
    table = {
        b.slot: (b, c) for b, c in zip(blocks(fitted.training_.terms), fitted.training_.cholesky)
    }
    for atoms in OLD:
        rows = structure_rows(terms, atoms, local=True, forces=False).local
        descriptor = terms[0].descriptor
        start = 0
        for slot, points in enumerate(extra.points[0]):
            b, lower = table[slot]
            own = np.flatnonzero(atoms.numbers == descriptor.species[slot])
            env = descriptor.environments(atoms)
            x_id = normalised(descriptor.values(env, env.start_s[slot], env.start_s[slot + 1]))
            d_old = online_selection.unexplained(b.x_sd, lower, 4, x_id)[0]
            d_new = online_selection.unexplained(b.x_sd, lower, 4, points)[0]
            bound = np.sqrt(np.outer(d_old, d_new)) + 1e-6
            columns = slice(start, start + len(points))
            spanned = rows[:, old[b.columns]] @ scipy.linalg.cho_solve(
                (lower, True), (b.x_sd @ points.T) ** 4
            )
            left = rows[own][:, new[columns]] - spanned[own]
            assert (np.abs(left) <= bound).all()
            start += len(points)


def test_estimated_columns_are_far_closer_to_exact_ones_than_projected():
    # Vibrations about a few structures: what MD gives, and what a sample can stand for.
    rng = np.random.default_rng(7)
    many = [OLD[k % 4].copy() for k in range(48)]
    for atoms in many:
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        morse_labels(atoms)
    gp = regressor(n_inducing=10).fit(many)
    extra = online_selection.choose(
        gp.training_.terms, gp.training_.cholesky, NEW, threshold=THRESHOLD, max_points=15
    )
    terms = extra.extend(gp.training_.terms)
    larger = extended(gp.training_.terms, gp.training_.cholesky, terms)
    new_rows = statistic_of(gp, NEW, terms, larger)

    def forces(statistic):
        statistic = statistic.copy()
        statistic.merge(new_rows)
        return predictions(with_statistic(gp, statistic, terms, larger), many[:12])[0]

    exact = forces(statistic_of(gp, many, terms, larger))
    arguments = (gp.statistic_, gp.training_.terms, extra, gp.potential_.posterior)
    sigma_of = gp.initial_noise().sigma
    errors = {}
    for n in (48, 16):
        sample = statistic_of(gp, many[:n], terms, larger)
        part = column_estimation.estimated(*arguments, sample, sigma_of)
        errors[n] = np.sqrt(((forces(part) - exact) ** 2).mean())
    projected = online_selection.projected(gp.statistic_, gp.training_.terms, extra)
    errors["projected"] = np.sqrt(((forces(projected) - exact) ** 2).mean())
    assert errors[48] < 0.1 * errors["projected"], errors
    assert errors[16] < 0.4 * errors["projected"], errors


def test_sampled_update_is_exact_while_the_sample_holds_everything(fitted):
    one, two = copied(fitted), copied(fitted)
    update(one, NEW, settings=settings(sample_rows=1e6))
    update(two, NEW, settings=settings(columns="exact"), old=OLD)
    for got, wanted in zip(predictions(one), predictions(two)):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)


def test_rebuild_makes_projected_columns_exact(fitted):
    one, two = copied(fitted), copied(fitted)
    update(one, NEW, settings=settings(columns="projected"))
    update(two, NEW, settings=settings(columns="exact"), old=OLD)
    assert np.abs(predictions(one)[0] - predictions(two)[0]).max() > 1e-4
    rebuild(one, [*OLD, *NEW])
    for got, wanted in zip(predictions(one), predictions(two)):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)
    with pytest.raises(GapyError, match=r"old: expected the 16 structures .* got 15 others"):
        rebuild(one, [*OLD, *NEW][1:])


@pytest.mark.parametrize("columns", ["sampled", "projected"])
def test_variance_at_new_structures_falls(fitted, columns):
    gp = copied(fitted)
    before = predictions(gp, NEW)[1]
    update(gp, NEW, settings=settings(columns=columns))
    after = predictions(gp, NEW)[1]
    assert (after < before + 1e-6).all() and after.mean() < 0.7 * before.mean()


def test_forces_of_the_updated_potential_are_derivatives_of_its_energy(fitted):
    gp = copied(fitted)
    update(gp, NEW, settings=settings(prune=0.05))
    potential, atoms = gp.potential_, HELD_OUT[0]
    forces = potential.evaluate(atoms).forces
    for j, c in ((0, 0), (2, 1), (4, 2)):
        slope = along_atom(lambda a: potential.evaluate(a).energy, atoms, j, c)
        assert forces[j, c] == pytest.approx(-slope, abs=1e-6)


def test_bounded_leave_one_out_is_the_exact_one_where_the_rows_are_known(fitted):
    s = from_atoms(OLD)[0]
    rows, labels = labels_in(fitted, s)
    stack = stacked(labels, fitted.initial_noise())
    posterior_ = fitted.potential_.posterior
    k, y, sigma = posterior_.whiten(stack.rows), stack.y, stack.sigma
    arguments = (posterior_, k, y, sigma, rows.local, np.ones(len(s.atoms)))
    share = cross_validation.data_share(posterior_)
    free = cross_validation.leave_one_out(*arguments)
    bounded = cross_validation.leave_one_out(*arguments, data_shares=(share, share))
    np.testing.assert_allclose(bounded.residual, free.residual, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(bounded.local_std, free.local_std, rtol=1e-4)
    # Rows that the posterior does not hold: no label is worth more than the prior allows.
    strange = cross_validation.leave_one_out(
        posterior_, 1e3 * k, y, sigma, rows.local, np.ones(len(s.atoms)), data_shares=(share, share)
    )
    assert np.isfinite(strange.residual).all() and (strange.local_std <= 1.0 + 1e-6).all()
