"""Triangular systems in either order of the matrix against numpy."""

import numpy as np
import pytest

from gapy.gp.triangles import solve_triangle


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (5, 1), (5,), (5, 0), (0, 3)])
def test_solution(order, lower, transposed, shape):
    rng = np.random.default_rng(0)
    n = shape[0]
    full = np.asarray(rng.normal(size=(n, n)) + 4.0 * np.eye(n), order=order)
    b = rng.normal(size=shape)
    a = np.tril(full) if lower else np.triu(full)
    x = solve_triangle(full, b, lower=lower, transposed=transposed)  # the rest is not looked at
    np.testing.assert_allclose((a.T if transposed else a) @ x, b, atol=1e-13)
    assert x.shape == shape


def test_a_singular_matrix_is_refused():
    with pytest.raises(np.linalg.LinAlgError):
        solve_triangle(np.zeros((2, 2)), np.ones((2, 1)))
