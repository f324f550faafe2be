"""The baseline of free atoms: one energy for each centre, nothing else."""

import json
import pickle

import numpy as np
import pytest
from ase import Atoms
from baseline_helpers import domain, whole
from hypothesis import given
from hypothesis import strategies as st

from gapy.baselines import FreeAtoms, System, from_settings
from gapy.errors import GapyError, SpeciesError

E0 = {1: -13.6, 14: -107.2}


def test_energy_is_the_sum_over_atoms():
    found = FreeAtoms(E0).evaluate(System(np.array([14, 1, 1])))
    assert found.energies.tolist() == [-107.2, -13.6, -13.6]
    assert found.energy == sum([-107.2, -13.6, -13.6])
    assert not found.forces.any() and not found.virial.any()
    assert found.forces.shape == (3, 3)


def test_ghosts_have_no_energy():
    atoms = Atoms("SiHSiH", np.diag([0, 1.0, 2.0, 3.0])[:, 1:], cell=[4, 4, 4], pbc=True)
    baseline = FreeAtoms(E0)
    total = baseline.evaluate(whole(atoms, 2.5)).energy
    parts = [domain(atoms, 2.5, owned)[0] for owned in ([0, 3], [1, 2])]
    assert all(len(part.numbers) > 2 for part in parts)
    assert sum(baseline.evaluate(part).energy for part in parts) == pytest.approx(total, rel=1e-14)


@given(st.dictionaries(st.integers(1, 118), st.floats(-1e7, 1e7)))
def test_settings_survive_json_and_pickle(e0):
    baseline = FreeAtoms(e0)
    copy = from_settings("free_atoms", json.loads(json.dumps(baseline.settings())))
    for other in (copy, pickle.loads(pickle.dumps(baseline))):
        assert other == baseline and hash(other) == hash(baseline)
        assert (
            np.array(list(other.e0.values())).tobytes()
            == np.array(list(baseline.e0.values())).tobytes()
        )
        assert other.species == tuple(sorted(e0))


def test_bad_values_are_refused():
    with pytest.raises(SpeciesError, match="expected atoms of H, Si, got C; add the species"):
        FreeAtoms(E0).evaluate(System(np.array([14, 6])))
    with pytest.raises(SpeciesError, match="expected a chemical element, got 'Q'"):
        FreeAtoms({"Q": 1.0})
    with pytest.raises(GapyError, match="e0 of Si: expected a finite number in eV, got nan"):
        FreeAtoms({"Si": np.nan})
    with pytest.raises(GapyError, match="expected Si once, got it twice"):
        FreeAtoms({"Si": 1.0, 14: 2.0})
    with pytest.raises(GapyError, match="free_atoms, e0: expected a mapping from species to eV"):
        FreeAtoms("auto")
    with pytest.raises(TypeError):
        FreeAtoms(E0).e0[1] = 0.0
