"""Products of a few rows equal the matrix library's."""

import numpy as np
import pytest

from gapy._jit import few_rows


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9])
@pytest.mark.parametrize(("n_d", "n_r"), [(1, 1), (6, 3), (31, 16)])
def test_both_products(n, n_d, n_r):
    rng = np.random.default_rng(n)
    x_id, g_ir, b_dr = (rng.normal(size=s) for s in ((n, n_d), (n, n_r), (n_d, n_r)))
    found = few_rows.product(x_id, b_dr), few_rows.product_transposed(g_ir, b_dr)
    np.testing.assert_allclose(found[0], x_id @ b_dr, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[1], g_ir @ b_dr.T, rtol=1e-12, atol=1e-12)
