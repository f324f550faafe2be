"""The distance behind the choice of a batch looks at every term of a model."""

import numpy as np
import pytest
from active_calculators import cell

from gapy.active import Request
from gapy.active.diversity import Environments
from gapy.descriptors import as_descriptor, smooth_soap

SHORT, LONG, COPPER = (
    as_descriptor(smooth_soap(species, r_cut=r_cut, n_max=3, l_max=2))
    for species, r_cut in ((["Al", "Cu"], 3.0), (["Al", "Cu"], 4.5), (["Cu"], 4.5))
)


def known(descriptors, *structures):
    out = Environments(descriptors)
    for atoms in structures:
        out.add(atoms)
    return out


def request(atoms, worst=0):
    made = Request.initial(atoms, "w").to_dict()
    std = np.full(len(atoms), 0.01)
    std[worst] = 0.2
    return Request(**{**made, "forces_std": std})


def normalised(descriptor, atoms):
    x_nd = descriptor.create(atoms)
    return x_nd / np.linalg.norm(x_nd, axis=1, keepdims=True)


def test_of_one_term_the_descriptors_as_they_are():
    atoms = cell(7)
    worst = known([LONG]).worst(request(atoms, 2))
    np.testing.assert_array_equal(worst, normalised(LONG, atoms)[2])


def test_of_several_terms_the_root_mean_square():
    old, new = cell(1), cell(7)
    same = old.numbers == new.numbers[0]
    squares = [
        ((normalised(d, new)[0] - normalised(d, old)[same]) ** 2).sum(axis=1) for d in (SHORT, LONG)
    ]
    expected = np.sqrt(np.mean(squares, axis=0).min())
    found = known([SHORT, LONG], old).distance(request(new))
    assert found == pytest.approx(expected, rel=1e-9)
    assert known([LONG, SHORT], old).distance(request(new)) == pytest.approx(expected, rel=1e-9)


def test_what_one_term_does_not_see_another_does():
    """A far neighbour that moves: beyond the cutoff of a first, short term."""
    old = cell(1)
    old.set_cell(2.0 * old.cell)
    old.positions[1] = old.positions[0] + [3.5, 0.0, 0.0]
    new = old.copy()
    new.positions[1, 0] += 0.3
    assert known([SHORT], old).distance(request(new)) < 1e-6
    assert known([SHORT, LONG], old).distance(request(new)) > 1e-3


def test_species_that_only_some_terms_serve():
    old, new = cell(1), cell(7)
    for worst, z in enumerate(new.numbers):
        both, one = (known(d, old).distance(request(new, worst)) for d in ([LONG, COPPER], [LONG]))
        assert np.isfinite(both) and 0.0 < both < np.sqrt(2.0)
        assert (both == pytest.approx(one, rel=1e-9)) == (z == 13)
    assert known([LONG, COPPER], new).distance(request(new)) < 1e-6
