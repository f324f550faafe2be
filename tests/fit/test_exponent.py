"""The exponent of the kernel chosen by left-out errors of a part of the training structures."""

import numpy as np
import pytest
from dense_gp import frames, regressor
from helpers import labels_in

from gapy.error_bars.cross_validation import left_out_residual
from gapy.fit import exponent
from gapy.fit.exponent import CLEARLY, FEWEST, choose_exponent, chosen, sample_of
from gapy.fit.labels import stacked
from gapy.gp.rows import structure_rows
from gapy.gp.terms import Term
from gapy.structures import from_atoms

UNUSED = 9
"""Exponent of a regressor whose own is not to be looked at."""


def labelled_by(zeta, n, seed):
    """Structures with energies and forces of a model of this exponent, known only to the test."""
    teacher = regressor(zeta=zeta, n_inducing=60).fit(frames(60, seed=1)).potential_
    out = frames(n, seed=seed, keep=("energy", "forces"))
    for atoms in out:
        found = teacher.evaluate(atoms)
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = found.energy, found.forces
    return from_atoms(out)


@pytest.mark.parametrize("zeta", [2, 3, 4])
def test_the_exponent_that_made_the_labels_is_found(zeta):
    """Six features: the kernel of exponent 2 spans 21 dimensions, of 3 and 4 it takes 56, 126."""
    structures = labelled_by(zeta, 150, seed=3)
    asked = regressor(zeta=UNUSED, n_inducing=150, optimize=True)
    choice = choose_exponent(asked, structures)
    assert choice.zeta == zeta and asked.zeta == UNUSED
    assert choice.n_structures == len(sample_of(structures, 0)) >= FEWEST
    assert set(choice.errors) == {2, 3, 4} and set(choice.errors[2]) == {"energy", "forces"}
    assert choice.gain[2] == 0.0 and (choice.gain[zeta] > 0.5) == (zeta > 2)
    again = choose_exponent(asked, structures[::-1])
    assert again.zeta == zeta and again.gain == pytest.approx(choice.gain, abs=1e-6)
    assert choose_exponent(asked.set_params(seed=1), structures).gain != choice.gain


def test_errors_are_those_of_left_out_structures(monkeypatch):
    """With noise that is given, those of a fit of each exponent to the sample, one by one."""
    structures = from_atoms(frames(100, seed=3))
    asked = regressor(zeta=UNUSED, n_inducing=10)
    choice = choose_exponent(asked, structures)
    sample = sample_of(structures, 0)
    start = regressor(zeta=4, n_inducing=10).begin(sample)
    for zeta in (2, 3):
        gp = regressor(zeta=zeta, n_inducing=10)
        monkeypatch.setattr(
            "gapy.fit.regressor.choose_inducing", lambda *a, **k: start.terms[0].inducing
        )
        gp.fit(sample)
        errors = []
        for s in sample:
            stack = stacked(labels_in(gp, s)[1], gp.potential_.noise)
            fitted = gp.potential_.posterior
            l_mn = fitted.whiten(stack.rows)
            residual = left_out_residual(fitted, l_mn, stack.y, stack.sigma)
            errors.append(np.sqrt((stack.of("forces", residual) ** 2).mean()))
        monkeypatch.undo()
        assert choice.errors[zeta]["forces"] == pytest.approx(np.mean(errors), rel=1e-6)


def test_too_few_structures_leave_the_prior(monkeypatch):
    structures = from_atoms(frames(20, seed=3))
    monkeypatch.setattr(exponent, "_squares", None)  # nothing is fitted
    choice = choose_exponent(regressor(zeta=UNUSED), structures)
    assert choice.zeta == 2 and not choice.errors and 0 < choice.n_structures < FEWEST


def test_the_sample_is_bounded(monkeypatch):
    structures = from_atoms(frames(50, seed=3))
    monkeypatch.setattr(exponent, "SHARE", 1.0)
    assert len(sample_of(structures, 0)) == 50
    monkeypatch.setattr(exponent, "STRUCTURES", 7)
    one, other = sample_of(structures, 0), sample_of(structures, 1)
    assert len(one) == len(other) == 7 and {id(s) for s in one} != {id(s) for s in other}
    monkeypatch.setattr(exponent, "MOST_LABELS", 10)  # fewer than those of any of them
    assert not sample_of(structures, 0)


def squares(factors, scatter=0.0, n=30):
    """Mean squared errors with these ratios of the errors of each exponent to one another."""
    rng = np.random.default_rng(0)
    common = rng.lognormal(size=(2, n))
    out = {}
    for zeta, factor in factors.items():
        own = np.exp(scatter * rng.normal(size=(2, n)))
        out[zeta] = dict(zip(("energy", "forces"), (factor * common * own) ** 2))
    return out


@pytest.mark.parametrize(
    ("factors", "zeta"),
    [
        ({2: 1.0, 3: 0.98, 4: 0.98}, 2),  # not clearly better
        ({2: 1.0, 3: 0.90, 4: 0.89}, 3),  # the cheaper of two that are
        ({2: 1.0, 3: 0.96, 4: 0.80}, 4),
        ({2: 1.0, 3: 1.20, 4: 1.20}, 2),
    ],
)
def test_another_must_be_clearly_better(factors, zeta):
    choice = chosen(squares(factors), 30, 100)
    assert choice.zeta == zeta
    assert choice.gain[4] == pytest.approx(1.0 - factors[4], abs=1e-9)
    assert choice.sigma[4] == pytest.approx(0.0, abs=1e-9)


def test_a_gain_within_its_scatter_is_none():
    choice = chosen(squares({2: 1.0, 3: 0.9, 4: 0.9}, scatter=1.0), 30, 100)
    assert max(choice.gain[3], choice.gain[4]) > CLEARLY and choice.zeta == 2
    # The scatter of a mean of logarithms over 2 x 30 numbers, roughly.
    assert 0.03 < choice.sigma[3] < 0.5


def test_a_kind_without_labels_has_no_say():
    found = squares({2: 1.0, 3: 0.5, 4: 0.9})
    for of in found.values():
        of["energy"][3:9] = np.nan
    assert chosen(found, 30, 100).zeta == 3
    structures = from_atoms(frames(100, seed=3, keep=("forces",)))
    choice = choose_exponent(regressor(zeta=UNUSED, n_inducing=10), structures)
    assert set(choice.errors[2]) == {"forces"}


def test_rows_of_terms_that_share_a_descriptor(monkeypatch):
    """Derivatives computed once for all of them give the rows of each alone."""
    gp = regressor(n_inducing=12).fit(frames(8, seed=11))
    (term,) = gp.training_.terms
    fewer = tuple(x[: 5 + k] for k, x in enumerate(term.inducing))
    terms = [term, Term(term.descriptor, 3, term.inducing, term.delta),
             Term(term.descriptor, 4, fewer, term.delta)]  # fmt: skip
    atoms = frames(1, seed=5, n_atoms=6)[0]
    together = structure_rows(terms, atoms, local=True, stress=True)
    alone = [structure_rows([t], atoms, local=True, stress=True) for t in terms]
    for name in ("energy", "local", "forces", "stress"):
        expected = np.concatenate([getattr(rows, name) for rows in alone], axis=-1)
        found = getattr(together, name)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
