"""Sums over symmetric matrices against numpy, on arrays of which only one half may be read."""

import numpy as np
import pytest

from gapy._jit.moments import add_scaled, trace_and_square


def symmetric(rng, n):
    s = rng.normal(size=(n, n))
    return s + s.T


def without_lower(s):
    """A copy with what must not be looked at."""
    out = s.copy()
    out[np.tril_indices(len(s), -1)] = np.nan
    return out


@pytest.mark.parametrize("n", [0, 1, 2, 17])
def test_scaled_sum(n):
    rng = np.random.default_rng(n)
    s, total, d = symmetric(rng, n), symmetric(rng, n), rng.normal(size=n)
    room = np.full((n + 3, n + 3), np.nan)
    part = room[2 : n + 2, 2 : n + 2]  # as the columns of one species are part of all
    part[:] = without_lower(total)
    add_scaled(without_lower(s), 0.7, d, part)
    upper = np.triu_indices(n)
    expected = total + 0.7 * np.diag(d) @ s @ np.diag(d)
    np.testing.assert_allclose(part[upper], expected[upper], rtol=1e-14, atol=1e-14)
    assert np.isnan(part[np.tril_indices(n, -1)]).all()


@pytest.mark.parametrize("n", [0, 1, 2, 17])
def test_trace_and_square(n):
    rng = np.random.default_rng(n)
    s, p, d, v = symmetric(rng, n), symmetric(rng, n), rng.normal(size=n), rng.normal(size=n)
    trace, square = trace_and_square(without_lower(s), without_lower(p), d, v)
    assert trace == pytest.approx(np.trace(np.diag(d) @ p @ np.diag(d) @ s), rel=1e-13)
    assert square == pytest.approx(v @ s @ v, rel=1e-13)
