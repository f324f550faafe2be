"""The table of products behind derivatives, against the power spectrum written out in numpy."""

import numpy as np
import pytest

from gapy.descriptors.channels import channels, mixed_with_total

L_MAX = 2


def spectrum(on, c_ku, other_ku):
    """Power spectrum of one density on side A and another one on side B of every product."""
    x_d = np.zeros(on.n_features)
    for a0, na, b0, nb, _, first in on.blocks.tolist():
        for l in range(L_MAX + 1):
            k = slice(l * l, (l + 1) ** 2)
            gram_ab = c_ku[k, a0 : a0 + na].T @ other_ku[k, b0 : b0 + nb]
            index_ab = on.index[first + l * na * nb :][: na * nb].reshape(na, nb)
            x_d[index_ab[index_ab >= 0]] = gram_ab[index_ab >= 0]
    return x_d


def derivative(on, s, c_ku, dc_kn):
    """What the kernel does with the table."""
    met_sq, source_skd = on.derivative_sources
    gram = []
    for first, number in met_sq[s]:
        for l in range(L_MAX + 1):
            k = slice(l * l, (l + 1) ** 2)
            gram.append((c_ku[k, first : first + number].T @ dc_kn[k]).ravel())
    return np.concatenate([*gram, [0.0]])[source_skd[s]].sum(axis=0)


TWO = np.array([0, 1])
CASES = {
    "off": channels("off", TWO, 3, L_MAX),
    "two vectors of channels": channels("off", TWO, 9, L_MAX),
    "mu1nu1": channels("mu1nu1", TWO, 3, L_MAX),
    "mu1nu1, one species of two in the sum": channels("mu1nu1", TWO, 3, L_MAX, n_summed=1),
    "mu2": channels("mu2", np.array([0, 0]), 3, L_MAX),
    "crossover": channels("crossover", TWO, 3, L_MAX),
    "mixed": channels("off", np.array([0, 0]), 5, L_MAX),
    "mixed with total": mixed_with_total(4, 3, L_MAX, 2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("s", [0, 1])
def test_sources_give_the_derivative(name, s):
    on, rng = CASES[name], np.random.default_rng(3)
    c_ku, dc_kn = rng.normal(size=on.shape), rng.normal(size=(on.shape[0], on.n_pad))
    moved_ku = np.zeros(on.shape)
    moved_ku[:, on.slots[s] * on.n_pad :][:, : on.n_pad] = dc_kn
    sum_slot = on.layout[3]
    if sum_slot >= 0 and on.slots[s] < on.n_summed:
        moved_ku[:, sum_slot * on.n_pad :][:, : on.n_pad] += dc_kn
    expected = spectrum(on, moved_ku, c_ku) + spectrum(on, c_ku, moved_ku)
    np.testing.assert_allclose(derivative(on, s, c_ku, dc_kn), expected, atol=1e-13)
