"""The warning about dispersion that the labels do not hold."""

import warnings

import numpy as np
import pytest
from ase import Atoms

import gapy
from gapy.baselines import ZBL, Dispersion, baseline_of
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.structures import StructureWarning

pytest.importorskip("dftd3")

D3, REPULSION = Dispersion("d3bj", "pbe"), ZBL(2.0, 4.5)


def argon(beneath, n=30):
    """Two dimers, 4 to 12 A apart."""
    rng, out = np.random.default_rng(0), []
    for _ in range(n):
        at = np.array([[0, 0, 0], [-1.0, 3.6, 0.5], [0, 0, 0], [0.8, 0.3, 3.7]])
        at[2:, 0] += rng.uniform(4.0, 12.0)
        atoms = Atoms("Ar4", at + rng.normal(scale=0.05, size=(4, 3)))
        labels = baseline_of(atoms, beneath)
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = labels.energy, labels.forces
        out.append(atoms)
    return out


def fitted(frames, baselines):
    soap = smooth_soap(["Ar"], r_cut=5.0, n_max=6, l_max=3)
    return gapy.SparseGPRegressor(soap, n_inducing=40, e0="fit", baselines=baselines).fit(frames)


def test_labels_without_dispersion_are_told():
    words = r"baseline dispersion: expected labels that hold d3bj of pbe, .* leave the baseline out"
    with pytest.warns(StructureWarning, match=words):
        fitted(argon([REPULSION]), [D3])


@pytest.mark.parametrize(
    "labels, beneath, n",
    [([REPULSION, D3], [D3], 30), ([REPULSION], [], 30), ([REPULSION], [D3], 9)],
)
def test_nothing_is_said_otherwise(labels, beneath, n):
    """Labels that hold it, no baseline, too few structures."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(argon(labels, n), beneath)


def test_the_regressor_stays_as_it_is():
    gp = fitted(argon([REPULSION, D3]), [D3])
    assert gp.baselines == [D3] and gp.n_inducing == 40
    with pytest.raises(GapyError, match="dispersion once"):
        fitted(argon([D3], 12), [D3, D3])
