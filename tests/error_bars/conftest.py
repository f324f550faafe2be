"""Two metals that never meet."""

import pytest
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap


@pytest.fixture(scope="module")
def unmixed():
    """Cu and Al, each by itself: no structure holds both."""
    return [a for a in labelled_frames(24, seed=5) if len(set(a.numbers)) == 1]


@pytest.fixture(scope="module")
def two_metals(unmixed):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=25).fit(unmixed)
