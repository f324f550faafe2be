"""Projected and mixed SOAP: linear maps of dscribe's, with exact derivatives."""

import numpy as np
import pytest
from descriptors.soap_helpers import dscribe_values, make_soap
from helpers import random_structure, seeds
from hypothesis import given, settings

from gapy.descriptors import CompiledSOAP, ProjectedSOAP, same_descriptor, unprojected
from gapy.descriptors.mixed import MixedSOAP
from gapy.errors import GapyError

N_MAX, L_MAX, RANK = 3, 2, 7


def whole():
    return CompiledSOAP(make_soap(weighting="poly", n_max=N_MAX, l_max=L_MAX))


def mixed(seed=0, q=4):
    rng = np.random.default_rng(seed)
    return MixedSOAP(
        whole(),
        [
            np.stack([np.linalg.qr(rng.normal(size=(2 * N_MAX, q)))[0] for _ in range(L_MAX + 1)])
            for _ in range(2)
        ],
    )


def projected(inner, seed=1, rank=RANK):
    rng = np.random.default_rng(seed)
    scale = np.sqrt(inner.metric_d)[:, None]
    return ProjectedSOAP(
        inner, [scale * np.linalg.qr(rng.normal(size=(len(scale), rank)))[0] for _ in range(2)]
    )


def mixing_matrix(u_luq):
    """T (D, D') with x' = T^T x, from the definition, for dscribe's order of two species."""
    n_l, _, q = u_luq.shape
    columns = []
    for l in range(n_l):
        for a in range(q):
            for b in range(a, q):
                w_uv = np.outer(u_luq[l, :, a], u_luq[l, :, b])
                columns.append((l, w_uv + w_uv.T))
    rows = []
    for s, t in ((0, 0), (0, 1), (1, 1)):
        for l in range(n_l):
            for n in range(N_MAX):
                for m in range(n if s == t else 0, N_MAX):
                    u, v = s * N_MAX + n, t * N_MAX + m
                    half = 0.5 if u == v else 1.0
                    rows.append([half * w[u, v] * (k == l) for k, w in columns])
    return np.array(rows)


def slots_of(atoms, descriptor):
    return np.searchsorted(descriptor.species, atoms.numbers)


@settings(max_examples=10)
@given(seed=seeds)
def test_values_are_linear_maps_of_dscribe(seed):
    atoms = random_structure(np.random.default_rng(seed))
    d = mixed(seed)
    x_nd = dscribe_values(d.whole.soap, atoms)
    slots = slots_of(atoms, d)
    expected = np.stack([x @ mixing_matrix(d.mixing[s]) for x, s in zip(x_nd, slots)])
    np.testing.assert_allclose(d.create(atoms), expected, rtol=1e-7, atol=1e-7 * x_nd.max())
    for inner, values in ((d, expected), (whole(), x_nd)):
        p = projected(inner, seed)
        y_nr = np.stack([x @ p.bases[s] for x, s in zip(values, slots)])
        np.testing.assert_allclose(p.create(atoms), y_nr, rtol=1e-7, atol=1e-7 * x_nd.max())


@pytest.mark.parametrize("inner", [whole, mixed])
@settings(max_examples=5)
@given(seed=seeds)
def test_derivatives_forward_and_backward_are_those_of_the_values(inner, seed):
    rng = np.random.default_rng(seed)
    atoms, p = random_structure(rng, n_atoms=4), projected(inner(), seed)
    env = p.environments(atoms)
    forces, virial, expected = np.zeros((4, 3)), np.zeros((3, 3)), np.zeros((4, 3))
    stress = np.zeros((3, 3))
    g_nr = rng.normal(size=(4, RANK))
    store = p.gradient_store(env)
    for slot in range(2):
        for begin, end in env.blocks(slot):
            state, y_ir = p.forward(env, begin, end)
            np.testing.assert_array_equal(y_ir, p.values(env, begin, end))
            g_ir = np.ascontiguousarray(g_nr[env.atom_i[begin:end]])
            p.backward(env, begin, end, state, g_ir, store)
            p.collect(env, begin, end, store, forces, virial)
            block = p.derivative_block(env, begin, end)
            np.testing.assert_allclose(block.x_id, y_ir, rtol=1e-12, atol=1e-12)
            for i, atom in enumerate(block.atom_i):
                for k in range(block.first_i[i], block.first_i[i + 1]):
                    g_c = block.dx_pcd[k] @ g_ir[i]
                    expected[block.j_p[k]] -= g_c
                    expected[atom] += g_c
                    stress += np.outer(g_c, block.r_pc[k])
    scale = np.abs(expected).max() + 1e-12
    np.testing.assert_allclose(forces, expected, atol=1e-9 * scale)
    np.testing.assert_allclose(virial, stress, atol=1e-9 * np.abs(stress).max() + 1e-12)
    moved, step = atoms.copy(), 1e-5
    numeric = np.zeros(3)
    for c in range(3):
        for sign in (1, -1):
            moved.positions = atoms.positions
            moved.positions[2, c] += sign * step
            numeric[c] -= sign * np.vdot(p.create(moved), g_nr) / (2 * step)
    np.testing.assert_allclose(forces[2], numeric, atol=2e-6 * scale)


@pytest.mark.parametrize("inner", [whole, mixed])
@settings(max_examples=10)
@given(seed=seeds)
def test_what_the_projection_does_not_see(inner, seed):
    atoms, p = random_structure(np.random.default_rng(seed)), projected(inner(), seed)
    env = p.environments(atoms)
    x_nd = dscribe_values(whole().soap, atoms)
    c_metric = np.ones(x_nd.shape[1])
    if isinstance(p.inner, MixedSOAP):
        # Every product of two different channels stands for two components.
        n = N_MAX
        pairs = [
            1.0 if (s, m) == (t, k) else 2.0
            for s, t in ((0, 0), (0, 1), (1, 1))
            for _ in range(L_MAX + 1)
            for m in range(n)
            for k in range(m if s == t else 0, n)
        ]
        c_metric = np.array(pairs)
    for slot in range(2):
        for begin, end in env.blocks(slot):
            state, y_ir = p.forward(env, begin, end)
            x_id = x_nd[env.atom_i[begin:end]]
            expected = (c_metric * x_id**2).sum(axis=1) - (y_ir**2).sum(axis=1)
            found = p.unseen(env, begin, end, state)
            assert (expected > -1e-9).all()
            np.testing.assert_allclose(found, expected, atol=1e-7 * (x_id**2).sum())


def test_eight_energies_at_once():
    rng = np.random.default_rng(3)
    atoms, p = random_structure(rng), projected(mixed())
    env = p.environments(atoms)
    many, one = p.gradient_store_members(env), p.gradient_store(env)
    for slot in range(2):
        for begin, end in env.blocks(slot):
            state, y_ir = p.forward(env, begin, end)
            g_irv = rng.normal(size=(*y_ir.shape, 8))
            p.backward_members(env, begin, end, state, g_irv, many)
            for v in range(8):
                p.backward(env, begin, end, state, np.ascontiguousarray(g_irv[..., v]), one)
                part = slice(env.first_i[begin], env.first_i[end])
                np.testing.assert_allclose(many[part, :, v], one[part], rtol=1e-9, atol=1e-9)


def test_a_projection_is_part_of_what_a_descriptor_is():
    a, b = projected(mixed(0)), projected(mixed(1))
    assert same_descriptor(a, projected(mixed(0))) and not same_descriptor(a, b)
    assert not same_descriptor(a, projected(mixed(0), seed=2))
    assert not same_descriptor(a, unprojected(a))
    assert same_descriptor(unprojected(a), whole())


def test_arrays_that_do_not_fit_are_refused():
    d = whole()
    with pytest.raises(GapyError, match=r"bases: expected 2 of shape \(63, r\)"):
        ProjectedSOAP(d, [np.eye(63, 5)])
    with pytest.raises(GapyError, match=r"bases: expected 2 of shape \(63, r\)"):
        ProjectedSOAP(d, [np.eye(62, 5), np.eye(62, 5)])
    with pytest.raises(GapyError, match=r"mixing: expected arrays \(3, 6, 'q'\)"):
        MixedSOAP(d, [np.zeros((3, 5, 2))] * 2)
    mu2 = CompiledSOAP(make_soap(mode="mu2", n_max=N_MAX, l_max=L_MAX))
    with pytest.raises(GapyError, match=r"with compression .off., got"):
        MixedSOAP(mu2, [np.zeros((3, 6, 2))] * 2)
