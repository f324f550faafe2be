"""Every compiled kernel against a short reference in plain numpy or scipy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, lpmv

from gapy._jit import covariance, radial, soap
from gapy._jit import harmonics as kernels
from gapy._jit.settings import njit
from gapy._jit.vector import LANES, transpose8

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


# -- harmonics ---------------------------------------------------------------------------------


def solid_harmonics(l_max, u_pc, gradient=False):
    """The kernels' S_lm (k, p) and gradients (c, k, p) at unit vectors, eight at a time."""
    n_lm, factor = (l_max + 1) ** 2, kernels.prefactors(l_max)
    padded = np.vstack([u_pc, np.tile([0.0, 0.0, 1.0], (-len(u_pc) % LANES, 1))])
    values, slopes = [], []
    for start in range(0, len(padded), LANES):
        unit_cv = np.ascontiguousarray(padded[start : start + LANES].T)
        room = kernels.scratch(l_max, factor)
        y_kv, g_kcv = np.empty((n_lm, LANES)), np.empty((n_lm, 3, LANES))
        kernels.harmonics(l_max, factor, unit_cv, *room, y_kv)
        kernels.harmonics_gradient(l_max, factor, unit_cv, *room, g_kcv)
        values.append(y_kv)
        slopes.append(g_kcv.transpose(1, 0, 2))
    s = np.concatenate(values, axis=1)[:, : len(u_pc)]
    return (s, np.concatenate(slopes, axis=2)[:, :, : len(u_pc)]) if gradient else s


def unit_vectors(rng, n):
    r = rng.normal(size=(n, 3))
    special = [[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, -1, 0]]
    return np.vstack([r / np.linalg.norm(r, axis=1)[:, None], special])


def real_harmonics(l_max, u_pc):
    """Real spherical harmonics from scipy's Legendre functions, index l*l + l + m."""
    phi = np.arctan2(u_pc[:, 1], u_pc[:, 0])
    out = np.empty(((l_max + 1) ** 2, len(u_pc)))
    for l in range(l_max + 1):
        for m in range(l + 1):
            norm = (2 * l + 1) / (4 * np.pi) * np.exp(gammaln(l - m + 1) - gammaln(l + m + 1))
            y = np.sqrt(norm * (2 if m else 1)) * lpmv(m, l, u_pc[:, 2])
            out[l * l + l + m] = y * np.cos(m * phi)
            if m:
                out[l * l + l - m] = y * np.sin(m * phi)
    return out


@pytest.mark.parametrize("l_max", [0, 1, 2, 5, 12, 20])
def test_harmonics_equal_scipy(l_max, rng):
    u = unit_vectors(rng, 30)
    ours, scipys = solid_harmonics(l_max, u), real_harmonics(l_max, u)
    # The sign of a harmonic is a convention; it must be the same at all points.
    sign = np.sign((ours * scipys).sum(axis=1))
    np.testing.assert_allclose(ours, sign[:, None] * scipys, atol=1e-12)


@pytest.mark.parametrize("l_max", [0, 3, 20])
def test_harmonics_sum_rule(l_max, rng):
    s = solid_harmonics(l_max, unit_vectors(rng, 30))
    for l in range(l_max + 1):
        total = (s[l * l : (l + 1) ** 2] ** 2).sum(axis=0)
        np.testing.assert_allclose(total, (2 * l + 1) / (4 * np.pi), rtol=1e-12)


@pytest.mark.parametrize("l_max", [0, 1, 4, 9, 20])
def test_harmonics_gradient_is_the_derivative_of_the_solid_harmonic(l_max, rng):
    u = unit_vectors(rng, 10)
    _, grad = solid_harmonics(l_max, u, gradient=True)
    # The homogeneous extension |r|^l Y_lm(r / |r|), built outside the kernel.
    l = np.concatenate([np.full(2 * k + 1, k) for k in range(l_max + 1)])

    def extended(r):
        norm = np.linalg.norm(r, axis=1)
        return solid_harmonics(l_max, r / norm[:, None]) * norm ** l[:, None]

    h = 1e-3
    for c in range(3):
        e = np.eye(3)[c]
        d = [extended(u + s * h * e) - extended(u - s * h * e) for s in (1, 2, 3)]
        numerical = (45 * d[0] - 9 * d[1] + d[2]) / (60 * h)
        np.testing.assert_allclose(grad[c], numerical, atol=1e-8 * max(1, l_max) ** 2)


def test_harmonics_gradient_obeys_euler_and_laplace(rng):
    u = unit_vectors(rng, 20)
    s, grad = solid_harmonics(6, u, gradient=True)
    l = np.concatenate([np.full(2 * k + 1, k) for k in range(7)])
    np.testing.assert_allclose(np.einsum("pc,ckp->kp", u, grad), l[:, None] * s, atol=1e-12)
    # sum_m |grad S_lm|^2 = l (2l + 1)^2 / (4 pi) on the unit sphere.
    for k in range(7):
        total = (grad[:, k * k : (k + 1) ** 2] ** 2).sum(axis=(0, 1))
        np.testing.assert_allclose(total, k * (2 * k + 1) ** 2 / (4 * np.pi), atol=1e-10)


# -- radial table ------------------------------------------------------------------------------


def eight(columns):
    """Functions side by side, repeated to a full vector of lanes."""
    return np.stack([columns[k % len(columns)] for k in range(LANES)], axis=1)


def test_table_reproduces_functions_and_slopes(rng):
    def functions(r):
        return eight([np.exp(-((r - 2) ** 2)), r**3 * np.exp(-r), np.sin(3 * r)])

    def slopes(r):
        return eight(
            [
                -2 * (r - 2) * np.exp(-((r - 2) ** 2)),
                (3 * r**2 - r**3) * np.exp(-r),
                3 * np.cos(3 * r),
            ]
        )

    coef, inv_h = radial.build_table(functions, 5.0)
    r = np.concatenate([[0.0, 5.0 - 1e-12, 2.5], rng.uniform(0, 5, 300)])
    value, out, grad = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    exact, exact_slopes = functions(r), slopes(r)
    for k, x in enumerate(r):
        radial.radial(coef[None], 0, inv_h, x, value, 0)
        radial.radial_gradient(coef[None], 0, inv_h, x, out, grad, 0)
        np.testing.assert_array_equal(out, value)
        np.testing.assert_allclose(value, exact[k], atol=1e-10)
        np.testing.assert_allclose(grad, exact_slopes[k], atol=1e-8)


def test_table_is_continuous_at_its_knots():
    coef, inv_h = radial.build_table(lambda r: eight([np.cos(4 * r)]), 3.0)
    left, right = np.empty(LANES), np.empty(LANES)
    for k in range(1, len(coef)):
        radial.radial(coef[None], 0, inv_h, k / inv_h * (1 - 1e-14), left, 0)
        radial.radial(coef[None], 0, inv_h, k / inv_h * (1 + 1e-14), right, 0)
        np.testing.assert_allclose(left, right, atol=1e-12)


def test_one_of_several_tables_into_part_of_an_array():
    tables = np.stack([radial.build_table(lambda r, a=a: eight([r**a]), 3.0)[0] for a in (1, 2)])
    out, grad = np.zeros((3, LANES)), np.zeros((3, LANES))
    radial.radial_gradient(tables, 1, tables.shape[1] / 3.0, 1.5, out, grad, LANES)
    np.testing.assert_allclose(out[:, 0], [0.0, 1.5**2, 0.0], atol=1e-12)
    np.testing.assert_allclose(grad[:, 0], [0.0, 3.0, 0.0], atol=1e-12)


@njit()
def _turned(rows, offset, stride, out, start):
    transpose8(rows, offset, stride, out, start)


def test_eight_rows_become_columns(rng):
    rows, out = rng.normal(size=(LANES, 11)), np.zeros(LANES * LANES + 4)
    _turned(rows, 2, 11, out, 3)
    np.testing.assert_array_equal(out[3:-1].reshape(LANES, LANES), rows[:, 2:10].T)
    assert not out[:3].any() and out[-1] == 0.0


# -- power spectrum ----------------------------------------------------------------------------


def spectrum_setup(rng, n=3, l_max=2, n_slots=2, mode="off"):
    """Layout arrays as CompiledSOAP makes them: channels padded to eight, index -1 there."""
    size = n_slots * LANES
    real = np.concatenate([s * LANES + np.arange(n) for s in range(n_slots)])
    count = 0
    if mode == "off":
        index = np.full((l_max + 1, size, size), -1, dtype=np.int64)
        for l, (a, u) in itertools.product(range(l_max + 1), enumerate(real)):
            for v in real[a:]:
                index[l, u, v] = index[l, v, u] = count
                count += 1
        blocks = np.array([[0, size, 0, size, 1, 0]])
        channels, sum_slot = size, -1
    else:
        index = np.full((l_max + 1, size, LANES), -1, dtype=np.int64)
        for l, u, v in itertools.product(range(l_max + 1), real, range(n)):
            index[l, u, v] = count
            count += 1
        blocks = np.array([[0, size, size, LANES, 0, 0]])
        channels, sum_slot = size + LANES, n_slots
    layout = np.array([l_max, LANES, n_slots, sum_slot])
    c = np.zeros((4, (l_max + 1) ** 2, channels))
    c[:, :, real] = rng.normal(size=c[:, :, real].shape)
    return layout, blocks, index, count, with_sum(c, layout), real


def with_sum(c, layout):
    """Fill the sum slot, if there is one."""
    free = layout[1] * layout[2]
    if layout[3] >= 0:
        c[:, :, free:] = c[:, :, :free].reshape(*c.shape[:2], layout[2], LANES).sum(axis=2)
    return c


def dense_spectrum(layout, blocks, index, n_features, c):
    """x_d = sum_m c_ku c_kv from einsum."""
    a0, na, b0, nb = blocks[0, :4]
    x = np.empty((len(c), n_features))
    for l in range(layout[0] + 1):
        ck = c[:, l * l : (l + 1) ** 2]
        gram = np.einsum("iku,ikv->iuv", ck[:, :, a0 : a0 + na], ck[:, :, b0 : b0 + nb])
        used = index[l] >= 0
        x[:, index[l][used]] = gram[:, used]
    return x


@pytest.mark.parametrize("mode", ["off", "mu1nu1"])
def test_power_spectrum_forward_and_backward(mode, rng):
    layout, blocks, index, n_features, c, real = spectrum_setup(rng, mode=mode)
    flat = index.ravel()
    x = np.empty((len(c), n_features))
    soap.power_spectrum(c, layout[0], blocks, flat, x)
    np.testing.assert_allclose(x, dense_spectrum(layout, blocks, index, n_features, c), atol=1e-13)

    g = rng.normal(size=x.shape)
    dc = np.empty_like(c)
    soap.power_spectrum_backward(g, c, layout, blocks, flat, dc)
    # The spectrum is quadratic: central differences of any step are exact.
    for _ in range(3):
        step = np.zeros_like(c)
        step[:, :, real] = rng.normal(size=step[:, :, real].shape)
        step = with_sum(step, layout)
        plus, minus = (
            dense_spectrum(layout, blocks, index, n_features, c + s * step) for s in (1, -1)
        )
        change = 0.5 * (g * (plus - minus)).sum()
        np.testing.assert_allclose((dc[:, :, real] * step[:, :, real]).sum(), change, rtol=1e-11)


# -- covariance --------------------------------------------------------------------------------


def test_normalise_leaves_zero_rows(rng):
    x = rng.normal(size=(4, 6))
    x[2] = 0.0
    expected = x / np.maximum(np.linalg.norm(x, axis=1), 1e-300)[:, None]
    norms = np.linalg.norm(x, axis=1)
    inverse = np.empty(4)
    covariance.normalise(x, inverse)
    np.testing.assert_allclose(x, expected, rtol=1e-14)
    np.testing.assert_allclose(inverse[norms > 0], 1 / norms[norms > 0], rtol=1e-14)
    assert inverse[2] == 0.0


def test_a_broken_descriptor_stays_visible():
    x = np.ones((2, 3))
    x[1, 0] = np.nan
    covariance.normalise(x, np.empty(2))
    assert np.isfinite(x[0]).all() and not np.isfinite(x[1]).all()


def test_project_is_the_derivative_of_the_direction(rng):
    x, first = rng.normal(size=(2, 5)), np.array([0, 2, 3])
    dx = rng.normal(size=(3, 3, 5))
    expected = np.empty_like(dx)
    for p, i in enumerate([0, 0, 1]):
        norm = np.linalg.norm(x[i])
        jacobian = (np.eye(5) - np.outer(x[i], x[i]) / norm**2) / norm
        expected[p] = dx[p] @ jacobian
    inverse = np.empty(2)
    covariance.normalise(x, inverse)
    covariance.project(first, x, inverse, dx)
    np.testing.assert_allclose(dx, expected, atol=1e-13)


@given(st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_kernel_powers(zeta):
    rng = np.random.default_rng(zeta)
    t, alpha = rng.uniform(-1, 1, (5, 8)), rng.normal(size=8)
    t[0, 0] = 0.0
    slope, k = t.copy(), np.empty_like(t)
    covariance.powers(slope, zeta, k)
    np.testing.assert_allclose(k, t**zeta, rtol=1e-13)
    np.testing.assert_allclose(slope, zeta * t ** (zeta - 1), rtol=1e-13)
    weights, energy = t.copy(), np.empty(5)
    covariance.energy_and_weights(weights, alpha, zeta, energy)
    np.testing.assert_allclose(energy, (t**zeta) @ alpha, atol=1e-13)
    np.testing.assert_allclose(weights, alpha * zeta * t ** (zeta - 1), atol=1e-13)


def test_scatter_force_rows(rng):
    atom, first, j = np.array([2, 0]), np.array([0, 3, 5]), np.array([0, 1, 2, 2, 1])
    slope, t = rng.normal(size=(2, 4)), rng.normal(size=(5, 3, 4))
    rows = rng.normal(size=(3, 3, 4))
    expected = rows.copy()
    for p, i in enumerate([0, 0, 0, 1, 1]):
        expected[j[p]] -= slope[i] * t[p]
        expected[atom[i]] += slope[i] * t[p]
    covariance.scatter_force_rows(atom, first, j, slope, t, rows)
    np.testing.assert_allclose(rows, expected, atol=1e-13)


def test_fold_images_sums_pairs_with_one_atom(rng):
    atom, first = np.array([2, 0, 1]), np.array([0, 4, 4, 9])
    j = np.array([0, 2, 0, 1, 0, 0, 1, 2, 0], dtype=np.int32)
    dx = rng.normal(size=(9, 3, 4))
    given = dx.copy()
    first_out, j_out = np.full(4, -1), np.full_like(j, -1)
    n = covariance.fold_images(3, atom, first, j, dx, first_out, j_out)
    assert n == 4 and first_out.tolist() == [0, 2, 2, 4] and j_out[:n].tolist() == [0, 1, 0, 2]
    expected = [given[[0, 2]].sum(0), given[3], given[[4, 5, 8]].sum(0), given[7]]
    np.testing.assert_allclose(dx[:n], expected, atol=1e-14)


def test_strain_derivative(rng):
    first = np.array([0, 2, 2, 5])
    dx, r = rng.normal(size=(5, 3, 4)), rng.normal(size=(5, 3))
    out = np.full((3, 6, 4), np.nan)
    covariance.strain_derivative(first, dx, r, out)
    for i in range(3):
        full = np.einsum("pad,pb->abd", dx[first[i] : first[i + 1]], r[first[i] : first[i + 1]])
        full = 0.5 * (full + full.transpose(1, 0, 2))
        expected = full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        np.testing.assert_allclose(out[i], expected, atol=1e-13)


def test_quadratic_energy_and_squares(rng):
    x_id, form = rng.normal(size=(5, 11)), rng.normal(size=(11, 11))
    form += form.T
    g_id, eps_i, square_i = x_id @ form, np.empty(5), np.empty(5)
    covariance.quadratic_energy(x_id, g_id, eps_i)
    np.testing.assert_allclose(eps_i, np.einsum("id,de,ie->i", x_id, form, x_id), rtol=1e-12)
    np.testing.assert_allclose(g_id, 2.0 * x_id @ form, rtol=1e-14)
    covariance.squares(x_id, square_i)
    np.testing.assert_allclose(square_i, (x_id**2).sum(axis=1), rtol=1e-14)


@pytest.mark.parametrize("n", [1, 3])
def test_table_in_single_precision_is_as_good_as_its_rounding(n):
    def functions(r):
        return eight([np.exp(-((r - 2) ** 2)), r**3 * np.exp(-r), np.sin(3 * r)])

    coef, inv_h = radial.build_table(functions, 5.0)
    tables = np.stack([(k + 1) * coef for k in range(n)])
    single = radial.in_single(tables)
    assert single.dtype == np.float32 and single.shape == (n, len(coef), 6, LANES)
    exact = np.empty((2, LANES))
    rough = np.empty((2, LANES), dtype=np.float32)
    for r in np.linspace(0.01, 4.99, 97):
        for table in range(n):
            radial.radial_gradient(tables, table, inv_h, r, exact[0], exact[1], 0)
            radial.radial_gradient(single, table, inv_h, r, rough[0], rough[1], 0)
            np.testing.assert_allclose(rough, exact, atol=2e-6 * (table + 1))
            radial.radial(single, table, inv_h, r, rough[0], 0)
            np.testing.assert_allclose(rough[0], exact[0], atol=5e-7 * (table + 1))
