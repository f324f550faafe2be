"""The sparse GP against dense formulas that share no code with it."""

import copy
import pickle

import numpy as np
import pytest
import scipy.linalg
from ase import Atoms
from ase.build import bulk
from dscribe.descriptors import SOAP
from helpers import along_atom, along_strain, labels_in, morse_labels, random_structure, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from gapy import Noise, SparseGPRegressor
from gapy.descriptors import CompiledSOAP, smooth_soap
from gapy.errors import GapyError, SpeciesError
from gapy.fit.labels import add_labels, stacked
from gapy.gp import calibration, loo, posterior, selection
from gapy.gp.prior import prior_variances
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import JITTER, Term, cholesky_factors, normalised
from gapy.structures import from_atoms


def tiny_soap(species=("Si", "C"), **options):
    """Six features whatever the species: zeta = 2 spans 21 dimensions."""
    weighting = {"function": "poly", "r0": 3.5, "c": 1.0, "m": 1.0, "w0": 0.3}
    weights = dict(zip(species, (1.0, 0.6)))
    compression = {"mode": "mu2", "species_weighting": weights}
    settings = {"weighting": weighting, "periodic": True, "compression": compression}
    return SOAP(
        species=list(species), r_cut=3.5, n_max=2, l_max=1, sigma=0.5, **settings, **options
    )


def frames(n, seed=0, n_atoms=4, symbols=("Si", "C"), keep=("energy", "forces", "stress"), **kw):
    """Labelled random structures of varied density and periodicity."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(n):
        options = {
            "pbc": [(1, 1, 1), (1, 1, 0), (1, 1, 1)][k % 3],
            "length": rng.uniform(3.2, 4.6),
            "min_distance": rng.uniform(1.6, 2.0),
        } | kw
        atoms = morse_labels(random_structure(rng, symbols, n_atoms, **options))
        for kind in {"energy", "forces", "stress"} - set(keep):
            atoms.info.pop(f"REF_{kind}", None)
            atoms.arrays.pop(f"REF_{kind}", None)
        out.append(atoms)
    return out


def regressor(soap=None, **options):
    settings = {
        "n_inducing": 40, "zeta": 2, "e0": "zero", "sigma_energy": 0.02, "sigma_forces": 0.1,
        "sigma_stress": 0.01,
    }  # fmt: skip
    return SparseGPRegressor(soap or tiny_soap(), **{**settings, **options})


# -- the dense GP: features of the kernel written out, derivatives by finite differences --------


def features(compiled, atoms, zeta):
    """phi_i with k(i, j) = phi_i . phi_j: the zeta-fold tensor power, in its species' block."""
    x = compiled.create(atoms)
    x = x / np.linalg.norm(x, axis=1)[:, None]
    power = x
    for _ in range(zeta - 1):
        power = np.einsum("if,id->ifd", power, x).reshape(len(x), -1)
    out = np.zeros((len(x), len(compiled.species), power.shape[1]))
    out[np.arange(len(x)), [compiled.species.index(z) for z in atoms.numbers]] = power
    return out.reshape(len(x), -1)


def functionals(compiled, atoms, zeta, kinds=("energy", "forces", "stress")):
    """Feature vectors of the labels, by kind, from the definition of each label."""

    def total(a):
        return features(compiled, a, zeta).sum(axis=0)

    out = {"local": features(compiled, atoms, zeta)}
    if "energy" in kinds:
        out["energy"] = total(atoms)[None]
    if "forces" in kinds:
        out["forces"] = -np.array(
            [along_atom(total, atoms, j, c) for j in range(len(atoms)) for c in range(3)]
        )
    if "stress" in kinds:
        strain = np.array([along_strain(total, atoms, v) for v in range(6)])
        out["stress"] = strain / atoms.get_volume()
    return out


def labels(atoms):
    """Kind -> flat label array of what the structure has."""
    out = {}
    if "REF_energy" in atoms.info:
        out["energy"] = np.array([atoms.info["REF_energy"]])
    if "REF_forces" in atoms.arrays:
        out["forces"] = atoms.arrays["REF_forces"].ravel()
    if "REF_stress" in atoms.info:
        out["stress"] = np.asarray(atoms.info["REF_stress"])
    return out


class DenseGP:
    """Textbook GP: mean k* (K + noise)^-1 y, variance k** - k* (K + noise)^-1 k*."""

    def __init__(self, phi, y, sigma, delta):
        self.phi, self.delta = phi, delta
        k = delta**2 * phi @ phi.T + np.diag(sigma**2)
        self.factor = scipy.linalg.cho_factor(k)
        self.weights = scipy.linalg.cho_solve(self.factor, y)

    @classmethod
    def of(cls, gp, training):
        compiled, zeta = CompiledSOAP(gp.descriptor), gp.zeta
        noise = {"forces": gp.sigma_forces, "stress": gp.sigma_stress}
        phi, y, sigma = [], [], []
        for atoms in training:
            noise["energy"] = gp.sigma_energy * np.sqrt(len(atoms))
            found = labels(atoms)
            rows = functionals(compiled, atoms, zeta, found)
            for kind, value in found.items():
                phi.append(rows[kind])
                y.append(value)
                sigma.append(np.full(len(value), noise[kind]))
        return cls(np.vstack(phi), np.concatenate(y), np.concatenate(sigma), gp.delta)

    def predict(self, phi):
        cross = self.delta**2 * phi @ self.phi.T
        prior = self.delta**2 * (phi**2).sum(axis=1)
        explained = np.einsum("nk,kn->n", cross, scipy.linalg.cho_solve(self.factor, cross.T))
        return cross @ self.weights, np.sqrt(prior - explained), np.sqrt(prior)


def assert_equals_dense(gp, training, tests, tolerance):
    """Mean and sigma of every quantity, relative to the prior standard deviation."""
    dense = DenseGP.of(gp, training)
    compiled = CompiledSOAP(gp.descriptor)
    for atoms in tests:
        kinds = ("energy", "forces", "stress") if atoms.pbc.any() else ("energy", "forces")
        mean, std = gp.potential_.predict(atoms)
        for kind, phi in functionals(compiled, atoms, gp.zeta, kinds).items():
            name = "energies" if kind == "local" else kind
            expected_mean, expected_std, prior = dense.predict(phi)
            scale = tolerance * prior.max()
            got, sigma = np.ravel(getattr(mean, name)), np.ravel(getattr(std, name))
            np.testing.assert_allclose(got, expected_mean, atol=scale, err_msg=f"mean {kind}")
            np.testing.assert_allclose(sigma, expected_std, atol=scale, err_msg=f"sigma {kind}")


@pytest.mark.parametrize("zeta", [1, 2, 3])
@pytest.mark.parametrize("delta", [1.0, 0.3])
def test_energies_only_with_every_environment_inducing_equals_the_dense_gp(zeta, delta):
    training = frames(8, seed=1, keep=("energy",))
    gp = regressor(zeta=zeta, delta=delta, n_inducing=10**6, selection="random").fit(training)
    n_atoms = sum(len(a) for a in training)
    assert gp.potential_.posterior.blocks[-1].stop == n_atoms
    tests = [*frames(2, seed=2), *frames(1, seed=3, pbc=(0, 0, 0)), training[0]]
    assert_equals_dense(gp, training, tests, tolerance=2e-6)


@pytest.mark.parametrize("selected", ["random", "cholesky"])
def test_energies_forces_stresses_equal_the_dense_gp_when_the_features_are_spanned(selected):
    """Twenty-one features per species, many more environments than that."""
    training = frames(20, seed=4)
    for k in (3, 8):
        training[k].info.pop("REF_energy")
    training[5].arrays.pop("REF_forces")
    training[6].info.pop("REF_stress")
    gp = regressor(n_inducing=10**6, selection=selected, delta=0.7).fit(training)
    tests = [*frames(2, seed=5), *frames(1, seed=6, pbc=(0, 0, 0)), training[0]]
    assert_equals_dense(gp, training, tests, tolerance=1e-4 if selected == "cholesky" else 1e-5)


def test_engine_equals_the_dense_gp():
    """The fast path: energies, forces, stress and local sigma of the calculator."""
    training = frames(20, seed=4)
    gp = regressor(n_inducing=10**6, selection="random").fit(training)
    dense, compiled = DenseGP.of(gp, training), CompiledSOAP(gp.descriptor)
    atoms = frames(1, seed=9)[0]
    atoms.calc = gp.potential_.calculator(uncertainty=True)
    phi = functionals(compiled, atoms, 2)
    for kind, got in (
        ("energy", atoms.get_potential_energy()),
        ("forces", atoms.get_forces()),
        ("stress", atoms.get_stress()),
        ("local", atoms.get_potential_energies()),
    ):
        mean, _, prior = dense.predict(phi[kind])
        np.testing.assert_allclose(np.ravel(got), mean, atol=1e-5 * prior.max())
    _, sigma, _ = dense.predict(phi["local"])
    np.testing.assert_allclose(atoms.calc.results["energies_std"], sigma, atol=1e-5)


# -- rows and prior variances ------------------------------------------------------------------


@pytest.mark.parametrize("zeta", [1, 2, 3])
@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 0, 0)])
def test_rows_and_prior_variances_equal_the_feature_space(zeta, pbc):
    rng = np.random.default_rng(zeta)
    compiled = CompiledSOAP(tiny_soap())
    inducing = tuple(normalised(rng.normal(size=(m, 6))) for m in (5, 3))
    terms = (Term(compiled, zeta, inducing, (0.5, 2.0)),)
    atoms = random_structure(rng, ("Si", "C"), 5, pbc, length=3.5)
    phi = functionals(compiled, atoms, zeta)

    def power(x):
        out = x
        for _ in range(zeta - 1):
            out = np.einsum("if,id->ifd", out, x).reshape(len(x), -1)
        return out

    # Features of the inducing points, in the block of their species; delta is not in the rows.
    phi_s = scipy.linalg.block_diag(*[power(x) for x in inducing])
    rows = structure_rows(terms, atoms, local=True, stress=True)
    scale = np.repeat([0.5, 2.0], 6**zeta)
    prior = prior_variances(terms, atoms, stress=True)
    for kind in ("energy", "forces", "stress"):
        np.testing.assert_allclose(
            np.atleast_2d(getattr(rows, kind)), phi[kind] @ phi_s.T, atol=1e-7, err_msg=kind
        )
        expected = ((phi[kind] * scale) ** 2).sum(axis=1)
        got = np.atleast_1d(getattr(prior, kind))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9, err_msg=kind)
    np.testing.assert_allclose(rows.local, phi["local"] @ phi_s.T, atol=1e-12)
    assert (prior.forces_size >= prior.forces * (1 - 1e-9)).all()
    assert (prior.stress_size >= prior.stress * (1 - 1e-9)).all()
    values = structure_rows(terms, atoms, local=True, forces=False)
    np.testing.assert_allclose(values.energy, rows.energy, atol=1e-12)
    np.testing.assert_allclose(values.local, rows.local, atol=1e-12)


def test_rows_do_not_depend_on_the_size_of_the_chunks(monkeypatch):
    gp = regressor().fit(frames(4))
    atoms = frames(1, seed=7, n_atoms=7)[0]
    whole = structure_rows(gp.potential_.terms, atoms, local=True, stress=True)
    monkeypatch.setattr("gapy.gp.rows.CHUNK_BYTES", 1)
    parts = structure_rows(gp.potential_.terms, atoms, local=True, stress=True)
    for kind in ("energy", "local", "forces", "stress"):
        np.testing.assert_allclose(getattr(parts, kind), getattr(whole, kind), atol=1e-12)


# -- sufficient statistic and posterior --------------------------------------------------------


def random_problem(rng, sizes=(4, 3), n_rows=30, deltas=(0.8, 1.7)):
    """Two blocks of inducing points, rows of two groups, in plain arrays."""
    inducing = tuple(normalised(rng.normal(size=(m, 7))) for m in sizes)
    terms = (Term(None, 2, inducing, deltas),)
    k_mm = scipy.linalg.block_diag(*[(x @ x.T) ** 2 + JITTER * np.eye(len(x)) for x in inducing])
    delta = np.repeat(deltas, sizes)
    rows, y = rng.normal(size=(n_rows, sum(sizes))), rng.normal(size=n_rows)
    group = rng.integers(0, 2, n_rows)
    weight = rng.uniform(0.3, 3.0, n_rows)
    return terms, k_mm, delta, rows, y, group, weight


SIGMAS = {Group("energy", "a"): 0.3, Group("forces", "b"): 0.7}
KEYS = tuple(SIGMAS)


def statistic_of(rows, y, group, weight, order=None, chunk=7):
    out = SufficientStatistic(rows.shape[1])
    order = np.arange(len(y)) if order is None else order
    for start in range(0, len(y), chunk):
        part = order[start : start + chunk]
        for g in (0, 1):
            take = part[group[part] == g]
            if len(take):
                out.add(KEYS[g], rows[take], y[take], weight[take])
    return out


def noise_of(group, weight):
    return np.array([SIGMAS[k] for k in KEYS])[group] / weight


def sigma_of(*group):
    return SIGMAS[group]


@given(seeds, st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_posterior_equals_direct_least_squares(seed, n_rows):
    rng = np.random.default_rng(seed)
    terms, k_mm, delta, rows, y, group, weight = random_problem(rng, n_rows=n_rows)
    fitted = posterior.solve(
        terms, cholesky_factors(terms), statistic_of(rows, y, group, weight), sigma_of
    )
    noise = noise_of(group, weight)
    prior_precision = k_mm / np.outer(delta, delta)
    precision = prior_precision + (rows.T / noise**2) @ rows
    alpha = np.linalg.solve(precision, rows.T @ (y / noise**2))
    np.testing.assert_allclose(fitted.alpha, alpha, atol=1e-8 * max(1, np.abs(alpha).max()))
    tests = rng.normal(size=(5, rows.shape[1]))
    explained, uncertain = fitted.explained_and_posterior(tests)
    inverse = np.linalg.inv(prior_precision)
    np.testing.assert_allclose(
        explained, np.einsum("nm,mk,nk->n", tests, inverse, tests), rtol=1e-8
    )
    np.testing.assert_allclose(
        uncertain, np.einsum("nm,mn->n", tests, np.linalg.solve(precision, tests.T)), rtol=1e-8
    )


@given(seeds, st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_log_marginal_likelihood_is_that_of_the_covariance(seed, n_rows):
    rng = np.random.default_rng(seed)
    terms, k_mm, delta, rows, y, group, weight = random_problem(rng, n_rows=n_rows)
    fitted = posterior.solve(
        terms, cholesky_factors(terms), statistic_of(rows, y, group, weight), sigma_of
    )
    scaled = rows * delta
    k = scaled @ np.linalg.solve(k_mm, scaled.T)
    covariance = 0.5 * (k + k.T) + np.diag(noise_of(group, weight) ** 2)
    expected = multivariate_normal(np.zeros(n_rows), covariance, allow_singular=False).logpdf(y)
    np.testing.assert_allclose(fitted.log_marginal_likelihood, expected, rtol=1e-8, atol=1e-7)


@given(seeds, st.integers(1, 9), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_order_and_merging_do_not_matter(seed, chunk, n_rows):
    rng = np.random.default_rng(seed)
    _, _, _, rows, y, group, weight = random_problem(rng, n_rows=n_rows)
    one = statistic_of(rows, y, group, weight)
    shuffled = statistic_of(rows, y, group, weight, rng.permutation(n_rows), chunk)
    half = n_rows // 2
    left = statistic_of(rows[:half], y[:half], group[:half], weight[:half])
    right = statistic_of(rows[half:], y[half:], group[half:], weight[half:])
    untouched = {k: f.matrix().copy() for k, f in right.factors.items()}
    left.merge(right)
    for other in (shuffled, left):
        assert other.factors.keys() == one.factors.keys()
        for key, factor in one.factors.items():
            a, b = factor.matrix(), other.factors[key].matrix()
            np.testing.assert_allclose(a.T @ a, b.T @ b, atol=1e-9)
            assert len(a) <= rows.shape[1] + 1
            assert other.factors[key].n_rows == factor.n_rows
            np.testing.assert_allclose(other.factors[key].log_weight, factor.log_weight)
    for key, matrix in untouched.items():
        np.testing.assert_array_equal(right.factors[key].matrix(), matrix)


def test_memory_of_the_statistic_is_bounded():
    rng = np.random.default_rng(0)
    statistic = SufficientStatistic(5)
    for _ in range(50):
        statistic.add(Group("forces", "x"), rng.normal(size=(20, 5)), rng.normal(size=20))
    factor = statistic.factors[Group("forces", "x")]
    assert factor.n_rows == 1000
    assert factor.matrix().shape == (6, 6)


def test_statistics_of_other_inducing_points_do_not_merge():
    with pytest.raises(GapyError, match=r"cannot merge 4 columns into 3.*same inducing points"):
        SufficientStatistic(3).merge(SufficientStatistic(4))


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
        out = loo.leave_one_out(
            gp.potential_.posterior, rows, y, stack.sigma, local, np.full(len(s.atoms), gp.delta**2)
        )
        without = SufficientStatistic(gp.statistic_.n_columns)
        for j, other in enumerate(everything):
            if j != k:
                add_labels(without, other[1])
        refit = posterior.solve(terms, gp.training_.cholesky, without, noise.sigma)
        np.testing.assert_allclose(out.residual, y - rows @ refit.alpha, rtol=1e-5, atol=1e-7)
        explained, uncertain = refit.explained_and_posterior(local)
        expected = np.sqrt(np.maximum(gp.delta**2 - explained, 0) + uncertain)
        np.testing.assert_allclose(out.local_std, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("true", [((1e-8, 0.03), (1e-4, 0.3)), ((1e-6, 0.01),), ((4e-8, 0.1),)])
def test_calibration_recovers_known_coefficients(true):
    rng = np.random.default_rng(0)
    indicators = calibration.Indicators(
        *10.0 ** rng.uniform(-8, -4, (3, 4000)), 10.0 ** rng.uniform(-3, 1, 4000), np.zeros(4000)
    )
    known = calibration.ForceCalibration(true)
    errors = known.sigma(indicators)[:, None] * rng.normal(size=(4000, 3))
    found = calibration.calibrate_forces(errors, indicators, np.ones(4000, dtype=bool), 10.0)
    ratio = found.sigma(indicators) / known.sigma(indicators)
    # A corner of the true curve lies between two points of the one that is found.
    assert np.median(np.abs(ratio - 1.0)) < 0.1 and np.quantile(np.abs(ratio - 1.0), 0.9) < 0.3
    assert found.beyond == 10.0


def test_calibration_covers_errors_with_long_tails():
    rng = np.random.default_rng(1)
    n = 4000
    indicators = calibration.Indicators(
        *10.0 ** rng.uniform(-6, -4, (3, n)), np.ones(n), np.zeros(n)
    )
    known = calibration.ForceCalibration(((1e-7, 0.01),))
    errors = known.sigma(indicators)[:, None] * rng.standard_t(4, size=(n, 3))
    told = np.ones(n, dtype=bool)
    told[: n // 5] = False  # zero by symmetry: right whatever sigma says
    errors[~told] = 0.0
    found = calibration.calibrate_forces(errors, indicators, told, 10.0)
    z = np.abs(errors[told]) / found.sigma(indicators)[told, None]
    assert 0.64 < (z < 1.0).mean() < 0.76
    assert 0.91 < (z < 1.96).mean() < 0.97


def test_sigma_grows_with_its_indicators_even_where_errors_are_all_alike():
    rng = np.random.default_rng(2)
    indicators = calibration.Indicators(
        *10.0 ** rng.uniform(-7, -5, (3, 500)), np.ones(500), np.zeros(500)
    )
    errors = 0.1 * rng.normal(size=(500, 3))
    found = calibration.calibrate_forces(errors, indicators, np.ones(500, dtype=bool), 10.0)
    far = calibration.Indicators(*np.ones((4, 1)), np.zeros(1))
    typical = np.sqrt((found.sigma(indicators) ** 2).mean())
    assert typical == pytest.approx(0.1, rel=0.2)
    assert found.sigma(far)[0] > 10.0 * typical


@pytest.mark.parametrize("names", calibration.CHOICES)
def test_sigma_follows_what_ranks_the_left_out_errors(names):
    rng = np.random.default_rng(3)
    first, distances, variances = 10.0 ** rng.uniform(-7, -3, (3, 800))
    noise = 10.0 ** rng.uniform(-7, -3, 800)  # an indicator that has nothing to do with errors
    truth = calibration.Indicators(first, distances, variances, np.ones(800), np.zeros(800))
    curve = ((1e-9, 0.003), (1e-3, 3.0))
    errors = calibration.ForceCalibration(curve, follows=names).sigma(truth)[:, None]
    given = truth._replace(**{n: noise for n in calibration.ALL if n not in names})
    told = np.ones(800, dtype=bool)
    found = calibration.calibrate_forces(errors * rng.normal(size=(800, 3)), given, told, 1.0)
    assert found.follows == names


def test_forces_that_vanish_by_symmetry_rank_below_others():
    known = calibration.ForceCalibration(((1e-8, 0.01), (1e-4, 0.3)), beyond=1.0)
    same, far = np.full(2, 1e-5), np.full(2, 4.0)
    forces = np.array([0.0, 1.0])
    for beyond in (np.zeros(2), far):
        still, moving = known.sigma(calibration.Indicators(same, same, same, forces, beyond))
        assert 0.5 * moving < still < 0.9 * moving


def test_calibration_without_forces():
    empty = np.empty(0)
    none = calibration.Indicators(empty, empty, empty, empty, empty)
    found = calibration.calibrate_forces(np.empty((0, 3)), none, np.empty(0, dtype=bool), 0.1)
    assert found == calibration.ForceCalibration(((0.1**2, 0.1),), 0.1)


def test_distance_without_own_inducing_points_equals_a_smaller_set():
    training = frames(8, seed=12)
    gp = regressor().fit(training)
    fitted, noise = gp.potential_.posterior, gp.initial_noise()
    block = next(b for b in fitted.blocks if b.slot == 0)
    s = from_atoms(training)[0]
    rows, labels = labels_in(gp, s)
    stack = stacked(labels, noise)
    out = loo.leave_one_out(
        fitted,
        stack.rows,
        stack.y,
        stack.sigma,
        rows.local,
        np.full(len(s.atoms), gp.delta**2),
    )
    own = (rows.local[:, block.columns] > loo.OWN).any(axis=0)
    assert own.any() and not own.all()
    x_sd = block.x_sd[~own]
    k_mm = (x_sd @ x_sd.T) ** block.zeta + JITTER * np.eye(len(x_sd))
    central = s.atoms.numbers == gp.potential_.terms[0].descriptor.species[0]
    k = rows.local[central][:, block.columns][:, ~own]
    expected = gp.delta**2 * (1.0 - np.einsum("im,mi->i", k, np.linalg.solve(k_mm, k.T)))
    np.testing.assert_allclose(out.distances[central], expected, rtol=1e-3, atol=1e-7)


# -- noise -------------------------------------------------------------------------------------


def test_noise_by_kind_config_type_and_structure_equals_an_explicit_covariance():
    training = frames(6, seed=12)
    for k, atoms in enumerate(training):
        atoms.info["config_type"] = "liquid" if k % 2 else "crystal"
    training[2].info["energy_sigma"] = 0.5
    training[3].info["forces_sigma"] = 0.01
    training[4].info["stress_sigma"] = 0.2
    overrides = {"liquid": {"forces": 0.4, "energy": 0.1}}
    gp = regressor(noise_overrides=overrides).fit(training)
    rows, y, noise = [], [], []
    base = {"energy": 0.02, "forces": 0.1, "stress": 0.01}
    for k, atoms in enumerate(training):
        found = structure_rows(gp.training_.terms, atoms, stress=True)
        for kind, value in labels(atoms).items():
            sigma = overrides.get(atoms.info["config_type"], {}).get(kind, base[kind])
            sigma = {(2, "energy"): 0.5, (3, "forces"): 0.01, (4, "stress"): 0.2}.get(
                (k, kind), sigma
            )
            if kind == "energy":
                sigma *= np.sqrt(len(atoms))
            rows.append(np.atleast_2d(getattr(found, kind)))
            y.append(value)
            noise.append(np.full(len(value), sigma))
    rows, y, noise = np.vstack(rows), np.concatenate(y), np.concatenate(noise)
    k_mm = scipy.linalg.block_diag(*[low @ low.T for low in gp.training_.cholesky])
    precision = k_mm + (rows.T / noise**2) @ rows
    mean = rows @ np.linalg.solve(precision, rows.T @ (y / noise**2))
    np.testing.assert_allclose(rows @ gp.potential_.posterior.alpha, mean, atol=5e-6)
    covariance = rows @ np.linalg.solve(k_mm, rows.T)
    covariance = 0.5 * (covariance + covariance.T) + np.diag(noise**2)
    expected = multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)
    assert gp.log_marginal_likelihood() == pytest.approx(expected, rel=1e-6)


def test_likelihood_for_other_noise_equals_a_refit():
    training = frames(5, seed=13)
    gp = regressor().fit(training)
    other = regressor(sigma_energy=0.1, sigma_forces=0.3, sigma_stress=0.02).fit(training)
    noise = Noise(energy=0.1, forces=0.3, stress=0.02)
    assert gp.log_marginal_likelihood(noise) == pytest.approx(other.log_marginal_likelihood())
    assert gp.log_marginal_likelihood() == gp.potential_.metadata["log_marginal_likelihood"]


# -- incremental fits --------------------------------------------------------------------------


def test_partial_fit_equals_a_fit_of_everything_with_the_same_inducing_points():
    one, two, three = frames(5, seed=14), frames(4, seed=15), frames(1, seed=16)
    gp = regressor(e0={"Si": -1.0, "C": 0.5}).fit(one)
    terms = gp.training_.terms
    before = gp.potential_.posterior.alpha.copy()
    gp.partial_fit(two).partial_fit(three)
    assert gp.training_.terms is terms
    assert gp.n_structures_ == 10
    statistic = SufficientStatistic(gp.statistic_.n_columns)
    for s in from_atoms([*three, *two, *one]):
        add_labels(statistic, labels_in(gp, s)[1])
    expected = posterior.solve(terms, gp.training_.cholesky, statistic, gp.initial_noise().sigma)
    got = gp.potential_.posterior
    assert np.abs(got.alpha - before).max() > 1e-3 * np.abs(before).max()
    rows = structure_rows(terms, three[0], local=True, stress=True)
    for kind in ("energy", "forces", "stress", "local"):
        np.testing.assert_allclose(
            getattr(rows, kind) @ got.alpha, getattr(rows, kind) @ expected.alpha, atol=1e-7
        )
    assert got.log_marginal_likelihood == pytest.approx(expected.log_marginal_likelihood)


def test_partial_fit_of_nothing_fitted_is_a_fit():
    training = frames(4)
    one, two = regressor().partial_fit(training), regressor().fit(training)
    np.testing.assert_array_equal(one.potential_.posterior.alpha, two.potential_.posterior.alpha)


def test_partial_fit_leaves_earlier_potentials_alone():
    gp = regressor().fit(frames(4))
    old, atoms = gp.potential_, frames(1, seed=3)[0]
    energy = old.evaluate(atoms).energy
    gp.partial_fit(frames(4, seed=1))
    assert old.evaluate(atoms).energy == energy
    assert gp.potential_.evaluate(atoms).energy != energy


def test_a_species_without_inducing_points_is_refused():
    """Without them its energy would be zero and its sigma too: certainty out of nothing."""
    only_si = frames(4, symbols=("Si",))
    for e0 in ("zero", {"Si": 0.0, "C": 0.0}):
        gp = regressor(e0=e0).fit(only_si)
        assert gp.potential_.species == (14,)
        mixed = frames(1, seed=2)[0]
        with pytest.raises(SpeciesError, match=r"fitted for \['Si'\], the structure also .*'C'"):
            gp.potential_.evaluate(mixed)
        with pytest.raises(SpeciesError, match="fit with structures that contain them"):
            gp.partial_fit([mixed])


# -- selection of inducing points --------------------------------------------------------------

METHODS = sorted(selection.METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_selection_is_distinct_bounded_and_reproducible(method):
    x = normalised(np.random.default_rng(0).normal(size=(60, 5)) + 2.0)
    for n in (1, 7, 60, 500):
        chosen, again = (
            selection.select(x, n, 2, method, np.random.default_rng(5)) for _ in range(2)
        )
        np.testing.assert_array_equal(chosen, again)
        assert len(set(chosen.tolist())) == len(chosen) <= min(n, 60)
        assert chosen.min() >= 0 and chosen.max() < 60
        if n <= 7 and method != "kmeans":
            assert len(chosen) == n
    assert len(selection.select(x, 7, 2, method, np.random.default_rng(5))) >= 1


@pytest.mark.parametrize("method", METHODS)
def test_selection_drops_repeated_and_zero_rows(method):
    base = normalised(np.random.default_rng(1).normal(size=(4, 5)))
    x = np.vstack([np.zeros((2, 5)), np.repeat(base, 6, axis=0)])
    chosen = selection.select(x, 20, 2, method, np.random.default_rng(0))
    assert x[chosen].any(axis=1).all()
    assert len(np.unique(np.round(x[chosen], 6), axis=0)) == len(chosen) <= 4
    if method != "kmeans":
        assert len(chosen) == 4
    assert len(selection.select(np.zeros((3, 5)), 2, 2, method, np.random.default_rng(0))) == 1


def test_choice_in_blocks_is_that_of_one_point_after_the_other():
    rng = np.random.default_rng(4)
    x = rng.random((900, 7)) + 0.3
    x /= np.linalg.norm(x, axis=1)[:, None]
    k = (x @ x.T) ** 3
    first = int(np.argmin(((x - x.mean(axis=0)) ** 2).sum(axis=1)))
    expected, residual = [first], k - np.outer(k[first], k[first]) / k[first, first]
    while len(expected) < 70:  # 84 cubic forms of 7 variables span all of it
        pivot = int(np.argmax(np.diag(residual)))
        residual = residual - np.outer(residual[pivot], residual[pivot]) / residual[pivot, pivot]
        expected.append(pivot)
    chosen = selection.pivoted_cholesky(x, 70, 3, rng)
    assert chosen.tolist() == expected


def test_pivoted_cholesky_is_greedy_in_the_unexplained_variance():
    x = normalised(np.random.default_rng(2).normal(size=(40, 4)))
    chosen = selection.select(x, 6, 3, "cholesky", np.random.default_rng(0))
    k = (x @ x.T) ** 3
    for step in range(1, 6):
        s = chosen[:step]
        explained = k[:, s] @ np.linalg.solve(k[np.ix_(s, s)], k[s])
        residual = np.diag(k - explained)
        assert residual[chosen[step]] == pytest.approx(residual.max(), abs=1e-9)


def test_farthest_point_is_greedy_in_the_distance():
    x = normalised(np.abs(np.random.default_rng(2).normal(size=(40, 4))))
    chosen = selection.select(x, 6, 2, "farthest", np.random.default_rng(0))
    k = (x @ x.T) ** 2
    for step in range(1, 6):
        nearest = k[:, chosen[:step]].max(axis=1)
        assert nearest[chosen[step]] == pytest.approx(nearest.min())


def test_selection_errors():
    x = np.eye(3)
    with pytest.raises(GapyError, match=r"selection: expected one of \['cholesky'.*got 'best'"):
        selection.select(x, 2, 2, "best", np.random.default_rng(0))
    with pytest.raises(GapyError, match="n_inducing: expected at least 1, got 0"):
        selection.select(x, 0, 2, "random", np.random.default_rng(0))


@pytest.mark.parametrize("method", METHODS)
def test_every_selection_fits(method):
    training = frames(6, seed=20)
    gp = regressor(selection=method, n_inducing=8).fit(training)
    again = regressor(selection=method, n_inducing=8).fit(training)
    np.testing.assert_array_equal(gp.potential_.posterior.alpha, again.potential_.posterior.alpha)
    assert all(len(x) <= 8 for x in gp.potential_.terms[0].inducing)
    assert gp.score(training) > 0.5


def test_inducing_points_per_species():
    training = frames(6, seed=21)
    gp = regressor(n_inducing={"Si": 3, "C": 5}).fit(training)
    by_species = dict(
        zip(gp.potential_.terms[0].descriptor.species, gp.potential_.terms[0].inducing)
    )
    assert {z: len(x) for z, x in by_species.items()} == {14: 3, 6: 5}
    by_number = regressor(n_inducing={14: 3, 6: 5}).fit(training)
    np.testing.assert_array_equal(
        gp.potential_.posterior.alpha, by_number.potential_.posterior.alpha
    )
    with pytest.raises(GapyError, match=r"expected a number for C, got keys \['Si'\]; add it"):
        regressor(n_inducing={"Si": 3}).fit(training)


def test_the_seed_decides():
    training = frames(8, seed=22)
    first, same, other = (
        regressor(selection="random", n_inducing=5, seed=s).fit(training) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.potential_.posterior.alpha, same.potential_.posterior.alpha)
    assert first.potential_.calibration == same.potential_.calibration
    assert not np.array_equal(
        first.potential_.terms[0].inducing[0], other.potential_.terms[0].inducing[0]
    )


def test_threads_do_not_change_the_fit():
    training = frames(8, seed=23)
    one, two = (regressor(threads=t).fit(training) for t in (1, 2))
    np.testing.assert_allclose(
        one.potential_.posterior.alpha, two.potential_.posterior.alpha, rtol=1e-6, atol=1e-8
    )


def test_reservoir_is_uniform_and_bounded():
    counts = np.zeros(20)
    for seed in range(400):
        pool = selection.Reservoir(5, 1, np.random.default_rng(seed))
        stream = np.arange(20.0)[:, None]
        for part in np.split(stream, [3, 4, 11]):
            pool.add(part)
        rows = pool.rows()
        assert rows.shape == (5, 1)
        assert len(np.unique(rows)) == 5
        counts[rows.ravel().astype(int)] += 1
    # 400 draws with probability 1/4 each: 100 expected, standard deviation 8.7.
    assert np.abs(counts - 100).max() < 4 * 8.7


def test_reservoir_keeps_short_streams_and_repeats_for_a_seed():
    stream = np.random.default_rng(0).normal(size=(30, 2))
    pool = selection.Reservoir(50, 2, np.random.default_rng(1))
    pool.add(stream[:10])
    pool.add(stream[10:])
    np.testing.assert_array_equal(pool.rows(), stream)
    pools = [selection.Reservoir(7, 2, np.random.default_rng(3)) for _ in range(2)]
    for pool in pools:
        pool.add(stream)
        assert pool.rows().shape == (7, 2)
    np.testing.assert_array_equal(pools[0].rows(), pools[1].rows())
    assert selection.Reservoir(7, 2, np.random.default_rng(3)).rows().shape == (0, 2)


# -- sigma -------------------------------------------------------------------------------------


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_sigma_is_finite_and_between_zero_and_the_prior(seed):
    rng = np.random.default_rng(seed)
    gp = fitted_once()
    pbc = [(1, 1, 1), (0, 1, 1), (0, 0, 0)][seed % 3]
    atoms = random_structure(rng, ("Si", "C"), 4, pbc, min_distance=0.9, length=3.2)
    _, std = gp.potential_.predict(atoms)
    prior = prior_variances(gp.potential_.terms, atoms, stress=atoms.pbc.any())
    pairs = [(std.energy, prior.energy), (std.energies, 1.0), (std.forces.ravel(), prior.forces)]
    if atoms.pbc.any():
        pairs.append((std.stress, prior.stress))
    for sigma, variance in pairs:
        assert np.isfinite(sigma).all()
        assert (np.asarray(sigma) <= np.sqrt(variance) * (1 + 1e-6) + 1e-12).all()


_CACHE = {}


def fitted_once():
    if "gp" not in _CACHE:
        soap = smooth_soap(["Si", "C"], r_cut=3.5, n_max=3, l_max=3)
        _CACHE["frames"] = frames(10, seed=30)
        _CACHE["gp"] = regressor(soap, zeta=4, delta=1.0).fit(_CACHE["frames"])
    return _CACHE["gp"]


def test_sigma_goes_to_the_prior_far_from_the_data():
    crystal = [bulk("Si", cubic=True) for _ in range(4)]
    for k, atoms in enumerate(crystal):
        atoms.rattle(0.02, seed=k)
        morse_labels(atoms)
    soap = smooth_soap(["Si"], r_cut=4.0, n_max=6, l_max=6, weighting={
        "function": "poly", "r0": 4.0, "c": 1.0, "m": 1.0, "w0": 0.0,
    })  # fmt: skip
    gp = regressor(soap, zeta=8, delta=0.5).fit(crystal)
    near = gp.potential_.predict(crystal[0])[1].energies
    strange = Atoms("Si2", [[0, 0, 0], [1.2, 0, 0]])
    far = gp.potential_.predict(strange)[1].energies
    assert near.max() < 0.05 * 0.5
    assert (far > 0.9 * 0.5).all() and (far <= 0.5 * (1 + 1e-9)).all()
    fast = gp.potential_.evaluate(strange, local_std=True).energies_std
    np.testing.assert_allclose(fast, far, rtol=1e-6)


def test_sigma_at_a_training_structure_is_of_the_order_of_the_noise():
    gp, training = fitted_once(), _CACHE["frames"]
    for atoms in training[:4]:
        mean, std = gp.potential_.predict(atoms)
        noise = 0.02 * np.sqrt(len(atoms))
        assert 0.01 * noise < std.energy < 1.5 * noise
        assert std.forces.max() < 3 * 0.1
        assert abs(mean.energy - atoms.info["REF_energy"]) < 4 * noise


def test_sigma_of_a_perfect_crystal_where_forces_vanish_by_symmetry():
    gp = fitted_once()
    crystals = [bulk("Si", cubic=True), bulk("Si"), bulk("Si", "fcc", a=3.8)]
    for atoms in [*crystals, bulk("Si", "hcp", a=2.7, c=4.4), bulk("SiC", "zincblende", a=4.4)]:
        _, std = gp.potential_.predict(atoms)
        assert np.isfinite(std.forces).all() and np.isfinite(std.stress).all()
        assert std.forces.max() < 1e-6
        assert std.stress[:3].min() > 0.0


# -- what a training set may hold --------------------------------------------------------------


@pytest.mark.parametrize(
    "keep", [("energy",), ("forces",), ("energy", "stress"), ("forces", "stress")]
)
def test_partly_labelled_sets(keep):
    training = frames(6, seed=40, keep=keep)
    gp = regressor().fit(training)
    kinds = {k for by_type in gp.potential_.metadata["n_labels"].values() for k in by_type}
    assert kinds == set(keep)
    mean, _ = gp.predict(training, return_std=True)
    assert np.isfinite(mean.energy).all()
    assert gp.score(training) > 0.3


def test_mixed_labels_and_a_structure_whose_only_label_is_not_used():
    training = frames(5, seed=41)
    training[1].info.pop("REF_energy")
    training[2].arrays.pop("REF_forces")
    del training[3].info["REF_energy"], training[3].arrays["REF_forces"]
    gp = regressor(fit_stress=False).fit(training)
    # Energies of 0, 2 and 4, forces of 0, 1 and 4; of structure 3 nothing.
    n_forces = 3 * sum(len(training[k]) for k in (0, 1, 4))
    assert gp.potential_.metadata["n_labels"] == {"default": {"energy": 3, "forces": n_forces}}
    # Calibrated on the left-out errors of these forces, no better than the fit, no worse than none.
    forces = np.concatenate([training[k].arrays["REF_forces"] for k in (0, 1, 4)])
    fitted = np.concatenate([gp.potential_.evaluate(training[k]).forces for k in (0, 1, 4)])
    left_out = gp.potential_.calibration.curve[-1][1]
    assert np.sqrt(((fitted - forces) ** 2).mean()) < left_out < 2.0 * np.sqrt((forces**2).mean())


def test_isolated_atoms_with_forces_are_rows_without_neighbours():
    atom = Atoms("Si", cell=[20, 20, 20], pbc=True)
    atom.info |= {"REF_energy": -100.0, "config_type": "IsolatedAtom"}
    atom.arrays["REF_forces"] = np.zeros((1, 3))
    training = frames(4, seed=42, symbols=("Si",))
    for atoms in training:
        atoms.info["REF_energy"] -= 100.0 * len(atoms)
    gp = regressor(tiny_soap(("Si",)), e0="auto").fit([*training, atom])
    assert gp.e0_ == {14: -100.0}
    mean, std = gp.potential_.predict(Atoms("Si"))
    assert mean.energy == pytest.approx(-100.0, abs=0.1)
    assert mean.stress is None and std.stress is None
    assert not mean.forces.any() and not std.forces.any()


def test_hidden_centres_leave_isolated_atoms_without_a_descriptor():
    """w0 = 0: an atom without neighbours has x = 0, so its local energy is e0, sigma the prior."""
    weighting = {"function": "poly", "r0": 3.5, "c": 1.0, "m": 1.0, "w0": 0.0}
    soap = smooth_soap(["Si"], r_cut=3.5, n_max=3, l_max=3, weighting=weighting)
    training = frames(5, seed=43, symbols=("Si",))
    for atoms in training[:2]:
        far = Atoms("Si", [[50.0, 50.0, 50.0]])
        atoms.pbc = False
        atoms += far
        morse_labels(atoms)
        atoms.info.pop("REF_stress", None)
    for method in METHODS:
        gp = regressor(soap, selection=method, n_inducing=6, e0={"Si": 2.0}).fit(training)
        inducing = gp.potential_.terms[0].inducing[0]
        assert inducing.any(axis=1).all()
        out = gp.potential_.evaluate(Atoms("Si"), local_std=True)
        assert out.energy == 2.0
        assert out.energies_std[0] == pytest.approx(gp.delta)
        assert not out.forces.any()


def test_labelled_structures_pass_through():
    training = frames(5, seed=44)
    direct, labelled = regressor().fit(training), regressor().fit(from_atoms(training))
    np.testing.assert_array_equal(
        direct.potential_.posterior.alpha, labelled.potential_.posterior.alpha
    )
    s = from_atoms(training)[0]
    assert direct.predict(s).energy == direct.predict([training[0]]).energy
    assert direct.predict(training[0]).energy.shape == (1,)
    assert direct.score(from_atoms(training)) == direct.score(training)


def test_predict_agrees_with_and_without_sigma():
    gp, tests = fitted_once(), [*frames(2, seed=50), *frames(1, seed=51, pbc=(0, 0, 0))]
    fast = gp.predict(tests)
    mean, std = gp.predict(tests, return_std=True)
    np.testing.assert_allclose(fast.energy, mean.energy, atol=1e-9)
    np.testing.assert_array_equal(np.asarray(fast), fast.energy)
    for k in range(3):
        np.testing.assert_allclose(fast.forces[k], mean.forces[k], atol=1e-8)
        np.testing.assert_allclose(fast.energies[k], mean.energies[k], atol=1e-9)
    np.testing.assert_allclose(fast.stress[0], mean.stress[0], atol=1e-9)
    assert fast.stress[2] is None and mean.stress[2] is None and std.stress[2] is None


# -- scikit-learn's manners --------------------------------------------------------------------


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


# -- several terms -----------------------------------------------------------------------------


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


# -- errors ------------------------------------------------------------------------------------


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
        ({"descriptor": []}, "descriptor: expected at least one, got an empty list"),
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
    terms = (Term(None, 2, (np.full((2, 3), np.nan),), (1.0,)),)
    with pytest.raises(GapyError, match=r"K_MM of 2 points is not positive definite.*cholesky"):
        cholesky_factors(terms)
