"""Mixed densities with the total one: a linear map of dscribe's mu1nu1, with exact derivatives."""

import numpy as np
import pytest
from descriptors.soap_helpers import dscribe_values, make_soap
from helpers import random_structure, seeds
from hypothesis import given, settings

from gapy.descriptors import (
    CompiledSOAP,
    MagneticSOAP,
    ProjectedSOAP,
    mixed_soap,
    same_descriptor,
    unprojected,
)
from gapy.descriptors.mixed_total import MixedTotalSOAP
from gapy.errors import GapyError

N_MAX, L_MAX = 3, 2


def whole():
    return CompiledSOAP(make_soap(weighting="poly", mode="mu1nu1", n_max=N_MAX, l_max=L_MAX))


def mixed(seed=0, q=4):
    rng = np.random.default_rng(seed)
    of = [
        np.stack([np.linalg.qr(rng.normal(size=(2 * N_MAX, q)))[0] for _ in range(L_MAX + 1)])
        for _ in range(2)
    ]
    return mixed_soap(whole(), of)


def slots_of(atoms, descriptor):
    return np.searchsorted(descriptor.species, atoms.numbers)


@settings(max_examples=10)
@given(seed=seeds)
def test_values_are_a_linear_map_of_dscribe(seed):
    atoms = random_structure(np.random.default_rng(seed))
    d = mixed(seed)
    assert isinstance(d, MixedTotalSOAP)
    x_nslkm = dscribe_values(d.whole.soap, atoms).reshape(-1, 2, L_MAX + 1, N_MAX, N_MAX)
    for x_d, x_slkm, slot in zip(d.create(atoms), x_nslkm, slots_of(atoms, d)):
        u_lskq = d.mixing[slot].reshape(L_MAX + 1, 2, N_MAX, -1)
        expected = np.einsum("slkm,lskq->lqm", x_slkm, u_lskq).ravel()
        np.testing.assert_allclose(x_d, expected, rtol=1e-7, atol=1e-7 * x_nslkm.max())


@settings(max_examples=5)
@given(seed=seeds)
def test_derivatives_forward_backward_and_of_members(seed):
    rng = np.random.default_rng(seed)
    atoms, d = random_structure(rng, n_atoms=4), mixed(seed)
    env = d.environments(atoms)
    g_nd = rng.normal(size=(4, d.n_features))
    g_pc, g_pcv = d.gradient_store(env), d.gradient_store_members(env)
    for slot in range(2):
        for begin, end in env.blocks(slot):
            c_iku, x_id = d.forward(env, begin, end)
            block = d.derivative_block(env, begin, end)
            np.testing.assert_array_equal(block.x_id, x_id)
            g_id = np.ascontiguousarray(g_nd[env.atom_i[begin:end]])
            d.backward(env, begin, end, c_iku, g_id, g_pc)
            d.backward_members(env, begin, end, c_iku, np.repeat(g_id[..., None], 8, 2), g_pcv)
            for i in range(end - begin):
                pairs = slice(block.first_i[i], block.first_i[i + 1])
                expected = block.dx_pcd[pairs] @ g_id[i]
                scale = np.abs(expected).max(initial=1e-12)
                at = slice(env.first_i[begin + i], env.first_i[begin + i + 1])
                np.testing.assert_allclose(g_pc[at], expected, atol=1e-9 * scale)
                np.testing.assert_allclose(g_pcv[at][..., 3], expected, atol=1e-9 * scale)
    forces, virial = np.zeros((4, 3)), np.zeros((3, 3))
    for slot in range(2):
        for begin, end in env.blocks(slot):
            d.collect(env, begin, end, g_pc, forces, virial)
    moved, step, numeric = atoms.copy(), 1e-5, np.zeros(3)
    for c in range(3):
        for sign in (1, -1):
            moved.positions = atoms.positions
            moved.positions[2, c] += sign * step
            numeric[c] -= sign * np.vdot(d.create(moved), g_nd) / (2 * step)
    np.testing.assert_allclose(forces[2], numeric, atol=2e-6 * np.abs(numeric).max())


@settings(max_examples=10)
@given(seed=seeds)
def test_length_is_that_of_the_whole_spectrum(seed):
    atoms, d = random_structure(np.random.default_rng(seed)), mixed(seed)
    env = d.environments(atoms)
    x_nd = dscribe_values(d.whole.soap, atoms)
    for slot in range(2):
        for begin, end in env.blocks(slot):
            square_i = d.squared_length(env, begin, end, d.values(env, begin, end))
            expected = (x_nd[env.atom_i[begin:end]] ** 2).sum(axis=1)
            np.testing.assert_allclose(square_i, expected, rtol=1e-6)


def test_all_channels_turn_the_whole_spectrum():
    atoms = random_structure(np.random.default_rng(3))
    d, w = mixed(q=2 * N_MAX), whole()
    np.testing.assert_allclose(
        (d.create(atoms) ** 2).sum(axis=1), (w.create(atoms) ** 2).sum(axis=1), rtol=1e-12
    )


def test_as_a_user_states_it_and_what_does_not_fit():
    d, rng = mixed(), np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(d.n_features, 5)))[0]
    assert same_descriptor(unprojected(ProjectedSOAP(d, [basis, basis])), d.whole)
    assert not same_descriptor(d, mixed(seed=1))
    with pytest.raises(GapyError, match=r"mixing: .* with compression 'mu1nu1'"):
        MixedTotalSOAP(CompiledSOAP(make_soap(n_max=N_MAX, l_max=L_MAX)), d.mixing)
    mu2 = CompiledSOAP(make_soap(n_max=N_MAX, l_max=L_MAX, mode="mu2"))
    with pytest.raises(GapyError, match="compression: expected one of off, mu1nu1 to mix"):
        mixed_soap(mu2, d.mixing)


def test_densities_of_moments_are_no_part_of_the_total():
    rng = np.random.default_rng(0)
    soap = make_soap(weighting="poly", mode="mu1nu1", n_max=N_MAX, l_max=L_MAX)
    w = MagneticSOAP(soap, ["Si"])
    of = [
        np.stack([np.linalg.qr(rng.normal(size=(3 * N_MAX, 4)))[0] for _ in range(L_MAX + 1)])
        for _ in range(2)
    ]
    d = mixed_soap(w, of)
    atoms = random_structure(rng)
    atoms.set_array("magmom_sign", rng.choice([-1, 1], len(atoms)))
    x_nslkm = w.create(atoms).reshape(-1, 3, L_MAX + 1, N_MAX, N_MAX)
    for x_d, x_slkm, slot in zip(d.create(atoms), x_nslkm, slots_of(atoms, d)):
        u_lskq = d.mixing[slot].reshape(L_MAX + 1, 3, N_MAX, -1)
        expected = np.einsum("slkm,lskq->lqm", x_slkm, u_lskq).ravel()
        np.testing.assert_allclose(x_d, expected, atol=1e-10 * np.abs(x_nslkm).max())
    env = d.environments(atoms)
    for slot in range(2):
        for begin, end in env.blocks(slot):
            found = d.squared_length(env, begin, end, None)
            x_id = w.values(env, begin, end)
            np.testing.assert_allclose(found, (x_id**2).sum(axis=1), rtol=1e-10)
