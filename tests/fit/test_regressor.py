"""The regressor as an estimator: parameters, pickles, terms, refusals."""

import copy
import pickle

import numpy as np
import pytest
from dense_gp import frames, regressor, tiny_soap
from dscribe.descriptors import SOAP
from helpers import BARE
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from gapy.descriptors import CompiledSOAP, smooth_soap
from gapy.errors import GapyError, SpeciesError
from gapy.gp.terms import Term, cholesky_factors


def test_parameters_clone_and_set():
    gp = regressor(noise_overrides={"default": {"forces": 0.2}})
    copied = clone(gp)
    assert copied.get_params().keys() == gp.get_params().keys()
    assert copied.zeta == 2 and copied.noise_overrides == {"default": {"forces": 0.2}}
    copied.set_params(zeta=3, sigma_forces=0.5)
    assert copied.get_params()["zeta"] == 3 and gp.zeta == 2
    with pytest.raises(ValueError, match="Invalid parameter 'zetta'"):
        copied.set_params(zetta=3)
    assert "n_inducing=40" in repr(gp)
    with pytest.raises(NotFittedError):
        gp.predict(frames(1))
    with pytest.raises(NotFittedError):
        gp.log_marginal_likelihood()
    fitted = clone(copied).fit(frames(4))
    assert not hasattr(clone(fitted), "potential_")
    assert fitted.fit(frames(4)) is fitted


def test_pickle_and_deepcopy_of_everything():
    training, atoms = frames(4), frames(1, seed=60)[0]
    gp = regressor().fit(training)
    gp.potential_.evaluate(atoms)
    calculator = gp.potential_.calculator(uncertainty=True)
    atoms.calc = calculator
    expected = atoms.get_forces()
    for duplicate in (lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy):
        same = duplicate(gp.potential_).evaluate(atoms)
        np.testing.assert_array_equal(same.forces, gp.potential_.evaluate(atoms).forces)
        again = duplicate(gp)
        np.testing.assert_array_equal(again.predict(atoms).forces[0], expected)
        more = frames(2, seed=61)
        np.testing.assert_allclose(
            again.partial_fit(more).predict(atoms).energy,
            duplicate(gp).partial_fit(more).predict(atoms).energy,
        )
        atoms.calc = duplicate(calculator)
        atoms.positions += 0.0
        np.testing.assert_array_equal(atoms.get_forces(), expected)
        moved = atoms.copy()
        moved.positions[0] += 0.1
        atoms.calc.calculate(moved, ["forces"])
        np.testing.assert_allclose(
            atoms.calc.results["forces"], gp.potential_.evaluate(moved).forces, atol=1e-12
        )


def test_fit_does_not_change_its_input():
    training = frames(3, seed=62)
    before = copy.deepcopy(training)
    regressor().fit(training)
    for a, b in zip(training, before):
        assert a == b and a.info.keys() == b.info.keys()


def test_two_terms_add_up():
    """Two descriptors equal one GP with the sum of both kernels."""
    short = smooth_soap(["Si", "C"], r_cut=3.0, n_max=2, l_max=1)
    training = frames(6, seed=70)
    both = regressor([tiny_soap(), short]).fit(training)
    assert len(both.potential_.terms) == 2
    atoms = frames(1, seed=71)[0]
    mean, std = both.potential_.predict(atoms)
    out = both.potential_.evaluate(atoms, local_std=True)
    np.testing.assert_allclose(out.forces, mean.forces, atol=1e-8)
    np.testing.assert_allclose(out.energies, mean.energies, atol=1e-9)
    np.testing.assert_allclose(out.energies_std, std.energies, atol=1e-6)
    assert (std.energies <= np.sqrt(2) * both.delta).all()


def test_one_descriptor_object_in_two_terms():
    compiled = CompiledSOAP(tiny_soap())
    gp = regressor([compiled, compiled]).fit(frames(5, seed=72))
    atoms = frames(1, seed=73)[0]
    mean, _ = gp.potential_.predict(atoms)
    for threads in (1, 2):
        out = gp.potential_.evaluate(atoms, threads=threads)
        np.testing.assert_allclose(out.forces, mean.forces, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zeta": 2.5}, "zeta: expected an integer of at least 1, got 2.5"),
        ({"zeta": 0}, "zeta: expected an integer of at least 1, got 0"),
        ({"zeta": "4"}, "zeta: expected an integer of at least 1, got '4'"),
        ({"zeta": float("nan")}, "zeta: expected an integer of at least 1, got nan"),
        ({"delta": -1.0}, "delta: expected a positive finite number .eV., got -1.0"),
        ({"delta": float("nan")}, "delta: expected a positive finite number"),
        ({"delta": float("inf")}, "delta: expected a positive finite number"),
        ({"threads": 0}, "threads: expected an integer of at least 1, got 0"),
        ({"seed": None}, "seed: expected a non-negative integer"),
        ({"descriptor": []}, "descriptor: expected at least one of environments.*empty list"),
        ({"selection": "best"}, "selection: expected one of"),
        ({"n_inducing": 0}, "n_inducing: expected an integer of at least 1, got 0"),
        ({"n_inducing": 2.7}, "n_inducing: expected an integer of at least 1, got 2.7"),
        ({"n_inducing": {"Si": 5, "C": 0}}, "n_inducing: expected an integer of at least 1, got 0"),
        ({"sigma_forces": 0.0}, "noise forces: expected a positive finite number"),
        ({"noise_overrides": {"x": {"force": 1.0}}}, "label kind expected one of"),
        ({"e0": "guess"}, "e0: expected one of"),
        ({"descriptor": "soap"}, "descriptor: expected a local descriptor"),
    ],
)
def test_settings_that_are_refused(options, message):
    with pytest.raises(GapyError, match=message):
        regressor().set_params(**options).fit(frames(2))


def test_structures_that_are_refused():
    gp = regressor().fit(frames(3))
    with pytest.raises(GapyError, match="expected at least one structure, got none"):
        gp.predict([])
    with pytest.raises(GapyError, match=r"X: expected ase\.Atoms, got str"):
        gp.predict(["train.xyz"])
    with pytest.raises(GapyError, match="expected at least one structure, got none"):
        regressor().fit([])
    with pytest.raises(SpeciesError, match="Ge"):
        regressor().fit(frames(2, symbols=("Ge",)))
    with pytest.raises(SpeciesError, match=r"fitted for \['C', 'Si'\].*\['Ge'\]"):
        gp.predict(frames(1, symbols=("Ge",)))
    aperiodic = smooth_soap(["Si", "C"], r_cut=3.0, n_max=2, l_max=1, periodic=False)
    with pytest.raises(
        GapyError, match=r"periodic=False, but .* make the descriptor with periodic"
    ):
        regressor(aperiodic).fit(frames(2))
    molecules = frames(3, pbc=(0, 0, 0))
    gp = regressor(aperiodic).fit(molecules)
    with pytest.raises(GapyError, match="periodic=False"):
        gp.partial_fit(frames(2))
    for use in (gp.predict, gp.potential_.evaluate, gp.potential_.predict):
        with pytest.raises(GapyError, match="pbc: the potential was fitted with periodic=False"):
            use(frames(1)[0])


def test_a_rough_descriptor_warns():
    rough = SOAP(species=["Si", "C"], r_cut=3.0, n_max=2, l_max=1, sigma=0.4, periodic=True)
    with pytest.warns(UserWarning, match="smooth_soap"):
        regressor(rough).fit(frames(3))


def test_singular_inducing_points_name_the_remedy():
    terms = (Term(BARE, 2, (np.full((2, 3), np.nan),), (1.0,)),)
    with pytest.raises(GapyError, match=r"K_MM of 2 points is not positive definite.*cholesky"):
        cholesky_factors(terms)
