"""dscribe's values, and SOAP in plain numpy."""

import itertools

import numpy as np
from dscribe.descriptors import SOAP
from helpers import (
    images_within,
)
from scipy.special import gammaln, lpmv

from gapy.descriptors.radial_basis import central_weight, radial_functions

WEIGHTINGS = {
    "none": None,
    "poly": {"function": "poly", "r0": 3.0, "c": 1.3, "m": 1.0},
    "poly-long": {"function": "poly", "r0": 20.0, "c": 1.0, "m": 2.0},
    "pow": {"function": "pow", "r0": 1.5, "c": 1.0, "d": 0.5, "m": 4.0},
    "exp": {"function": "exp", "r0": 1.2, "c": 1.0, "d": 1.0},
    "w0": {"w0": 0.3},
    "w0-hidden": {"w0": 0.0},
    "poly-w0": {"function": "poly", "r0": 3.0, "c": 1.0, "m": 2.0, "w0": 2.5},
    "exp-w0": {"function": "exp", "r0": 1.2, "c": 1.0, "d": 1.0, "w0": 0.5},
}
MODES = ("off", "mu2", "mu1nu1", "crossover")
SPECIES = ("Si", "C", "O", "H")  # deliberately not in the order of atomic numbers
VALUE_TOLERANCE = 1e-8


def make_soap(
    rbf="gto", weighting="none", mode="off", n_species=2, n_max=3, l_max=3, weighted=False, **kwargs
):
    species = SPECIES[:n_species]
    weights = dict(zip(species, (1.0, 0.7, 1.9, 0.4))) if weighted else None
    options = {"r_cut": 3.0, "sigma": 0.4, "periodic": True, **kwargs}
    given_weighting = WEIGHTINGS[weighting]
    return SOAP(
        species=list(species),
        n_max=n_max,
        l_max=l_max,
        rbf=rbf,
        weighting=dict(given_weighting) if given_weighting else None,
        compression={"mode": mode, "species_weighting": weights},
        **options,
    )


def misassigns_weights(soap):
    """dscribe drops the centre from the neighbours but not from their species weights."""
    weights = np.asarray(soap._species_weights)
    return soap._rbf == "polynomial" and soap.compression["mode"] == "mu2" and np.ptp(weights) > 0


def dscribe_values(soap, atoms):
    """soap.create of the atoms moved into the cell: see the test of atoms outside of it."""
    wrapped = atoms.copy()
    wrapped.wrap()
    return soap.create(wrapped)


def assert_same(ours, theirs, tolerance):
    """Equal within `tolerance` of the largest entry."""
    scale = np.abs(theirs).max(initial=0.0)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max(initial=0.0) <= tolerance * scale


def real_harmonics(l_max, u):
    out = []
    phi = np.arctan2(u[1], u[0])
    for l in range(l_max + 1):
        for m in range(-l, l + 1):
            k = abs(m)
            norm = (2 * l + 1) / (4 * np.pi) * np.exp(gammaln(l - k + 1) - gammaln(l + k + 1))
            y = np.sqrt(norm * (2 if m else 1)) * lpmv(k, l, u[2])
            out.append(y * (np.cos(k * phi) if m >= 0 else np.sin(k * phi)))
    return np.array(out)


def reference_spectrum(soap, atoms, cutoff):
    """Power spectrum in dscribe's order (off, mu2) from the definition, one pair at a time."""
    n, l_max, numbers = soap._n_max, soap._l_max, list(soap._atomic_numbers)
    mu2 = soap.compression["mode"] == "mu2"
    weights = soap._species_weights
    n_slots = 1 if mu2 else len(numbers)
    k_of = np.concatenate([np.full(2 * l + 1, l) for l in range(l_max + 1)])
    c = np.zeros((len(atoms), n_slots, n, (l_max + 1) ** 2))
    bare = radial_functions(soap, np.zeros(1), weighted=False).reshape(l_max + 1, n)
    for i, z in enumerate(atoms.numbers):
        s = numbers.index(z)
        own = bare[0] * central_weight(soap) * weights[s] / np.sqrt(4 * np.pi)
        c[i, 0 if mu2 else s, :, 0] += own
    for i, j, v in images_within(atoms, cutoff):
        s = numbers.index(atoms.numbers[j])
        r = np.linalg.norm(v)
        radial = radial_functions(soap, np.array([r])).reshape(l_max + 1, n)
        c[i, 0 if mu2 else s] += weights[s] * radial[k_of].T * real_harmonics(l_max, v / r)
    rows = []
    for ci in c:
        row = []
        for s, t in itertools.combinations_with_replacement(range(n_slots), 2):
            for l in range(l_max + 1):
                gram = ci[s][:, l * l : (l + 1) ** 2] @ ci[t][:, l * l : (l + 1) ** 2].T
                row.append(gram[np.triu_indices(n)] if s == t else gram.ravel())
        rows.append(np.concatenate(row))
    return np.array(rows)
