"""States of a fit: merged in any order, never changed, kept by an error, pickled."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from helpers import labelled_frames
from hypothesis import given, settings
from hypothesis import strategies as st

import gapy
from gapy.descriptors import smooth_soap
from gapy.error_bars.extrapolation import learn_metric
from gapy.errors import GapyError, SpeciesError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.growing import rebuild
from gapy.fit.sample import drawn
from gapy.fit.solving import learn, posterior_of, solve
from gapy.fit.training import absorb, begin, merge
from gapy.gp.frames import Frames
from gapy.structures import chained_digest, from_atoms, multiset_digest

N = 16


def regressor(**options):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=12, zeta=2, **options)


@pytest.fixture(scope="module")
def structures():
    frames = labelled_frames(N, seed=7)
    frames[3].info["forces_sigma"] = 0.2
    return from_atoms(frames)


@pytest.fixture(scope="module")
def fitted(structures):
    return regressor().fit(structures)


@pytest.fixture(scope="module")
def start(structures):
    """A state without labels, with the inducing points and the metric of the whole set."""
    return regressor().begin(structures)


def forces_of(state, frames):
    out = [state.potential.evaluate(a, force_std=True) for a in frames]
    return (
        np.concatenate([o.forces.ravel() for o in out]),
        np.concatenate([o.forces_std for o in out]),
    )


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), min_size=N, max_size=N))
@settings(max_examples=8)
def test_four_shards_merged_in_any_order_equal_one_fit(start, fitted, structures, order, shard_of):
    shards = [[s for s, k in zip(structures, shard_of) if k == shard] for shard in range(4)]
    states = [absorb(start, shards[k]) for k in order if shards[k]]
    merged = solve(reduce(merge, states))
    one = fitted.training_
    assert merged.digest == one.digest == multiset_digest(structures[::-1])
    assert merged.n_structures == N and merged.statistic.n_labels == one.statistic.n_labels
    assert [s.digest() for s in merged.sample] == [s.digest() for s in one.sample]
    test = labelled_frames(3, seed=8)
    for got, expected in zip(forces_of(merged, test), forces_of(one, test)):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert merged.potential.posterior.log_marginal_likelihood == pytest.approx(
        one.potential.posterior.log_marginal_likelihood, rel=1e-9
    )


def test_merged_shards_of_silicon_equal_one_fit_to_a_billionth():
    """Sixty similar points: the condition of L is 4e4, weights of 7e5 eV cancel in the forces."""
    structures = from_atoms(gapy.data.frames("si", "train")[::2])
    soap = smooth_soap(["Si"], r_cut=4.0, n_max=4, l_max=3)
    start = gapy.SparseGPRegressor(soap, n_inducing=60).begin(structures)
    shards = [absorb(start, structures[k::4]) for k in (3, 1, 0, 2)]
    one, merged = (
        solve(state, calibrated=False).potential
        for state in (absorb(start, structures), reduce(merge, shards))
    )
    for atoms in gapy.data.frames("si", "test")[:10]:
        got, expected = merged.evaluate(atoms).forces, one.evaluate(atoms).forces
        np.testing.assert_allclose(got, expected, rtol=0.0, atol=1e-9)


def test_learning_after_a_merge_is_learning_on_everything(start, structures):
    merged = learn(merge(absorb(start, structures[:5]), absorb(start, structures[5:])))
    at_once = learn(absorb(start, structures))
    for group in at_once.statistic.factors:
        assert merged.noise.sigma(*group) == pytest.approx(at_once.noise.sigma(*group), rel=1e-3)


def test_states_of_another_noise_merge_to_its_mean_weighted_by_labels(start, structures):
    a = absorb(replace(start, noise=gapy.Noise(forces=0.01)), structures[:4])
    b = absorb(
        replace(start, noise=gapy.Noise(forces=0.04, overrides={"alloy": {"energy": 0.004}})),
        structures[4:],
    )
    one, other = merge(a, b), merge(b, a)
    for noise in (one.noise, other.noise):
        assert 0.01 < noise.sigma("forces", "pure") < 0.04
        assert noise.sigma("energy", "pure") == 0.001
        assert 0.001 < noise.sigma("energy", "alloy") < 0.004
    for group in one.statistic.factors:
        assert one.noise.sigma(*group) == pytest.approx(other.noise.sigma(*group), rel=1e-12)
    parts = [absorb(replace(start, noise=x.noise), s) for x, s in ((a, structures[:2]),)]
    assert merge(merge(parts[0], a), b).noise.sigma("forces", "pure") == pytest.approx(
        merge(parts[0], merge(a, b)).noise.sigma("forces", "pure"), rel=1e-12
    )


def altered(state, what):
    (term,) = state.terms
    if what == "zeta":
        return replace(state, terms=(replace(term, zeta=3),))
    if what == "the inducing points":
        return replace(
            state, terms=(replace(term, inducing=tuple(x[::-1] for x in term.inducing)),)
        )
    if what == "the number of terms":
        return replace(state, terms=(term, term))
    if what == "the fitted label kinds":
        return replace(state, kinds=("energy",))
    if what == "e0":
        return replace(state, e0={z: e + 1.0 for z, e in state.e0.items()})
    return replace(state, seed=5)


@pytest.mark.parametrize(
    "what",
    ["zeta", "the inducing points", "the number of terms", "e0", "the fitted label kinds",
     "the seed of the sample"],
)  # fmt: skip
def test_states_that_did_not_begin_as_one_are_refused_by_name(start, structures, what):
    a = absorb(start, structures[:4])
    with pytest.raises(GapyError, match=f"got different {what}"):
        merge(a, altered(a, what))


def test_all_that_differs_is_named_what_is_subtracted_first_before_e0(start, structures):
    a = absorb(start, structures[:4])
    (term,) = a.terms
    b = replace(
        a,
        terms=(replace(term, zeta=3, serves=(13,)),),
        baselines=(gapy.baselines.ZBL(species=["Al", "Cu"]),),
        e0={z: e + 1.0 for z, e in a.e0.items()},
        kinds=("energy",),
        seed=5,
        reach=learn_reach_of(structures[4:], term),
    )
    with pytest.raises(GapyError) as caught:
        merge(a, b)
    assert (
        "got different zeta of term 1, the species served of term 1, baselines, e0, the fitted "
        "label kinds, the seed of the sample, metrics of the environments; begin once"
    ) in str(caught.value)


def learn_reach_of(structures, term):
    frames = Frames([s.atoms for s in structures], [term])
    return (learn_metric(frames, 0, term.descriptor, 1),)


def test_metrics_learnt_apart_are_refused(start, structures):
    apart = [
        absorb(begin(start.terms, start.e0, start.noise), part)
        for part in (structures[:6], structures[6:])
    ]
    with pytest.raises(GapyError, match="different metrics"):
        merge(*apart)


def test_absorbing_changes_no_state(start, structures):
    one = absorb(start, structures[:4])
    before = {g: f.matrix().copy() for g, f in one.statistic.factors.items()}
    absorb(one, structures[4:])
    merge(one, one)
    assert start.n_structures == 0 and not start.statistic.factors
    assert one.n_structures == 4
    for group, matrix in before.items():
        np.testing.assert_array_equal(one.statistic.factors[group].matrix(), matrix)


def test_an_unknown_species_is_refused(start):
    atoms = labelled_frames(1, seed=0)[0]
    atoms.symbols[:] = "Ni"
    with pytest.raises(SpeciesError, match=r"inducing points for \['Al', 'Cu'\].*'Ni'"):
        absorb(start, from_atoms([atoms]))


def test_an_interrupted_partial_fit_leaves_the_model_and_a_retry_counts_once(
    structures, monkeypatch
):
    first, more = structures[:8], structures[8:15]
    gp = regressor().fit(first)
    before = gp.training_
    calls = []

    def interrupted(s, *rest):
        calls.append(s)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return gapy.fit.labels.labels_of(s, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("gapy.fit.training.labels_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gp.partial_fit(more)
    assert gp.training_ is before and gp.n_structures_ == 8
    gp.partial_fit(more)
    straight = regressor().fit(first).partial_fit(more)
    assert gp.n_structures_ == 15
    np.testing.assert_array_equal(
        gp.potential_.posterior.alpha, straight.potential_.posterior.alpha
    )


@pytest.mark.parametrize("options", [{"force_tolerance": -1.0}, {"delta": -1.0}, {"seed": -1}])
def test_a_refused_setting_absorbs_nothing(structures, options):
    gp = regressor().fit(structures[:6])
    before = gp.training_
    with pytest.raises(GapyError):
        gp.set_params(**options).partial_fit(structures[6:])
    assert gp.training_ is before


def test_a_state_pickles_and_goes_on(fitted, structures, tmp_path):
    save_state(fitted, tmp_path / "state.gapy")
    more = from_atoms(labelled_frames(3, seed=11))
    expected = solve(absorb(fitted.training_, more))
    for state in (
        pickle.loads(pickle.dumps(fitted.training_)),
        load_state(tmp_path / "state.gapy").training_,
    ):
        got = solve(absorb(state, more))
        np.testing.assert_array_equal(
            got.potential.posterior.alpha, expected.potential.posterior.alpha
        )
        assert got.digest == expected.digest


@given(st.permutations(range(N)))
@settings(max_examples=10)
def test_the_sample_knows_no_order(structures, order):
    shuffled = [structures[k] for k in order]
    assert [s.digest() for s in drawn(shuffled, 1)] == [s.digest() for s in drawn(structures, 1)]
    assert [s.digest() for s in drawn(structures, 2)] != [s.digest() for s in drawn(structures, 1)]


def test_a_state_can_be_read_by_many_at_once(start, structures):
    """Reading triangularises nothing: what was gathered was settled with the state."""
    for _ in range(5):
        state = absorb(start, structures)
        expected = posterior_of(absorb(start, structures), state.noise).alpha
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(posterior_of, [state] * 8, [state.noise] * 8))
        for one in found:
            np.testing.assert_array_equal(one.alpha, expected)


def test_a_state_knows_whether_its_potential_is_that_of_its_labels(fitted, structures):
    state = fitted.training_
    assert state.is_solved and not absorb(state, structures[:2]).is_solved
    again = rebuild(state, structures[::-1])
    assert not again.is_solved and solve(again).is_solved
    assert not learn(state).is_solved
    assert pickle.loads(pickle.dumps(state)).is_solved and copy.deepcopy(state).is_solved


def test_states_that_are_not_solved_are_not_saved(start, structures, tmp_path):
    gp = regressor().fit(structures)
    gp.training_ = merge(absorb(start, structures[:5]), absorb(start, structures[5:]))
    with pytest.raises(GapyError, match=r"training_: expected a state that is solved.*solve first"):
        save_state(gp, tmp_path / "s.gapy")
    gp.training_ = solve(gp.training_)
    save_state(gp, tmp_path / "s.gapy")
    back = load_state(tmp_path / "s.gapy").training_
    assert back.n_structures == N and back.is_solved


def test_a_state_of_version_2_is_rebuilt_from_its_structures_in_their_order(
    fitted, structures, tmp_path
):
    """Its digest is that of an order; what comes later has one without."""
    more = from_atoms(labelled_frames(3, seed=12))
    earlier = (N, chained_digest(structures))
    gp = regressor().fit(structures)
    gp.training_ = replace(fitted.training_, digest=bytes(32), earlier=earlier)
    gp.partial_fit(more)
    save_state(gp, tmp_path / "s.gapy")
    state = load_state(tmp_path / "s.gapy").training_
    assert state.earlier == earlier
    again = rebuild(state, [*structures, *more[::-1]])
    assert again.earlier is None and again.digest == multiset_digest([*more, *structures])
    with pytest.raises(GapyError, match=r"old: expected the 19 structures .* in their order"):
        rebuild(state, [*structures[::-1], *more])


def test_noise_of_groups_without_labels_merges_in_any_order(start, structures):
    parts = [
        absorb(
            replace(start, noise=gapy.Noise(overrides={"later": {"forces": sigma}})),
            structures[k::3],
        )
        for k, sigma in enumerate((0.01, 0.1, 1.0))
    ]
    found = [
        reduce(merge, [parts[k] for k in order]).noise.sigma("forces", "later")
        for order in ((0, 1, 2), (2, 1, 0), (0, 2, 1))
    ]
    np.testing.assert_allclose(found, found[0], rtol=1e-12)
    own = [replace(p, noise=replace(p.noise, own={"later": {"forces": 7.0}})) for p in parts[:2]]
    assert merge(*own).noise.sigma("forces", "later", True) == pytest.approx(7.0)


def test_terms_that_serve_other_species_do_not_merge(start, structures):
    a = absorb(start, structures[:4])
    (term,) = a.terms
    with pytest.raises(GapyError, match="got different the species served of term 1"):
        merge(a, replace(a, terms=(replace(term, serves=(13,)),)))


def test_begin_orders_and_checks_kinds_and_takes_any_seed(start, structures):
    forces_first = begin(start.terms, start.e0, start.noise, kinds=("forces", "energy"), seed=-1)
    assert forces_first.kinds == ("energy", "forces")
    assert absorb(forces_first, structures[:2]).n_structures == 2
    with pytest.raises(GapyError, match=r"kinds: expected some of energy, .*'force'"):
        begin(start.terms, start.e0, start.noise, kinds=("force",))


def test_digests_see_numbers_and_not_their_types(structures):
    s = structures[3]
    assert replace(s, forces_sigma=np.float64(s.forces_sigma)).digest() == s.digest()
    assert replace(s, forces_sigma=None).digest() != s.digest()
    assert replace(s, config_type="other").digest() != s.digest()


def test_a_given_override_stays_where_only_own_noise_is_learnt():
    """Labels of one group vanish, all others state their noise: nothing else is known of it."""
    frames = labelled_frames(9, seed=2)
    for k, atoms in enumerate(frames):
        atoms.info["forces_sigma"] = 0.1
        if k == 0:
            del atoms.info["forces_sigma"]
            atoms.info["config_type"] = "crystal"
            atoms.arrays["REF_forces"] = np.zeros((len(atoms), 3))
    gp = regressor(optimize=True, noise_overrides={"crystal": {"forces": 0.011}}).fit(frames)
    assert gp.potential_.noise.sigma("forces", "crystal") == 0.011
