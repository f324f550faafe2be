"""Kernels of the components that training environments use."""

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces
from helpers import labelled_frames, random_rotation

import gapy
from gapy.descriptors import CompiledSOAP, ProjectedSOAP, smooth_soap, unprojected
from gapy.descriptors.mixed import MixedSOAP
from gapy.descriptors.mixed_total import MixedTotalSOAP
from gapy.errors import GapyError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.training import absorb, merge
from gapy.gp import components
from gapy.gp.frames import Frames
from gapy.structures import from_atoms


def soap(n_max=5, l_max=2):
    return smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=n_max, l_max=l_max)


def regressor(n_components=1e-4, **options):
    return gapy.SparseGPRegressor(
        soap(), **{"n_inducing": 30, "zeta": 2, "n_components": n_components, **options}
    )


@pytest.fixture(scope="module")
def frames():
    return labelled_frames(24, seed=3)


@pytest.fixture(scope="module")
def fitted(frames):
    return regressor().fit(frames)


@pytest.fixture(scope="module")
def potential(fitted):
    return fitted.potential_


@pytest.fixture(scope="module")
def new():
    return labelled_frames(6, seed=4)


def of(potential):
    return potential.terms[0].descriptor


def test_columns_are_orthonormal_and_keep_the_share_asked_for(frames):
    descriptor = CompiledSOAP(soap())
    term = gapy.TermSettings(descriptor)
    seen = Frames(frames, [term])
    for share in (1e-2, 1e-4):
        d = components.projected(seen, 0, descriptor, share, 30, seed=0)
        assert isinstance(d, ProjectedSOAP) and isinstance(d.inner, MixedSOAP)
        for basis_dr in d.bases:
            scaled = basis_dr / np.sqrt(d.inner.metric_d)[:, None]
            np.testing.assert_allclose(scaled.T @ scaled, np.eye(d.n_features), atol=1e-10)
        for m_dd, basis_dr in zip(
            components.moments(seen, 0, d.inner, np.random.default_rng(5)), d.bases
        ):
            scaled = basis_dr / np.sqrt(d.inner.metric_d)[:, None]
            # Of displacements that the projection was not made from.
            left = 1.0 - np.trace(scaled.T @ m_dd @ scaled) / np.trace(m_dd)
            assert left < 2.0 * share
        for u_luq in d.inner.mixing:
            for u_uq in u_luq:
                np.testing.assert_allclose(u_uq.T @ u_uq, np.eye(u_uq.shape[1]), atol=1e-10)


def test_number_share_and_off(frames):
    assert of(regressor(24).fit(frames).potential_).n_features == 24
    fewer = of(regressor(1e-2).fit(frames).potential_).n_features
    assert fewer < of(regressor(1e-4).fit(frames).potential_).n_features < 165
    assert of(regressor("off").fit(frames).potential_).n_features == 165
    assert isinstance(of(regressor("off").fit(frames).potential_), CompiledSOAP)
    for bare in (soap(n_max=2), smooth_soap(["Al", "Cu"], 4.0, 5, 2, compression={"mode": "mu2"})):
        small = gapy.SparseGPRegressor(bare, n_inducing=20).fit(frames)
        assert isinstance(of(small.potential_), CompiledSOAP), "there is nothing to save"
    few, many = (regressor("auto", n_inducing=n).fit(frames).potential_ for n in (10, 96))
    assert of(few).n_features == 165 > of(many).n_features
    for bad in (0, -1, 1.5, "some", True):
        with pytest.raises(GapyError, match="n_components: expected auto, off, a whole number"):
            regressor(bad).fit(frames)


def test_total_density_keeps_few_mixed_channels(frames, new, tmp_path):
    """Compression mu1nu1: another mixing, with exact derivatives, which survives a file."""
    bare = smooth_soap(["Al", "Cu"], 4.0, 5, 4, compression={"mode": "mu1nu1"})
    potential = gapy.SparseGPRegressor(bare, n_inducing=48, zeta=2).fit(frames).potential_
    d = of(potential)
    assert isinstance(d.inner, MixedTotalSOAP)
    assert d.inner.mixing[0].shape == (5, 10, components.BESIDE_TOTAL)
    assert d.n_features <= d.inner.n_features == 5 * components.BESIDE_TOTAL * 5
    potential.save(tmp_path / "m.gapy")
    atoms = new[2].copy()
    atoms.calc = gapy.load(tmp_path / "m.gapy").calculator()
    np.testing.assert_array_equal(atoms.get_forces(), potential.evaluate(atoms).forces)
    numeric = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[1])[0]
    np.testing.assert_allclose(atoms.get_forces()[1], numeric, atol=1e-6)
    more = components.projected(
        Frames(frames, [gapy.TermSettings(d)]), 0, unprojected(d), 120, 48, seed=0
    )
    assert more.n_features == 120 and more.inner.mixing[0].shape[2] == 5


def test_errors_are_those_of_the_whole_descriptor(frames, new):
    whole, fine, coarse = (
        gapy.evaluate(regressor(n).fit(frames).potential_, new).total.forces_rmse
        for n in ("off", 1e-6, 0.1)
    )
    # Few labels tell apart two metrics of descriptor space by chance; too few components they see.
    assert fine < 1.2 * whole and coarse > 1.5 * whole


def test_forces_and_virial_are_derivatives_of_the_energy(potential, new):
    step = 1e-4
    for atoms in new[:3]:
        found, moved = potential.evaluate(atoms), atoms.copy()
        for c in range(3):
            energies = []
            for sign in (1, -1):
                moved.positions = atoms.positions
                moved.positions[1, c] += sign * step
                energies.append(potential.evaluate(moved).energy)
            assert found.forces[1, c] == pytest.approx(
                (energies[1] - energies[0]) / (2 * step), abs=1e-5
            )
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[0, 1] = strain[1, 0] = sign * step / 2
            moved = atoms.copy()
            moved.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(potential.evaluate(moved).energy)
        slope = (energies[0] - energies[1]) / (2 * step)
        assert found.virial[0, 1] == pytest.approx(slope, abs=1e-5)


def test_rotations_and_order_change_nothing(potential, new):
    rng = np.random.default_rng(0)
    for atoms in new:
        before = potential.evaluate(atoms, force_std=True)
        turned, q = atoms.copy(), random_rotation(rng)
        turned.set_cell(atoms.cell.array @ q, scale_atoms=True)
        order = rng.permutation(len(atoms))
        after = potential.evaluate(turned[order], force_std=True)
        np.testing.assert_allclose(after.forces, (before.forces @ q)[order], atol=1e-8)
        np.testing.assert_allclose(after.forces_std, before.forces_std[order], rtol=1e-6)


def test_the_exact_path_agrees_with_the_fast_one(potential, new):
    for atoms in new:
        mean, _ = potential.predict(atoms)
        fast = potential.evaluate(atoms)
        np.testing.assert_allclose(fast.forces, mean.forces, atol=1e-7)
        assert fast.energy == pytest.approx(mean.energy, abs=1e-7)


def test_samples_scatter_about_the_model(potential, new):
    committee = potential.sample(9, seed=1)
    out = committee.evaluate(new[0], forces_members=True)
    assert np.isfinite(out.forces_members).all() and out.forces_members.std(axis=0).max() > 0
    np.testing.assert_allclose(out.forces, potential.evaluate(new[0]).forces, atol=1e-8)


def test_files_give_back_every_bit(fitted, potential, frames, new, tmp_path):
    potential.save(tmp_path / "m.gapy")
    back = gapy.load(tmp_path / "m.gapy")
    save_state(fitted, tmp_path / "s.gapy")
    state = load_state(tmp_path / "s.gapy")
    for other in (back, state.potential_):
        for atoms in new:
            a, b = (p.evaluate(atoms, local_std=True, force_std=True) for p in (potential, other))
            assert a.energy == b.energy and (a.forces == b.forces).all()
            assert (a.forces_std == b.forces_std).all()
    assert isinstance(state.descriptor, CompiledSOAP), "what was asked for, not what came of it"
    more = labelled_frames(3, seed=8)
    straight = regressor().fit(frames).partial_fit(more)
    state.partial_fit(more)
    for atoms in new:
        a, b = (gp.potential_.evaluate(atoms).forces for gp in (straight, state))
        assert (a == b).all()


def test_threads_and_repeats_change_no_bit(frames, potential, tmp_path):
    potential.save(tmp_path / "one.gapy")
    regressor(threads=2).fit(frames).potential_.save(tmp_path / "two.gapy")
    assert (tmp_path / "one.gapy").read_bytes() == (tmp_path / "two.gapy").read_bytes()


def test_shards_share_the_components(frames):
    start = regressor().begin(frames)
    labelled = from_atoms(frames, regressor().label_keys())
    parts = [absorb(start, labelled[k::2]) for k in range(2)]
    assert merge(*parts).n_structures == 24
    other = absorb(regressor(16).begin(frames), labelled[:3])
    with pytest.raises(GapyError, match="different the descriptor of term 1"):
        merge(parts[0], other)


def test_what_the_components_leave_out_counts_as_outside(potential, frames):
    """A new species pair, for which the mixed densities have no channel, is not taken for known."""
    apart = [a for a in frames if len(set(a.symbols)) == 1]
    only = regressor().fit(apart).potential_
    alloy = next(a for a in frames if len(set(a.symbols)) == 2)
    pure = only.evaluate(apart[0], force_std=True).forces_std
    assert only.evaluate(alloy, force_std=True).forces_std.min() > 3.0 * pure.max()


def test_reduced_models_work_on_top(potential, new):
    fast = potential.reduced(1e-3, new)
    for atoms in new:
        assert np.abs(fast.evaluate(atoms).forces - potential.evaluate(atoms).forces).max() < 1e-3


def test_a_species_without_neighbours_is_no_obstacle(frames):
    free = labelled_frames(1, seed=9)[0][:1]
    free.pbc, free.info["REF_energy"] = False, -0.1
    free.arrays["REF_forces"] = np.zeros((1, 3))
    free.info.pop("REF_stress", None)
    free.symbols = "Au"
    gp = gapy.SparseGPRegressor(
        smooth_soap(["Al", "Cu", "Au"], r_cut=4.0, n_max=5, l_max=2),
        n_inducing=20,
        zeta=2,
        n_components=1e-4,
    ).fit([*frames, free])
    assert np.isfinite(gp.potential_.evaluate(frames[0]).forces).all()
    assert unprojected(of(gp.potential_)).n_features == 360


def test_auto_waits_for_species_that_are_still_to_come(frames):
    gold = smooth_soap(["Al", "Cu", "Au"], r_cut=4.0, n_max=5, l_max=2)
    gp = gapy.SparseGPRegressor(gold, n_inducing=96, zeta=2).fit(frames)
    assert isinstance(of(gp.potential_), CompiledSOAP)
