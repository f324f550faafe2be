"""Potentials fitted for the tests."""

from functools import cache

import numpy as np
from helpers import (
    morse_labels,
    random_structure,
)

from gapy import SparseGPRegressor
from gapy.descriptors import smooth_soap

SYMBOLS = ("Si", "C", "O")  # not in the order of atomic numbers


def make(soap, frames, **options):
    labels = {"n_inducing": 60, "e0": "zero", "sigma_energy": 0.01, **options}
    return SparseGPRegressor(soap, **labels).fit(frames).potential_


@cache
def three_species():
    """Three species, smooth cutoff, fitted to a pair potential on random structures."""
    rng = np.random.default_rng(0)
    pbcs = [(1, 1, 1), (1, 1, 0), (0, 0, 0)]
    frames = [
        morse_labels(random_structure(rng, SYMBOLS, 6, pbcs[k % 3], min_distance=1.7))
        for k in range(12)
    ]
    return make(smooth_soap(SYMBOLS, r_cut=3.5, n_max=4, l_max=4), frames, zeta=3)
