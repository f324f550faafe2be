"""Incremental updates against fits from scratch, dense formulas and finite differences."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from ase import Atoms
from dscribe.descriptors import SOAP
from helpers import along_atom, morse_labels, random_structure
from sklearn.exceptions import NotFittedError

import gapy
from gapy import SparseGPRegressor
from gapy.errors import GapyError, ModelFileError, SpeciesError
from gapy.gp import growth, loo, posterior, pruning, sampled
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks, cholesky_factors, normalised
from gapy.state import load_state, save_state
from gapy.structures import from_atoms
from gapy.update import UpdateSettings, rebuild, update

THRESHOLD = 1e-5


def soap(species=("Si", "C")):
    """Six features whatever the species."""
    weighting = {"function": "poly", "r0": 3.5, "c": 1.0, "m": 1.0, "w0": 0.3}
    compression = {"mode": "mu2", "species_weighting": dict(zip(species, (1.0, 0.6)))}
    return SOAP(
        species=list(species), r_cut=3.5, n_max=2, l_max=1, sigma=0.5, periodic=True,
        weighting=weighting, compression=compression,
    )  # fmt: skip


def frames(n, seed, symbols=("Si", "C"), length=4.0, n_atoms=5):
    """Labelled random cells; two config types, so that there are several noise groups."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(n):
        atoms = random_structure(rng, symbols, n_atoms, (1, 1, 1), length=length, min_distance=1.7)
        atoms.info["config_type"] = ("a", "b")[k % 2]
        out.append(morse_labels(atoms))
    return out


def regressor(**options):
    settings = {
        "n_inducing": 8, "zeta": 4, "e0": {"Si": -1.0, "C": 0.5}, "sigma_energy": 0.02,
        "sigma_forces": 0.1, "sigma_stress": 0.01,
    }  # fmt: skip
    return SparseGPRegressor(soap(), **{**settings, **options})


def settings(**options):
    return UpdateSettings(**{"threshold": THRESHOLD, "max_points": 15, **options})


OLD = frames(12, seed=1)
NEW = frames(4, seed=2, length=5.2)
HELD_OUT = frames(4, seed=3)


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(OLD)


def copied(gp):
    return copy.deepcopy(gp)


def same(one, two):
    """Whether two potentials are equal to the last bit, error bars included."""
    equal = one.calibration == two.calibration
    for atoms in HELD_OUT:
        a, b = (p.evaluate(atoms, force_std=True) for p in (one, two))
        equal &= a.energy == b.energy and np.array_equal(a.forces, b.forces)
        equal &= np.array_equal(a.forces_std, b.forces_std)
    return equal and np.array_equal(one.posterior.alpha, two.posterior.alpha)


def predictions(gp, structures=HELD_OUT):
    """Forces and local sigmas of structures, one array each."""
    out = [gp.potential_.evaluate(atoms, local_std=True) for atoms in structures]
    return (
        np.concatenate([o.forces.ravel() for o in out]),
        np.concatenate([o.energies_std for o in out]),
    )


def statistic_of(gp, structures, terms=None):
    """The statistic of structures, row by row, by the regressor's own labels."""
    terms = gp._terms if terms is None else terms
    out = SufficientStatistic(blocks(terms)[-1].stop)
    for s in from_atoms(structures):
        for kind, k, y, weight in gp._labels(s, gp._rows(s, terms=terms), gp._noise()):
            out.add(kind, s.config_type, k, y, weight)
    return out


def with_statistic(gp, statistic, terms=None):
    """A copy of the regressor solved for another statistic."""
    out = copied(gp)
    out._terms = gp._terms if terms is None else terms
    out._cholesky = cholesky_factors(out._terms)
    out.statistic_ = statistic
    out._solve(calibrated=False)
    return out


# -- new points and their columns ---------------------------------------------------------------


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
    assert gp.n_structures_ == 16 and gp.n_updates_ == 1


def test_points_are_those_that_the_present_ones_leave_unexplained(fitted):
    found = growth.choose(
        fitted._terms, fitted._cholesky, NEW, threshold=THRESHOLD, max_points=1000
    )
    before = cholesky_factors(fitted._terms)
    terms = found.extend(fitted._terms)
    after = cholesky_factors(terms)
    seen = []
    for atoms in NEW:
        env = terms[0].descriptor.environments(atoms)
        for slot in range(2):
            x_id = normalised(
                terms[0].descriptor.values(env, env.start_s[slot], env.start_s[slot + 1])
            )
            for model, factors in ((fitted._terms, before), (terms, after)):
                x_sd = model[0].inducing[slot]
                k = (x_sd @ x_id.T) ** 4
                dense = 1.0 - np.einsum(
                    "sn,sn->n", k, scipy.linalg.cho_solve((factors[slot], True), k)
                )
                seen.append((model is terms, dense.max(initial=0.0)))
    assert max(d for is_new, d in seen if is_new) <= THRESHOLD * (1 + 1e-6)
    assert max(d for is_new, d in seen if not is_new) == pytest.approx(found.unexplained, rel=1e-6)
    fewer = growth.choose(fitted._terms, fitted._cholesky, NEW, threshold=THRESHOLD, max_points=3)
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
    once = growth.choose(
        fitted._terms, fitted._cholesky, NEW[1:2], threshold=THRESHOLD, max_points=50
    )
    twice = growth.choose(
        fitted._terms, fitted._cholesky, [NEW[1], NEW[1]], threshold=THRESHOLD, max_points=50
    )
    assert once.n_points == twice.n_points > 0


def test_projected_columns_are_exact_for_points_in_the_span():
    # zeta = 2 of six features spans 21 dimensions: more points than that are combinations.
    gp = regressor(zeta=2, n_inducing=21).fit([*OLD, *NEW])
    points = regressor(zeta=2, n_inducing=2).fit(NEW)._terms[0].inducing
    extra = growth.Growth((points,), 0.0)
    assert not growth.choose(
        gp._terms, gp._cholesky, NEW, threshold=1e-8, max_points=50
    ).n_points  # so they are in the span
    terms = extra.extend(gp._terms)
    got = growth.projected(gp.statistic_, gp._terms, gp._cholesky, extra)
    exact = statistic_of(gp, [*OLD, *NEW], terms)
    for key, factor in exact.factors.items():
        a, b = (f.matrix() for f in (factor, got.factors[key]))
        scale = np.abs(a.T @ a).max()
        np.testing.assert_allclose(b.T @ b, a.T @ a, atol=1e-6 * scale)


def test_projection_changes_no_prediction_and_neglects_no_more_than_its_bound(fitted):
    extra = growth.choose(fitted._terms, fitted._cholesky, NEW, threshold=THRESHOLD, max_points=8)
    statistic = growth.projected(fitted.statistic_, fitted._terms, fitted._cholesky, extra)
    terms = extra.extend(fitted._terms)
    grown = with_statistic(fitted, statistic, terms)
    for got, wanted in zip(predictions(grown), predictions(fitted)):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    old, new = growth.column_map(fitted._terms, extra)
    table = {b.slot: (b, c) for b, c in zip(blocks(fitted._terms), fitted._cholesky)}
    for atoms in OLD:
        rows = structure_rows(terms, atoms, local=True, forces=False).local
        left = rows[:, new] - growth.projection(
            fitted._terms, fitted._cholesky, extra, rows[:, old]
        )
        descriptor = terms[0].descriptor
        start = 0
        for slot, points in enumerate(extra.points[0]):
            b, lower = table[slot]
            own = np.flatnonzero(atoms.numbers == descriptor.species[slot])
            env = descriptor.environments(atoms)
            x_id = normalised(descriptor.values(env, env.start_s[slot], env.start_s[slot + 1]))
            d_old = growth.unexplained(b.x_sd, lower, 4, x_id)[0]
            d_new = growth.unexplained(b.x_sd, lower, 4, points)[0]
            bound = np.sqrt(np.outer(d_old, d_new)) + 1e-6
            assert (np.abs(left[own, start : start + len(points)]) <= bound).all()
            start += len(points)


def test_estimated_columns_are_far_closer_to_exact_ones_than_projected():
    # Vibrations about a few structures: what MD gives, and what a sample can stand for.
    rng = np.random.default_rng(7)
    many = [OLD[k % 4].copy() for k in range(48)]
    for atoms in many:
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        morse_labels(atoms)
    gp = regressor(n_inducing=10).fit(many)
    extra = growth.choose(gp._terms, gp._cholesky, NEW, threshold=THRESHOLD, max_points=15)
    terms = extra.extend(gp._terms)
    new_rows = statistic_of(gp, NEW, terms)

    def forces(statistic):
        statistic = statistic.copy()
        statistic.merge(new_rows)
        return predictions(with_statistic(gp, statistic, terms), many[:12])[0]

    exact = forces(statistic_of(gp, many, terms))
    arguments = (gp.statistic_, gp._terms, extra, gp.potential_.posterior)
    sigma_of = gp._noise().sigma
    errors = {}
    for n in (48, 16):
        sample = statistic_of(gp, many[:n], terms)
        part = sampled.estimated(*arguments, sample, sigma_of)
        errors[n] = np.sqrt(((forces(part) - exact) ** 2).mean())
    projected = growth.projected(gp.statistic_, gp._terms, gp._cholesky, extra)
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
    rows = fitted._rows(s, local=True)
    parts = list(fitted._labels(s, rows, fitted._noise()))
    k, y = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    sigma = np.concatenate(
        [np.full(len(y), fitted._noise().sigma(kind, "a") / w) for kind, _, y, w in parts]
    )
    posterior_ = fitted.potential_.posterior
    arguments = (posterior_, k, y, sigma, rows.local, np.ones(len(s.atoms)))
    share = loo.data_share(posterior_)
    free = loo.leave_one_out(*arguments)
    bounded = loo.leave_one_out(*arguments, data_shares=(share, share))
    np.testing.assert_allclose(bounded.residual, free.residual, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(bounded.local_std, free.local_std, rtol=1e-4)
    # Rows that the posterior does not hold: no label is worth more than the prior allows.
    strange = loo.leave_one_out(
        posterior_, 1e3 * k, y, sigma, rows.local, np.ones(len(s.atoms)), data_shares=(share, share)
    )
    assert np.isfinite(strange.residual).all() and (strange.local_std <= 1.0 + 1e-6).all()


# -- pruning ------------------------------------------------------------------------------------


def squares(gp, statistic, terms):
    """Regularised sum of squares of the fit, solved densely: |w|^2 + sum |y - K alpha|^2 / s^2."""
    factors = cholesky_factors(terms)
    rows, y = [], []
    for (kind, config_type), factor in statistic.factors.items():
        sigma = gp._noise().sigma(kind, config_type)
        matrix = factor.matrix()
        rows.append(posterior.whiten(blocks(terms), factors, matrix[:, :-1]).T / sigma)
        y.append(matrix[:, -1] / sigma)
    rows = np.concatenate([*rows, np.eye(rows[0].shape[1])])
    y = np.concatenate([*y, np.zeros(rows.shape[1])])
    return ((rows @ np.linalg.lstsq(rows, y, rcond=None)[0] - y) ** 2).sum()


def test_the_change_by_pruning_is_that_of_a_fit_without_the_points():
    gp = regressor(n_inducing=30).fit(OLD)
    n_labels = sum(f.n_rows for f in gp.statistic_.factors.values())
    columns, change = pruning.removable(
        gp.potential_.posterior, n_labels, change=0.1, unexplained=1e-3
    )
    assert 3 < len(columns) < 40 and 0.0 < change <= 0.1
    keep = [np.delete(x, columns[(columns >= b.start) & (columns < b.stop)] - b.start, axis=0)
            for b, x in zip(blocks(gp._terms), gp._terms[0].inducing)]  # fmt: skip
    terms = (replace(gp._terms[0], inducing=tuple(keep)),)
    smaller = pruning.without(gp.statistic_, columns)
    rise = squares(gp, smaller, terms) - squares(gp, gp.statistic_, gp._terms)
    assert change == pytest.approx(np.sqrt(rise / n_labels), rel=1e-3)
    # Dropping columns is exact: the statistic is that of the rows against the points left.
    exact = statistic_of(gp, OLD, terms)
    for key, factor in exact.factors.items():
        a, b = factor.matrix(), smaller.factors[key].matrix()
        np.testing.assert_allclose(b.T @ b, a.T @ a, rtol=1e-8, atol=1e-8 * np.abs(a.T @ a).max())
    moved = predictions(with_statistic(gp, smaller, terms), OLD)[0] - predictions(gp, OLD)[0]
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
    n = sum(len(x) for x in pruned._terms[0].inducing)
    assert report.n_inducing == n == pruned.statistic_.n_columns
    assert sum(report.pruned.values()) > 0 and 0.0 < report.prune_change <= 0.05
    moved = predictions(pruned)[0] - predictions(plain)[0]
    assert np.sqrt((moved**2).mean()) < 0.1 * pruned.sigma_forces


# -- state, schedule, determinism ---------------------------------------------------------------


def test_a_saved_state_goes_on_bit_by_bit(fitted, tmp_path):
    straight = copied(fitted)
    choices = settings(prune=0.02, sample_rows=3.0)
    update(straight, NEW[:2], settings=choices)
    save_state(straight, tmp_path / "loop.gapy")
    first = (tmp_path / "loop.gapy").read_bytes()
    resumed = load_state(tmp_path / "loop.gapy")
    assert same(resumed.potential_, straight.potential_)
    assert same(gapy.load(tmp_path / "loop.gapy"), straight.potential_)
    save_state(resumed, tmp_path / "again.gapy")
    assert (tmp_path / "again.gapy").read_bytes() == first
    for gp in (straight, resumed):
        update(gp, NEW[2:], settings=choices)
        gp.partial_fit(HELD_OUT[:1])
        update(gp, frames(2, seed=9, length=6.0), settings=choices)
    assert same(resumed.potential_, straight.potential_)
    assert resumed.potential_.metadata == straight.potential_.metadata
    assert resumed.n_updates_ == straight.n_updates_ == 3


def test_a_state_keeps_missing_labels_and_settings(tmp_path):
    training = frames(4, seed=4)
    del training[0].info["REF_stress"], training[1].arrays["REF_forces"]
    del training[2].info["REF_energy"]
    training[3].info["energy_sigma"] = 0.01
    options = {"n_inducing": {"Si": 4, 6: 5}, "noise_overrides": {"a": {"forces": 0.2}}}
    gp = regressor(**options).fit(training)
    save_state(gp, tmp_path / "s.gapy")
    back = load_state(tmp_path / "s.gapy")
    assert back.n_inducing == {"Si": 4, "C": 5} and back.noise_overrides == gp.noise_overrides
    assert len(gp._drawn) == 4
    for (u, s), (v, t) in zip(gp._drawn, back._drawn, strict=True):
        assert u == v and s.fingerprint() == t.fingerprint()
        assert (s.energy is None, s.forces is None, s.stress is None, s.energy_sigma) == (
            t.energy is None, t.forces is None, t.stress is None, t.energy_sigma,
        )  # fmt: skip


def test_a_file_without_a_state_is_refused(fitted, tmp_path):
    fitted.potential_.save(tmp_path / "model.gapy")
    with pytest.raises(ModelFileError, match="expected the state of a regressor, got a model"):
        load_state(tmp_path / "model.gapy")
    save_state(fitted, tmp_path / "s.gapy")
    data = (tmp_path / "s.gapy").read_bytes()
    (tmp_path / "s.gapy").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="truncated or damaged"):
        load_state(tmp_path / "s.gapy")


def test_updates_do_not_depend_on_threads(fitted):
    one, two = copied(fitted), copied(fitted)
    two.threads = 2
    for gp in (one, two):
        update(gp, NEW[:2], settings=settings())
        update(gp, NEW[2:], settings=settings(prune=0.02))
    assert same(one.potential_, two.potential_)


def test_the_schedule_calibrates_and_optimises_when_due(fitted):
    gp, calls = copied(fitted), []
    choices = settings(calibrate_every=2, optimise_every=3)
    done = []
    for k in range(3):
        before = gp.potential_.calibration
        report = update(gp, NEW[k : k + 1], settings=choices, optimise=calls.append)
        done.append((report.calibrated, report.optimised))
        assert (gp.potential_.calibration != before) == (k == 1)
    assert done == [(False, False), (True, False), (True, True)] and calls == [gp]


def test_by_default_the_noise_is_learnt_from_the_labels(fitted):
    gp = copied(fitted)
    plain = copied(fitted)
    update(plain, NEW, settings=settings())
    assert update(gp, NEW, settings=settings(optimise_every=1)).optimised
    assert gp.potential_.noise != plain.potential_.noise
    assert gp.log_marginal_likelihood() > plain.log_marginal_likelihood()


# -- species and bad input ----------------------------------------------------------------------


def test_a_species_that_the_descriptor_knows_can_come_later():
    gp = regressor(e0="fit").fit(frames(6, seed=6, symbols=("Si",)))
    e0 = dict(gp.e0_)
    assert gp.potential_.species == (14,)
    report = update(gp, NEW, settings=settings(columns="sampled"))
    assert report.added["C"] > 0 and gp.potential_.species == (6, 14)
    assert gp.e0_[14] == e0[14] and gp.e0_[6] != 0.0
    exact = with_statistic(gp, statistic_of(gp, [*frames(6, seed=6, symbols=("Si",)), *NEW]))
    for got, wanted in zip(predictions(gp), predictions(exact)):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_a_new_species_needs_a_point():
    gp = regressor(e0="zero").fit(frames(4, seed=6, symbols=("Si",)))
    with pytest.raises(SpeciesError, match="C is new and needs an inducing point"):
        update(gp, NEW, settings=settings(max_points=0))
    other = Atoms("Ge2", [[0, 0, 0], [0, 0, 2.4]], cell=[9, 9, 9], pbc=True)
    other.info["REF_energy"] = 1.0
    with pytest.raises(SpeciesError, match="Ge"):
        update(gp, [other])


def test_a_failed_update_leaves_the_regressor_as_it_was(fitted):
    gp, untouched = copied(fitted), copied(fitted)

    def fails(_):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        update(gp, NEW, settings=settings(optimise_every=1), optimise=fails)
    assert gp.n_structures_ == 12 and gp.n_updates_ == 0
    for one in (gp, untouched):
        update(one, NEW[:2], settings=settings())
    assert same(gp.potential_, untouched.potential_)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"threshold": 0.0}, "threshold: expected a share of the prior variance"),
        ({"threshold": "x"}, "threshold"),
        ({"max_points": 1.5}, "max_points: expected an integer"),
        ({"columns": "guessed"}, "columns: expected one of sampled, projected, exact"),
        ({"sample_rows": 0.0}, "sample_rows"),
        ({"prune": -1.0}, "prune"),
        ({"calibrate_every": -1}, "calibrate_every"),
        ({"optimise_every": True}, "optimise_every"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(GapyError, match=message):
        UpdateSettings(**options)


def test_bad_arguments_are_named(fitted):
    gp = copied(fitted)
    with pytest.raises(NotFittedError):
        update(regressor(), NEW)
    with pytest.raises(GapyError, match=r"old: expected the structures .* got None"):
        update(gp, NEW, settings=settings(columns="exact"))
    with pytest.raises(GapyError, match="old: expected the 12 structures"):
        update(gp, NEW, settings=settings(columns="exact"), old=OLD[::-1])
    with pytest.raises(GapyError, match="expected at least one"):
        update(gp, [])
    gp.noise_overrides = {"a": {"forces": object()}}
    with pytest.raises(GapyError, match="noise_overrides: expected a number"):
        save_state(gp, "never")


def test_candidates_seen_before_become_points(fitted):
    """An environment that did not pass a high threshold becomes a point when searched again."""
    gp = copied(fitted)
    report = update(gp, NEW[:1], settings=settings(max_points=0))
    assert not report.added
    again = copied(gp)
    without = update(gp, OLD[:1], settings=settings())
    report = update(again, OLD[:1], settings=settings(), candidates=NEW[:1])
    assert sum(report.added.values()) > sum(without.added.values())
    term = again._terms[0]
    x_nd = normalised(term.descriptor.create(NEW[0]))
    known = np.concatenate(term.inducing)
    assert (known @ x_nd.T).max() == pytest.approx(1.0, abs=1e-12)
