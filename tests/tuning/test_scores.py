"""Scores of a candidate against fits that really leave structures out, and the cost of one."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk, molecule
from helpers import images_within

import gapy
from gapy.errors import GapyError
from gapy.gp import posterior
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.whitening import whitened
from gapy.structures import from_atoms
from gapy.tuning import cost, scores
from gapy.tuning.candidates import Candidate, first_round, neighbours, work
from gapy.tuning.cost import force_cost, neighbours_within, timing_structure
from gapy.tuning.scores import _left_out, _without_own_labels, score, stratified

SMALL = Candidate(4.0, 0.5, 2, 2, 3, 12)
SPECIES = ("Al", "Cu")


@pytest.fixture(scope="module")
def structures(train_frames):
    return stratified(from_atoms(train_frames), seed=0)


def small_fit(structures):
    return gapy.SparseGPRegressor(SMALL.soap(SPECIES), n_inducing=12, zeta=3).fit(structures)


def refitted_without(potential, structures, k):
    """Residuals of structure k after a fit to the others with the same inducing points."""

    def labels(s):
        rows = structure_rows(potential.terms, s.atoms, stress=True)
        y = s.energy - sum(potential.e0[z] for z in s.atoms.numbers)
        n = len(s.atoms)
        yield "energy", rows.energy[None], np.array([y]), 1 / np.sqrt(n)
        yield "forces", rows.forces, s.forces.ravel(), 1.0
        yield "stress", rows.stress, s.stress, 1.0

    table, cholesky = posterior.blocks(potential.terms), potential.posterior.cholesky
    statistic = SufficientStatistic(table[-1].stop)
    for j, s in enumerate(structures):
        if j != k:
            for kind, rows, y, weight in labels(s):
                rows = whitened(table, cholesky, rows)
                statistic.add(Group(kind, s.config_type), rows, y, weight)
    fitted = posterior.solve(potential.terms, cholesky, statistic, potential.noise.sigma)
    energy, forces, _ = ((y - rows @ fitted.alpha) for _, rows, y, _ in labels(structures[k]))
    return energy / len(structures[k].atoms), forces


def test_left_out_error_is_that_of_refits(structures):
    found, potential = score(SMALL, SPECIES, structures, "loo")
    residuals = [refitted_without(potential, structures, k) for k in range(len(structures))]
    for name, k in (("energy_rmse", 0), ("forces_rmse", 1)):
        values = np.concatenate([r[k] for r in residuals])
        assert getattr(found, name) == pytest.approx(np.sqrt((values**2).mean()), rel=1e-6)


def test_held_out_error_is_that_of_evaluate(structures):
    found, _ = score(SMALL, SPECIES, structures, "holdout", holdout=0.25)
    held, rest = structures[::4], [s for k, s in enumerate(structures) if k % 4]
    gp = gapy.SparseGPRegressor(SMALL.soap(SPECIES), n_inducing=12, zeta=3).fit(rest)
    report = gapy.evaluate(gp.potential_, held)
    assert found.forces_rmse == pytest.approx(report.total.forces_rmse)
    assert found.energy_rmse == pytest.approx(report.total.energy_rmse)


def test_likelihood_is_that_of_the_fit_per_label(structures):
    found, _ = score(SMALL, SPECIES, structures, "likelihood", options={"sigma_forces": 0.1})
    gp = gapy.SparseGPRegressor(SMALL.soap(SPECIES), n_inducing=12, zeta=3, sigma_forces=0.1)
    total = gp.fit(structures).log_marginal_likelihood()
    n_labels = sum(1 + 3 * len(s.atoms) + 6 for s in structures)
    assert found.log_likelihood == pytest.approx(total / n_labels)
    assert found.error("likelihood", "forces") == -found.log_likelihood
    assert found.forces_rmse is None


def test_own_noise_of_a_structure_counts(train_frames):
    """A structure whose labels weigh nothing is left out by the fit already."""
    frames = [a.copy() for a in train_frames]
    for name in ("energy", "forces", "stress"):
        frames[4].info[f"{name}_sigma"] = 1e6
    structures = from_atoms(frames)
    gp = small_fit(structures)
    energy, forces = _without_own_labels(gp.training_, structures[4])
    predicted = gp.potential_.evaluate(frames[4])
    np.testing.assert_allclose(forces, (structures[4].forces - predicted.forces).ravel(), rtol=1e-5)
    assert energy[0] == pytest.approx(
        (structures[4].energy - predicted.energy) / len(frames[4]), rel=1e-5
    )


def test_scores_repeat_to_the_last_bit(structures):
    first, second = (score(SMALL, SPECIES, structures, "loo")[0] for _ in range(2))
    assert first.forces_rmse == second.forces_rmse
    assert first.energy_rmse == second.energy_rmse
    assert first.log_likelihood == second.log_likelihood


def test_stratified_is_a_permutation_in_proportion(structures, train_frames):
    assert {id(s) for s in stratified(structures, 3)} == {id(s) for s in structures}
    many = from_atoms(train_frames * 5)
    for n in (15, 30, 45):
        alloys = sum(s.config_type == "alloy" for s in stratified(many, 1)[:n])
        assert abs(alloys - n / 3) <= 2
    orders = [[s.index for s in stratified(many, seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_rare_species_and_free_atoms_come_first(train_frames):
    free = bulk("Cu")[:1]
    free.info.update(config_type="isolated_atom", REF_energy=0.1)
    rare = train_frames[0].copy()
    rare.symbols[0] = "Au"
    ordered = stratified(from_atoms([*train_frames * 3, rare, free]), 0)
    assert ordered[0].config_type == "isolated_atom"
    assert any("Au" in s.atoms.symbols for s in ordered[1:4])


def test_free_atoms_are_not_judged(structures, train_frames):
    free = bulk("Cu")[:1]
    free.info.update(config_type="isolated_atom", REF_energy=0.1)
    state = small_fit(structures).training_
    residuals = _left_out(state, from_atoms([free, *train_frames]))
    assert len(residuals) == len(train_frames)


def test_huge_structures_are_left_out_only_alone(structures, monkeypatch):
    """Where every structure has too many labels, the smallest one is judged."""
    state = small_fit(structures).training_
    monkeypatch.setattr(scores, "MOST_LABELS", 10)
    assert len(_left_out(state, structures)) == 1


def test_too_few_to_hold_out(structures):
    with pytest.raises(GapyError, match="holdout: expected more structures"):
        score(SMALL, SPECIES, structures[:1], "holdout")


# -- cost ---------------------------------------------------------------------------------------


def test_timing_structure_is_large_where_it_can_be(train_frames, monkeypatch):
    monkeypatch.setattr(cost, "N_ATOMS", 200)
    atoms = timing_structure(from_atoms(train_frames))
    assert cost.N_ATOMS <= len(atoms) < 2 * cost.N_ATOMS and atoms.pbc.all()
    assert atoms.get_volume() / len(atoms) == pytest.approx(train_frames[0].get_volume() / 4, rel=1)
    ethanol = molecule("CH3CH2OH")
    ethanol.info["REF_energy"] = 0.0
    assert len(timing_structure(from_atoms([ethanol]))) == 9


def test_neighbours_are_counted(train_frames):
    atoms = train_frames[0]
    assert neighbours_within(atoms, 4.5) == len(images_within(atoms, 4.5)) / len(atoms)


def test_cost_is_measured_and_leaves_the_structure_alone(potential, train_frames):
    atoms = train_frames[0].copy()
    us, ratio = force_cost(potential, atoms)
    assert us > 0.0 and ratio > 0.0
    np.testing.assert_array_equal(atoms.positions, train_frames[0].positions)


def test_work_orders_candidates_as_their_operations_do():
    base = Candidate(5.0, 0.5, 8, 8, 4, 1000)
    reference = work(base, 324, 30.0)
    assert work(Candidate(5.0, 0.5, 8, 8, 4, 500), 324, 30.0) < reference
    assert work(base, 324, 60.0) > reference
    # zeta = 2 collapses to a quadratic form whose cost does not depend on the points.
    quadratic = [work(Candidate(5.0, 0.5, 8, 8, 2, m), 324, 30.0) for m in (1000, 2000)]
    assert quadratic[0] == quadratic[1] < reference
    by_components = [
        work(Candidate(5.0, 0.5, 8, 8, 2, 1000, n_components=text), 324, 30.0)
        for text in ("32", "1e-3", "auto", "1e-6", "off")
    ]
    assert by_components == sorted(by_components) and len(set(by_components)) == 5


def test_components_are_searched_where_there_are_some():
    found = {c.n_components for c in neighbours(Candidate(5.0, 0.5, 8, 8, 2, 1000))}
    assert found == {"auto", "1e-3", "off"}
    small = neighbours(Candidate(5.0, 0.5, 4, 3, 2, 1000))
    compressed = neighbours(Candidate(5.0, 0.5, 8, 8, 2, 1000, "mu1nu1"))
    assert {c.n_components for c in small + compressed} == {"auto"}


def test_mixing_with_the_total_density_is_searched_for_several_species():
    base = Candidate(5.0, 0.5, 8, 6, 2, 1000)
    assert {c.compression for c in neighbours(base)} == {"off"}
    assert {c.compression for c in neighbours(base, 3)} == {"off", "mu1nu1"}
    mixed = neighbours(replace(base, compression="mu1nu1"), 3)
    assert {c.compression for c in mixed} == {"off", "mu1nu1"}
    first = {(c.n_max, c.l_max, c.compression) for c in first_round(base, 3)}
    assert len({c.compression for c in first_round(base)}) == 1
    assert {(6, 4, "off"), (6, 4, "mu1nu1"), (8, 6, "mu1nu1")} <= first
    halved = neighbours(replace(base, compression="mu2"), 3)
    assert {c.compression for c in halved} == {"mu2"}


@pytest.mark.parametrize("text, kept", [("12", 12), ("off", "off"), ("0.01", 0.01)])
def test_a_candidate_is_fitted_with_its_components(text, kept, structures):
    candidate = Candidate(4.0, 0.5, 3, 2, 2, 12, n_components=text)
    assert candidate.to_dict()["n_components"] == kept
    _, found = score(candidate, SPECIES, structures, "loo")
    descriptor = found.terms[0].descriptor
    assert hasattr(descriptor, "bases") == (text != "off")
    if text == "12":
        assert descriptor.n_features == 12
