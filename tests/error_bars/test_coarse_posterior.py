"""The posterior of the leading inducing points, and leaving out with it."""

from dataclasses import replace

import numpy as np
import pytest
from extrapolation_helpers import dimer
from helpers import labelled_frames, labels_in

from gapy.error_bars import cross_validation
from gapy.fit import out_of_sample as leaving_out
from gapy.fit.labels import add_labels, stacked, whitened_labels
from gapy.fit.sample import Sampled
from gapy.geometry.pairs import pairs_within
from gapy.gp import posterior
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks, cholesky_factors, local_prior
from gapy.structures import from_atoms


def leading(gp, columns, coarse):
    """Terms of only the leading points."""
    counts = [b.stop - b.start for b in coarse.blocks]
    (term,) = gp.potential_.terms
    terms = (replace(term, inducing=tuple(x[:n] for x, n in zip(term.inducing, counts))),)
    assert blocks(terms)[-1].stop == len(columns)
    return terms


def statistic_of(gp, structures, terms, columns):
    out, factors = SufficientStatistic(len(columns)), cholesky_factors(terms)
    for s in structures:
        labels = (replace(one, rows=one.rows[:, columns]) for one in labels_in(gp, s)[1])
        add_labels(out, labels, blocks(terms), factors)
    return out


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_coarse_posterior_equals_a_fit_with_the_leading_points(two_metals, unmixed, share):
    gp = two_metals
    coarse = gp.potential_.posterior.coarse(share, least=1)
    columns = coarse.columns
    terms = leading(gp, columns, coarse)
    sizes = [b.stop - b.start for b in gp.potential_.posterior.blocks]
    assert len(columns) == sum(int(np.ceil(share * n)) for n in sizes) and len(sizes) == 2
    noise = gp.potential_.noise
    fitted = posterior.solve(
        terms,
        cholesky_factors(terms),
        statistic_of(gp, from_atoms(unmixed), terms, columns),
        noise.sigma,
    )
    for atoms in (*labelled_frames(3, seed=9), dimer("AlCu", 2.0)):
        rows = local_rows(gp, atoms)[:, columns]
        for got, expected in zip(
            coarse.explained_and_posterior(rows), fitted.explained_and_posterior(rows)
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)


def local_rows(gp, atoms):
    return structure_rows(gp.potential_.terms, atoms, local=True, forces=False).local


def test_few_points_are_all_kept(two_metals):
    potential = two_metals.potential_
    np.testing.assert_array_equal(
        potential.coarse.columns, np.arange(potential.posterior.blocks[-1].stop)
    )


@pytest.mark.parametrize("left_out", [0, 3])
def test_leaving_out_with_the_coarse_posterior_equals_a_refit(two_metals, unmixed, left_out):
    """Residuals are those of the full model, local sigmas those of the coarse one."""
    gp = two_metals
    structures = from_atoms(unmixed)
    coarse = gp.potential_.posterior.coarse(0.5, least=1)
    noise = gp.potential_.noise
    s = structures[left_out]
    rows, labels = labels_in(gp, s)
    stack = stacked(labels, noise)
    k, y = stack.rows, stack.y
    out = cross_validation.leave_one_out(
        gp.potential_.posterior,
        gp.potential_.posterior.whiten(k),
        y,
        stack.sigma,
        rows.local,
        local_prior(gp.potential_.terms, s.atoms.numbers),
        coarse,
    )
    others = [o for o in structures if o is not s]
    everything = np.arange(gp.statistic_.n_columns)
    refit = posterior.solve(
        gp.potential_.terms,
        gp.training_.cholesky,
        statistic_of(gp, others, gp.potential_.terms, everything),
        noise.sigma,
    )
    np.testing.assert_allclose(out.residual, y - k @ refit.alpha, rtol=1e-5, atol=1e-8)
    terms = leading(gp, coarse.columns, coarse)
    fewer = posterior.solve(
        terms,
        cholesky_factors(terms),
        statistic_of(gp, others, terms, coarse.columns),
        noise.sigma,
    )
    explained, uncertain = fewer.explained_and_posterior(rows.local[:, coarse.columns])
    variance = np.maximum(local_prior(terms, s.atoms.numbers) - explained, 0.0) + uncertain
    np.testing.assert_allclose(out.local_std, np.sqrt(variance), rtol=1e-5, atol=1e-8)


def test_few_points_need_no_second_posterior(two_metals, unmixed, monkeypatch):
    """Where the leading points are all of them, calibration does with one factor a structure."""
    gp = two_metals
    most = max(len(x) for term in gp.training_.terms for x in term.inducing)
    sampled = []
    for s in gp.training_.calibration_sample[:3]:
        rows, labels = labels_in(gp, s)
        labels = whitened_labels(labels, blocks(gp.training_.terms), gp.training_.cholesky)
        sampled.append(Sampled(s, rows.local, labels, pairs_within(s.atoms, 4.0)))
    arguments = (gp.potential_.posterior, gp.potential_.noise, sampled, gp.training_.terms)
    factors = []
    remainder = cross_validation._remainder
    monkeypatch.setattr(
        cross_validation, "_remainder", lambda *a: factors.append(1) or remainder(*a)
    )  # fmt: skip
    monkeypatch.setattr(leaving_out, "coarse_points", lambda zetas: (0.0, most))
    one = [out for _, _, out in leaving_out.out_of_sample(*arguments)]
    assert len(factors) == 3
    monkeypatch.setattr(leaving_out, "_fewer", lambda p, share, least: p.coarse(1.0))
    two = [out for _, _, out in leaving_out.out_of_sample(*arguments)]
    assert len(factors) == 3 + 6
    for a, b in zip(one, two):
        for name in ("residual", "local_std", "distances"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-5, atol=1e-9)


def test_fewer_points_never_come_closer(two_metals):
    """The distance from the leading points is at least that from all; labels may say otherwise."""
    full = two_metals.potential_.posterior
    rows = np.concatenate([local_rows(two_metals, a) for a in labelled_frames(6, seed=9)])
    distances = []
    for share in (1.0, 0.7, 0.4):
        coarse = full.coarse(share, least=1)
        explained, _ = coarse.explained_and_posterior(rows[:, coarse.columns])
        distances.append(1.0 - explained)
    assert (np.diff(distances, axis=0) > -1e-9).all()
    assert np.median(distances[2]) > 2.0 * np.median(distances[0])
