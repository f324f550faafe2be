"""Pair terms: against a dense Gaussian process, finite differences and the slow general way."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from helpers import along_atom, along_strain, labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.descriptors.pair import PairDescriptor
from gapy.errors import GapyError, SpeciesError
from gapy.fit.pair_settings import Pair
from gapy.geometry.pairs import Pairs, pairs_within
from gapy.gp.terms import Term, blocks
from gapy.model.pair_table import KNOTS, pair_tables, summed

PAIR = Pair(r_cut=4.5, length=0.7, n_inducing=14, transition=1.5)
SPECIES = ("Al", "Cu")


def soap():
    return smooth_soap(SPECIES, r_cut=4.0, n_max=2, l_max=1)


@pytest.fixture(scope="module")
def frames():
    return labelled_frames(12, seed=3)


@pytest.fixture(scope="module")
def potential(frames):
    return gapy.SparseGPRegressor([soap(), PAIR], 8, 2, optimize=True).fit(frames).potential_


def dense_kernel(pair, a, b):
    """cov of f(a) and f(b) at delta = 1, written out."""

    def fading(r):
        u = np.clip((r - pair.r_cut) / pair.transition + 1, 0, 1)
        return 1 - 10 * u**3 + 15 * u**4 - 6 * u**5

    k = np.exp(-((a[:, None] - b) ** 2) / (2 * pair.length**2))
    return fading(a)[:, None] * k * fading(b)


def test_features_carry_the_squared_exponential_kernel():
    descriptor = PAIR.descriptor([13, 29])
    assert descriptor.slots == ((13, 13), (13, 29), (29, 29))
    r = np.linspace(2.0, 4.6, 60)
    for slot in range(3):
        phi, slope = descriptor.features(slot, r)
        np.testing.assert_allclose(phi @ phi.T, dense_kernel(PAIR, r, r), atol=1e-5)
        h = 1e-5
        up, down = (descriptor.features(slot, r + x)[0] for x in (h, -h))
        np.testing.assert_allclose(slope, (up - down) / (2 * h), atol=1e-7)
    # Energy, force and curvature vanish at the cutoff.
    edge = np.array([PAIR.r_cut - 1e-4, PAIR.r_cut, PAIR.r_cut + 0.1])
    phi, slope = descriptor.features(0, edge)
    assert np.abs(phi).max() < 1e-9 and np.abs(slope).max() < 1e-6


def test_a_fit_of_pairs_alone_is_a_dense_gaussian_process():
    """Energies of dimers: the mean and variance of the textbook formulas."""
    r_train, sigma, delta = np.linspace(1.9, 4.2, 9), 0.01, 2.0
    e_train = 3.0 * np.exp(-2 * (r_train - 1.9)) - np.exp(-(r_train - 1.9))

    def dimer(r):
        return Atoms("CuAl", [[0, 0, 0], [r, 0, 0]])

    frames = [dimer(r) for r in r_train]
    for atoms, e in zip(frames, e_train):
        atoms.info["REF_energy"] = e
    tiny = gapy.TermSettings(soap(), delta=1e-9, n_inducing=1)
    gp = gapy.SparseGPRegressor(
        [tiny, PAIR], delta=delta, sigma_energy=sigma / np.sqrt(2), e0="zero", baselines=()
    ).fit(frames)
    r_new = np.linspace(1.8, 4.4, 17)
    k = delta**2 * dense_kernel(PAIR, r_train, r_train) + sigma**2 * np.eye(len(r_train))
    cross = delta**2 * dense_kernel(PAIR, r_new, r_train)
    mean = cross @ np.linalg.solve(k, e_train)
    prior = np.diag(delta**2 * dense_kernel(PAIR, r_new, r_new))
    variance = prior - np.einsum("ij,ji->i", cross, np.linalg.solve(k, cross.T))
    for r, e, v in zip(r_new, mean, variance):
        found, std = gp.potential_.predict(dimer(r))
        assert found.energy == pytest.approx(e, abs=2e-4)
        assert std.energy == pytest.approx(np.sqrt(max(v, 0)), abs=2e-3)
        assert std.energies[0] == pytest.approx(std.energy / 2, rel=1e-3, abs=1e-6)


def test_tables_equal_the_functions_to_1e_8(potential):
    (table,) = potential.pair_tables
    term = potential.terms[1]
    assert table.knots_tk.shape == (3, KNOTS, 2)
    for block in (b for b in potential.posterior.blocks if b.of_pairs):
        alpha = potential.posterior.alpha[block.columns]
        pair = term.descriptor.slots[block.slot]
        size = None
        for r in np.linspace(1.5, 4.49, 40):
            phi, slope = term.descriptor.features(block.slot, np.array([r]))
            numbers = np.array(pair)
            pairs = pairs_within(Atoms(numbers, [[0, 0, 0], [r, 0, 0]]), 4.5)
            out = summed([table], numbers, pairs)
            size = size or np.abs(alpha).max()
            assert abs(out.energies.sum() - phi[0] @ alpha) < 1e-9 * size
            assert abs(out.forces[1, 0] + slope[0] @ alpha) < 1e-8 * size


def test_the_table_is_what_the_engine_gives_by_the_general_way(potential, frames):
    """The descriptor's own reverse pass, slow and plain."""
    term = potential.terms[1]
    alpha = potential.posterior.alpha
    for atoms in frames[:4]:
        pairs = pairs_within(atoms, potential.pairs_cutoff)
        env = term.descriptor.select(atoms.numbers, pairs)
        energies, forces, virial = np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((3, 3))
        # As if its first atom were another structure.
        by_structure, first_m = (np.zeros_like(forces), np.zeros((2, 3, 3))), [0, 1, len(atoms)]
        of_first = (np.zeros_like(forces), np.zeros((3, 3)))
        store = term.descriptor.gradient_store(env)
        for block in (b for b in potential.posterior.blocks if b.of_pairs):
            for begin, end in env.blocks(block.slot, 2):
                state, x_id = term.descriptor.forward(env, begin, end)
                energies[env.atom_i[begin:end]] += x_id @ alpha[block.columns]
                g_id = np.tile(alpha[block.columns], (end - begin, 1))
                term.descriptor.backward(env, begin, end, state, g_id, store)
                term.descriptor.collect(env, begin, end, store, forces, virial)
                term.descriptor.collect(env, begin, end, store, *by_structure, first_m)
                n_first = int(np.searchsorted(env.atom_i[begin:end], 1))
                term.descriptor.collect(env, begin, begin + n_first, store, *of_first)
        np.testing.assert_allclose(by_structure[0], forces, atol=1e-12)
        np.testing.assert_allclose(by_structure[1][0], of_first[1], atol=1e-12)
        np.testing.assert_allclose(by_structure[1][1], virial - of_first[1], atol=1e-12)
        out = summed(potential.pair_tables, atoms.numbers, pairs)
        np.testing.assert_allclose(out.energies, energies, atol=1e-7)
        np.testing.assert_allclose(out.forces, forces, atol=1e-6)
        np.testing.assert_allclose(out.virial, virial, atol=1e-6)
        assert np.abs(forces).max() > 0.01


def test_forces_and_stress_are_derivatives(potential, frames):
    def energy(atoms):
        return potential.evaluate(atoms).energy

    atoms = frames[2]
    out = potential.evaluate(atoms)
    scale = max(np.abs(out.forces).max(), 0.1)
    for j, c in ((0, 0), (1, 2), (len(atoms) - 1, 1)):
        assert abs(out.forces[j, c] + along_atom(energy, atoms, j, c)) < 1e-5 * scale
    for v, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        assert abs(out.virial[a, b] - along_strain(energy, atoms, v)) < 1e-5 * scale


def test_every_face_of_the_model_agrees(potential, frames):
    atoms = frames[1]
    out = potential.evaluate(atoms, force_std=True, local_std=True)
    mean, std = potential.predict(atoms)
    assert out.energy == pytest.approx(mean.energy, abs=1e-6)
    np.testing.assert_allclose(out.forces, mean.forces, atol=1e-6)
    np.testing.assert_allclose(out.energies_std, std.energies, rtol=1e-9)
    (many,) = potential.evaluate_many([atoms], "local")
    np.testing.assert_allclose(many.energies_std, out.energies_std, rtol=1e-9)
    several = potential.evaluate_many(frames[:5], force_std=True)
    for one, of in zip(several, frames):
        alone = potential.evaluate(of, force_std=True)
        assert one.energy == pytest.approx(alone.energy, abs=1e-8)
        np.testing.assert_allclose(one.virial, alone.virial, atol=1e-8)
        np.testing.assert_allclose(one.forces, alone.forces, atol=1e-8)
        np.testing.assert_allclose(one.forces_std, alone.forces_std, rtol=1e-4)
    arrays = potential.evaluate_arrays(atoms.numbers, pairs_within(atoms, potential.pairs_cutoff))
    np.testing.assert_allclose(arrays.forces, out.forces, atol=1e-9)


def test_samples_carry_the_pair_term(potential, frames):
    committee = potential.sample(3, seed=1)
    atoms = frames[1]
    out = committee.evaluate(atoms, forces_members=True)
    alone = [p.evaluate(atoms) for p in committee.potentials]
    for k, one in enumerate(alone):
        assert out.energy_members[k] == pytest.approx(one.energy, abs=1e-7)
        np.testing.assert_allclose(out.forces_members[k], one.forces, atol=1e-7)
        np.testing.assert_allclose(out.virial_members[k], one.virial, atol=1e-7)
    driven = committee.evaluate(atoms, driver=2)
    np.testing.assert_allclose(driven.forces, alone[2].forces, atol=1e-7)
    mean = potential.evaluate(atoms).forces
    spread = np.mean([((one.forces - mean) ** 2).mean(axis=1) for one in alone], axis=0)
    np.testing.assert_allclose(committee.force_spread(atoms), spread, rtol=1e-6)


def test_two_domains_with_ghosts_equal_the_cell(potential):
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    atoms.numbers[::3] = 13
    atoms.rattle(0.1, seed=2)
    whole = summed(potential.pair_tables, atoms.numbers, pairs_within(atoms, 4.5))
    total = np.zeros((len(atoms), 3))
    every = pairs_within(atoms, 4.5)
    for owned in (slice(0, 3), slice(3, len(atoms))):
        centres = np.arange(len(atoms))[owned]
        spans = [slice(every.first_i[k], every.first_i[k + 1]) for k in centres]
        part = Pairs(
            centres, np.cumsum([0, *(s.stop - s.start for s in spans)]),
            np.concatenate([every.j_p[s] for s in spans]),
            np.concatenate([every.r_pc[s] for s in spans]), 4.5,
        )  # fmt: skip
        total += summed(potential.pair_tables, atoms.numbers, part).forces
    np.testing.assert_allclose(total, whole.forces, atol=1e-10)


def test_files_keep_it_to_the_last_bit(potential, frames, tmp_path):
    potential.save(tmp_path / "p.gapy")
    again = gapy.load(tmp_path / "p.gapy")
    one, other = (p.evaluate(frames[0], force_std=True) for p in (potential, again))
    assert one.energy == other.energy
    np.testing.assert_array_equal(one.forces, other.forces)
    np.testing.assert_array_equal(one.forces_std, other.forces_std)
    assert again.sha256 == potential.sha256


def test_shards_merge_and_updates_go_on(frames):
    gp = gapy.SparseGPRegressor([soap(), PAIR], 8, 2)
    whole = gp.fit(frames).potential_
    from gapy.fit.solving import solve
    from gapy.fit.training import absorb, merge
    from gapy.fit.update import UpdateSettings, update
    from gapy.structures import from_atoms

    start, structures = gp.begin(frames), from_atoms(frames)
    parts = [absorb(start, structures[k::3]) for k in range(3)]
    merged = solve(merge(parts[2], merge(parts[0], parts[1]))).potential
    for atoms in frames[:3]:
        expected = whole.evaluate(atoms).forces
        np.testing.assert_allclose(merged.evaluate(atoms).forces, expected, atol=1e-7)
    half = gapy.SparseGPRegressor([soap(), PAIR], 8, 2).fit(frames[:6])
    update(half, frames[6:], settings=UpdateSettings(threshold=1e-4, max_points=5))
    assert half.n_structures_ == len(frames)
    assert [len(x) for x in half.potential_.terms[1].inducing] == [14, 14, 14]


def test_the_likelihood_prefers_it_where_pairs_are_what_there_is():
    """Labels of a Morse potential: with the pair term likelier, and right where SOAP is not."""
    from ase.calculators.morse import MorsePotential

    rng = np.random.default_rng(0)
    frames = []
    for _ in range(12):
        atoms = bulk("Cu", a=rng.uniform(3.5, 4.0), cubic=True)
        atoms.rattle(0.12, rng=rng)
        atoms.calc = MorsePotential(epsilon=0.4, r0=2.6, rho0=4.0, rcut1=4.0, rcut2=4.4)
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    small = smooth_soap(["Cu"], r_cut=4.4, n_max=2, l_max=1)
    options = {"n_inducing": 20, "zeta": 2, "optimize": True, "e0": "zero"}
    both = gapy.SparseGPRegressor([small, PAIR], **options).fit(frames[:8])
    one = gapy.SparseGPRegressor(small, **options).fit(frames[:8])
    assert both.log_marginal_likelihood() > one.log_marginal_likelihood() + 50
    errors = [gapy.evaluate(g.potential_, frames[8:]).total.forces_rmse for g in (both, one)]
    assert errors[0] < 0.3 * errors[1]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"r_cut": -1.0}, "r_cut: expected a positive number"),
        ({"n_inducing": 1}, "n_inducing: expected a whole number of at least 2"),
        ({"length": 0.1}, "inducing distances not much farther apart than the length"),
        ({"transition": 7.0}, "transition: expected at most r_cut"),
        ({"delta": 0.0}, "delta: expected a positive number"),
    ],
)
def test_settings_that_are_refused(options, words):
    with pytest.raises(GapyError, match=words):
        Pair(**options)


def test_terms_that_are_refused(frames):
    with pytest.raises(GapyError, match=r"at least one of environments.*pair terms only"):
        gapy.SparseGPRegressor([PAIR]).fit(frames)
    with pytest.raises(GapyError, match=r"reach beyond .* where bonds"):
        gapy.SparseGPRegressor([soap(), Pair(r_cut=1.5, transition=1.0)]).fit(frames)
    with pytest.raises(SpeciesError, match="chemical elements"):
        gapy.SparseGPRegressor([soap(), Pair(species=["Xx"])]).fit(frames)
    with pytest.raises(GapyError, match="zeta: expected 1 of a pair term"):
        descriptor = PairDescriptor([29], 4.0, 0.7, [[2.0, 3.0]], 1.0)
        Term(descriptor, 2, (np.eye(2),), (1.0,))
    one = Term(PairDescriptor([29], 4.0, 0.7, [[2.0, 3.0]], 1.0), 1, (np.eye(2),), (1.0,))
    assert one.known_species == () and one.slot_names == ("Cu-Cu",)
    assert pair_tables([one], blocks([one]), np.ones(2))[0].cutoff == 4.0


SUM = """
[[term]]
kind = "soap"
r_cut = 4.5
n_max = 2
l_max = 1
sigma = 0.6
[[term]]
kind = "soap"
r_cut = 3.0
n_max = 3
l_max = 1
zeta = 4
species = ["Cu"]
[[term]]
kind = "pair"
n_inducing = 10
r_cut = 4.5
"""


@pytest.mark.parametrize(
    "toml, flags, kinds",
    [
        (SUM, (), ["SOAP", "SOAP", "pair"]),
        ("r_cut = 4.0\nn_max = 2\nl_max = 1\n", ("--pair",), ["SOAP", "pair"]),
        ("r_cut = 4.0\nn_max = 2\nl_max = 1\nterms = 'soap+soap'\n", (), ["SOAP", "SOAP"]),
        ("n_max = 2\nl_max = 1\n", ("--terms", "soap+soap", "--pair"), ["SOAP", "SOAP", "pair"]),
    ],
)
def test_command_line(cli, frames, tmp_path, toml, flags, kinds):
    write(tmp_path / "t.xyz", frames)
    (tmp_path / "f.toml").write_text("n_inducing = 8\n" + toml)
    model = tmp_path / "m.gapy"
    out = cli("fit", tmp_path / "t.xyz", "-o", model, "--config", tmp_path / "f.toml", *flags)
    assert out.code == 0, out.err
    summary = json.loads(cli("info", model, "--json").out)
    assert [t["descriptor"]["kind"] for t in summary["terms"]] == kinds
    assert cli("evaluate", model, tmp_path / "t.xyz").code == 0
    assert ("Al-Cu" in cli("info", model).out.split("baseline")[0]) == ("pair" in kinds)
    if toml == SUM:
        settings = [t["descriptor"]["settings"] for t in summary["terms"]]
        assert [s["r_cut"] for s in settings] == [4.5, 3.0, 4.5]
        assert [t["zeta"] for t in summary["terms"]] == [4, 4, 1]
        assert summary["n_inducing"][1]["Al"] == 0 and summary["n_inducing"][1]["Cu"] == 8
        assert summary["n_inducing"][2] == {"Al-Al": 10, "Al-Cu": 10, "Cu-Cu": 10}


def test_the_likeliest_of_several_lengths(cli, frames, tmp_path):
    write(tmp_path / "t.xyz", frames)
    found = {}
    for length in ("0.6", "1.2", "[0.6, 1.2]"):
        (tmp_path / "f.toml").write_text("n_inducing = 8\n" + SUM + f"length = {length}\n")
        model = tmp_path / "m.gapy"
        out = cli("fit", tmp_path / "t.xyz", "-o", model, "--config", tmp_path / "f.toml")
        assert out.code == 0, out.err
        summary = json.loads(cli("info", model, "--json").out)
        settings = summary["terms"][2]["descriptor"]["settings"]
        found[length] = summary["log_marginal_likelihood"], settings["length"], out.out
    best = max(found["0.6"], found["1.2"])
    value, length, text = found["[0.6, 1.2]"]
    assert (value, length) == (pytest.approx(best[0]), best[1])
    assert f"length {length:g} A by log marginal likelihood: 0.6 A" in text


@pytest.mark.parametrize(
    "toml, flags, words",
    [
        (SUM + "length = [0.5, 1.0]", ("--estimate",), "length: a list.*give one number"),
        (SUM + "length = [0.5, -1.0]", (), "term 3, length: expected a positive number"),
        (SUM.replace('"pair"', '"par"'), (), "term 3, kind: expected one of soap, pair, got 'par'"),
        (SUM.replace("zeta = 4", "zate = 4"), (), "term 2, zate: expected one of"),
        (SUM.replace("n_max = 3", "n_max = 0"), (), "term 2, n_max: expected a whole number"),
        (SUM, ("--pair",), r"terms: soap\+pair beside tables"),
        (SUM, ("--n-max", "4"), "n-max: 4 has no effect"),
        ("terms = 'soap+sop'", (), "terms: expected one of soap"),
        ("term = 3", (), r"term: expected tables \[\[term\]\]"),
        ("[[term]]\nkind = 'pair'", (), "at least one of kind soap"),
    ],
)
def test_bad_sums_are_one_line(cli, frames, tmp_path, toml, flags, words):
    import re

    write(tmp_path / "t.xyz", frames[:3])
    (tmp_path / "f.toml").write_text(toml)
    files = (tmp_path / "t.xyz", "-o", tmp_path / "m.gapy", "--config", tmp_path / "f.toml")
    line = cli("fit", *files, *flags).error_line()
    assert re.search(words, line), line
    assert not (tmp_path / "m.gapy").exists()
