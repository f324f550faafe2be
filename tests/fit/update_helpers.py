"""Structures old and new, and a regressor to update."""

import copy
from dataclasses import replace

import numpy as np
from dscribe.descriptors import SOAP
from helpers import labels_in, morse_labels, random_structure

from gapy import SparseGPRegressor
from gapy.fit.labels import add_labels
from gapy.fit.sample import SampleRows
from gapy.fit.update import UpdateSettings
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks
from gapy.structures import from_atoms

THRESHOLD = 1e-5


def soap(species=("Si", "C")):
    """Six features whatever the species."""
    weighting = {"function": "poly", "r0": 3.5, "c": 1.0, "m": 1.0, "w0": 0.3}
    compression = {"mode": "mu2", "species_weighting": dict(zip(species, (1.0, 0.6)))}
    return SOAP(
        species=list(species), r_cut=3.5, n_max=2, l_max=1, sigma=0.5, periodic=True,
        weighting=weighting, compression=compression,
    )  # fmt: skip


def frames(n, seed, symbols=("Si", "C"), length=4.0, n_atoms=5):
    """Labelled random cells; two config types, so that there are several noise groups."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(n):
        atoms = random_structure(rng, symbols, n_atoms, (1, 1, 1), length=length, min_distance=1.7)
        atoms.info["config_type"] = ("a", "b")[k % 2]
        out.append(morse_labels(atoms))
    return out


def regressor(**options):
    settings = {
        "n_inducing": 8, "zeta": 4, "e0": {"Si": -1.0, "C": 0.5}, "sigma_energy": 0.02,
        "sigma_forces": 0.1, "sigma_stress": 0.01,
    }  # fmt: skip
    return SparseGPRegressor(soap(), **{**settings, **options})


def settings(**options):
    return UpdateSettings(**{"threshold": THRESHOLD, "max_points": 15, **options})


OLD = frames(12, seed=1)
NEW = frames(4, seed=2, length=5.2)
HELD_OUT = frames(4, seed=3)


def copied(gp):
    return copy.deepcopy(gp)


def same(one, two):
    """Whether two potentials are equal to the last bit, error bars included."""
    equal = one.calibration == two.calibration
    for atoms in HELD_OUT:
        a, b = (p.evaluate(atoms, force_std=True) for p in (one, two))
        equal &= a.energy == b.energy and np.array_equal(a.forces, b.forces)
        equal &= np.array_equal(a.forces_std, b.forces_std)
    return equal and np.array_equal(one.posterior.alpha, two.posterior.alpha)


def predictions(gp, structures=HELD_OUT):
    """Forces and local sigmas of structures, one array each."""
    out = [gp.potential_.evaluate(atoms, local_std=True) for atoms in structures]
    return (
        np.concatenate([o.forces.ravel() for o in out]),
        np.concatenate([o.energies_std for o in out]),
    )


def statistic_of(gp, structures, terms=None, cholesky=None):
    """The statistic of structures, row by row, by the regressor's own labels.

    cholesky: factors that whiten the rows, if they are not those of the regressor.
    """
    terms = gp.training_.terms if terms is None else terms
    cholesky = gp.training_.cholesky if cholesky is None else cholesky
    out = SufficientStatistic(blocks(terms)[-1].stop)
    for s in from_atoms(structures):
        add_labels(out, labels_in(gp, s, terms)[1], blocks(terms), cholesky)
    return out


def with_statistic(gp, statistic, terms=None, cholesky=None):
    """A copy of the regressor solved for another statistic."""
    out = copied(gp)
    terms = gp.training_.terms if terms is None else terms
    cholesky = gp.training_.cholesky if cholesky is None else cholesky
    state = replace(gp.training_, terms=terms, cholesky=cholesky, statistic=statistic)
    out.training_ = out.solved(state, SampleRows(), calibrated=False)
    return out
