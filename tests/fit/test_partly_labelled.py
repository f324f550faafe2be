"""Sets of structures that are labelled in part, and atoms without neighbours."""

import numpy as np
import pytest
from ase import Atoms
from dense_gp import METHODS, frames, regressor, tiny_soap
from helpers import morse_labels

from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms


@pytest.mark.parametrize(
    "keep", [("energy",), ("forces",), ("energy", "stress"), ("forces", "stress")]
)
def test_partly_labelled_sets(keep):
    training = frames(6, seed=40, keep=keep)
    gp = regressor().fit(training)
    kinds = {k for by_type in gp.potential_.metadata["n_labels"].values() for k in by_type}
    assert kinds == set(keep)
    mean, _ = gp.predict(training, return_std=True)
    assert np.isfinite(mean.energy).all()
    assert gp.score(training) > 0.3


def test_mixed_labels_and_a_structure_whose_only_label_is_not_used():
    training = frames(5, seed=41)
    training[1].info.pop("REF_energy")
    training[2].arrays.pop("REF_forces")
    del training[3].info["REF_energy"], training[3].arrays["REF_forces"]
    gp = regressor(fit_stress=False).fit(training)
    # Energies of 0, 2 and 4, forces of 0, 1 and 4; of structure 3 nothing.
    n_forces = 3 * sum(len(training[k]) for k in (0, 1, 4))
    assert gp.potential_.metadata["n_labels"] == {"default": {"energy": 3, "forces": n_forces}}
    # Calibrated on the left-out errors of these forces, no better than the fit, no worse than none.
    forces = np.concatenate([training[k].arrays["REF_forces"] for k in (0, 1, 4)])
    fitted = np.concatenate([gp.potential_.evaluate(training[k]).forces for k in (0, 1, 4)])
    left_out = gp.potential_.calibration.curve[-1][1]
    assert np.sqrt(((fitted - forces) ** 2).mean()) < left_out < 2.0 * np.sqrt((forces**2).mean())


def test_isolated_atoms_with_forces_are_rows_without_neighbours():
    atom = Atoms("Si", cell=[20, 20, 20], pbc=True)
    atom.info |= {"REF_energy": -100.0, "config_type": "IsolatedAtom"}
    atom.arrays["REF_forces"] = np.zeros((1, 3))
    training = frames(4, seed=42, symbols=("Si",))
    for atoms in training:
        atoms.info["REF_energy"] -= 100.0 * len(atoms)
    gp = regressor(tiny_soap(("Si",)), e0="auto").fit([*training, atom])
    assert gp.e0_ == {14: -100.0}
    mean, std = gp.potential_.predict(Atoms("Si"))
    assert mean.energy == pytest.approx(-100.0, abs=0.1)
    assert mean.stress is None and std.stress is None
    assert not mean.forces.any() and not std.forces.any()


def test_hidden_centres_leave_isolated_atoms_without_a_descriptor():
    """w0 = 0: an atom without neighbours has x = 0, so its local energy is e0, sigma the prior."""
    weighting = {"function": "poly", "r0": 3.5, "c": 1.0, "m": 1.0, "w0": 0.0}
    soap = smooth_soap(["Si"], r_cut=3.5, n_max=3, l_max=3, weighting=weighting)
    training = frames(5, seed=43, symbols=("Si",))
    for atoms in training[:2]:
        far = Atoms("Si", [[50.0, 50.0, 50.0]])
        atoms.pbc = False
        atoms += far
        morse_labels(atoms)
        atoms.info.pop("REF_stress", None)
    for method in METHODS:
        gp = regressor(soap, selection=method, n_inducing=6, e0={"Si": 2.0}).fit(training)
        inducing = gp.potential_.terms[0].inducing[0]
        assert inducing.any(axis=1).all()
        out = gp.potential_.evaluate(Atoms("Si"), local_std=True)
        assert out.energy == 2.0
        assert out.energies_std[0] == pytest.approx(gp.delta)
        assert not out.forces.any()


def test_labelled_structures_pass_through():
    training = frames(5, seed=44)
    direct, labelled = regressor().fit(training), regressor().fit(from_atoms(training))
    np.testing.assert_array_equal(
        direct.potential_.posterior.alpha, labelled.potential_.posterior.alpha
    )
    s = from_atoms(training)[0]
    assert direct.predict(s).energy == direct.predict([training[0]]).energy
    assert direct.predict(training[0]).energy.shape == (1,)
    assert direct.score(from_atoms(training)) == direct.score(training)
