"""Inspection measures distances with the kernel of the model, all its terms together."""

import numpy as np
import pytest
from helpers import labelled_frames

from gapy import SparseGPRegressor
from gapy.descriptors import smooth_soap
from gapy.descriptors.base import by_atom
from gapy.errors import SpeciesError
from gapy.gp.kernel import dot_product
from gapy.gp.terms import normalised
from gapy.inspection import inspect
from gapy.inspection.metric import Metric

BOTH = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
SHORT = smooth_soap(["Al", "Cu"], r_cut=3.2, n_max=2, l_max=2)
COPPER = smooth_soap(["Cu"], r_cut=4.5, n_max=3, l_max=2)
FRAMES = labelled_frames(12, seed=1)


@pytest.fixture(scope="module")
def potential():
    """Three terms, one of them for copper alone, whose deltas differ."""
    gp = SparseGPRegressor([BOTH, SHORT, COPPER], n_inducing=15, optimize=True)
    return gp.fit(FRAMES).potential_


def test_the_kernel_is_that_of_the_prior(potential):
    metric = Metric.of(potential.terms)
    (a, b), expected = (FRAMES[2], FRAMES[5]), {13: 0.0, 29: 0.0}
    priors = dict.fromkeys(expected, 0.0)
    for term in potential.terms:
        for z, delta in zip(term.descriptor.species, term.delta):
            x, y = (normalised(by_atom(term.descriptor, s))[s.numbers == z] for s in (a, b))
            expected[z] = expected[z] + delta**2 * dot_product(x, y, term.zeta)
            priors[z] += delta**2
    found = {slot: x for slot, _, x in metric.by_slot(a)}
    other = {slot: x for slot, _, x in metric.by_slot(b)}
    for slot, z in enumerate(metric.species):
        k = metric.kernel(slot)
        np.testing.assert_allclose(k(found[slot], other[slot]), expected[z] / priors[z], rtol=1e-9)
        np.testing.assert_allclose(np.diag(k(found[slot], found[slot])), 1.0, rtol=1e-12)


def test_one_term_is_its_kernel():
    one = SparseGPRegressor(BOTH, n_inducing=10).fit(FRAMES).potential_
    term = one.terms[0]
    metric, quick = Metric.of([term]), Metric.of_one(term.descriptor, term.zeta)
    for (slot, index, x), (_, _, y) in zip(metric.by_slot(FRAMES[2]), quick.by_slot(FRAMES[2])):
        np.testing.assert_array_equal(x, normalised(term.descriptor.create(FRAMES[2])[index]))
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(metric.kernel(slot)(x, y), dot_product(x, y, term.zeta))


def test_the_order_of_the_terms_does_not_matter(potential):
    one, other = (Metric.of(terms) for terms in (potential.terms, potential.terms[::-1]))
    assert one.species == other.species == (13, 29)
    assert one.reach(0.1) == pytest.approx(other.reach(0.1))
    for (slot, _, x), (_, _, y) in zip(one.by_slot(FRAMES[2]), other.by_slot(FRAMES[2])):
        np.testing.assert_allclose(one.kernel(slot)(x, x), other.kernel(slot)(y, y), rtol=1e-12)


def test_twins_are_within_reach(potential):
    """The bound on means holds for pairs of environments at a known kernel distance."""
    metric = Metric.of(potential.terms)
    atoms = FRAMES[2].copy()
    moved = atoms.copy()
    moved.rattle(0.02, seed=1)
    squares, distance = 0.0, 0.0
    for (slot, _, x), (_, _, y) in zip(metric.by_slot(atoms), metric.by_slot(moved)):
        k = np.diag(metric.kernel(slot)(x, y))
        distance = max(distance, np.sqrt(max(2.0 - 2.0 * k.min(), 0.0)))
        squares += ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    assert 0.0 < squares <= metric.reach(distance)


def test_a_report_on_a_model_of_several_terms(potential):
    repeat = FRAMES[2].copy()
    repeat.rattle(0.001, seed=3)
    for name in ("REF_energy", "REF_stress"):
        repeat.info[name] = FRAMES[2].info[name]
    report = inspect(
        [*FRAMES, repeat], potential=potential, candidates=labelled_frames(4, seed=9),
        n_candidates=2,
    )  # fmt: skip
    assert [(t.first, t.repeat) for t in report.twins] == [(2, 12)]
    assert {m.symbol for m in report.maps} == {"Al", "Cu"}
    assert np.isfinite(report.novelty).all() and np.isfinite(report.force_error).all()
    labels = [s for s in report.suggestions if "candidate" in s.what]
    assert len(labels) == 2
    left_out = inspect(FRAMES, potential=potential)
    assert np.isfinite(left_out.leverage).all() and "left out" in left_out.fit


def test_species_that_no_term_knows(potential):
    gold = FRAMES[2].copy()
    gold.symbols[0] = "Au"
    with pytest.raises(SpeciesError, match="candidate 0"):
        inspect(FRAMES, potential=potential, candidates=[gold])


def test_a_term_without_points_for_a_species_does_not_count():
    pure = [a for a in FRAMES if set(a.numbers) == {29}]
    potential = SparseGPRegressor([BOTH, COPPER], n_inducing=10).fit(pure).potential_
    metric = Metric.of(potential.terms)
    np.testing.assert_allclose(metric.weights, [[1.0, 0.0], [0.5, 0.5]])
