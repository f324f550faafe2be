"""The model that learns: what is done at which number of structures, and what is learnt."""

import pytest
from active_calculators import SMALL, cell
from ase.calculators.emt import EMT

import gapy
from gapy.active import GPModel
from gapy.active.labels import Label
from gapy.active.model import COARSE
from gapy.active.store import labelled
from gapy.errors import GapyError
from gapy.gp import online_selection
from gapy.gp.terms import cholesky_factors


@pytest.fixture(scope="module")
def structures():
    out = []
    for seed in range(26):
        atoms = cell(seed)
        atoms.calc = EMT()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(), 0.0)
        out.append(labelled(atoms, label))
    return out


def grown(structures, numbers, **settings):
    """A model that has learnt the first n structures, for n in numbers."""
    model = GPModel(["Al", "Cu"], seed=5, **{**SMALL, **settings})
    for before, n in zip((0, *numbers), numbers):
        model.update(structures[:n], n - before)
    return model


def unexplained(model, atoms):
    """Largest share of the prior variance of an environment that the inducing points leave open."""
    terms = model.potential.terms
    factors = cholesky_factors(terms)
    return online_selection.choose(
        terms, factors, [atoms], threshold=1e-9, max_points=1
    ).unexplained


def test_points_are_searched_finely_each_five_percent(structures):
    """20 is a fit; 21 is 5 % more; 22 is not 5 % more than 21, 23 is: then 22 is searched too."""
    limit, numbers = 1e-6, (20, 21, 22, 23)
    models = [
        grown(structures, numbers[: k + 1], n_inducing=5, refit=2.0, threshold=limit)
        for k in range(4)
    ]
    assert models[3].history == [["fit", 20], ["grow", 21], ["update", 22], ["grow", 23]]
    left = [unexplained(model, structures[21]) for model in models]
    assert left[1] > limit and limit < left[2] <= COARSE and left[3] <= 1.1 * limit


def test_full_fits_follow_the_growth(structures):
    model = grown(structures, (10, 14, 15, 22), refit=1.5)
    assert [what for what, _ in model.history] == ["fit", "grow", "fit", "grow"]
    assert model.finish(structures[:22]) and not model.finish(structures[:22])


def test_noise_and_prior_are_learnt_unless_told_not_to(structures):
    """EMT has no noise, so little is learnt; without learning the settings stay."""
    learnt = grown(structures, (20, 21)).potential
    kept = grown(structures, (20, 21), optimize=False).potential
    assert kept.noise.forces == 0.05 and set(kept.terms[0].delta) == {1.0}
    assert learnt.noise.forces != 0.05 and set(learnt.terms[0].delta) != {1.0}
    errors = [gapy.evaluate(p, structures).total.forces_rmse for p in (learnt, kept)]
    assert errors[0] < 1.1 * errors[1]


@pytest.mark.parametrize("name", ["optimize", "stress"])
def test_switches_are_true_or_false(name):
    with pytest.raises(GapyError, match=f"{name}: expected true or false, got 'yes'"):
        GPModel(["Al", "Cu"], **{name: "yes"})


def test_saving_and_reading_between_updates_changes_nothing(structures, tmp_path):
    """The loop goes on with the model that it saved; a resumed one with what the file holds."""
    settings = {**SMALL, "refit": 3.0, "n_inducing": 8, "threshold": 1e-7, "prune": 0.01}
    straight, resumed = (GPModel(["Al", "Cu"], seed=5, **settings) for _ in range(2))
    for n in (8, 10, 11, 13, 24):
        for model in (straight, resumed):
            model.update(structures[:n], n - max((size for _, size in model.history), default=0))
            model.save(tmp_path / f"{model is straight}.gapy")
        files = [(tmp_path / f"{which}.gapy").read_bytes() for which in (True, False)]
        assert files[0] == files[1]
        history = resumed.history
        resumed = GPModel(["Al", "Cu"], seed=5, **settings)
        resumed.resume(history, tmp_path / "False.gapy")
    assert [what for what, _ in straight.history] == ["fit", "grow", "grow", "grow", "fit"]
