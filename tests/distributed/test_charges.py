"""A scale of charges that parts of the data find together."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import gapy
from gapy.baselines import Coulomb, baseline_of
from gapy.descriptors import smooth_soap
from gapy.distributed import fit

pytestmark = pytest.mark.filterwarnings("default")  # those of Dask are not ours

UNIT = Coulomb({"Na": 1.0, "Cl": -1.0}, scale="fit")
SOAP = smooth_soap(["Na", "Cl"], r_cut=4.0, n_max=3, l_max=2)


@pytest.fixture(scope="module")
def frames():
    """Rattled rocksalt with charges of scale 0.5, noise and nothing else, and free atoms."""
    rng = np.random.default_rng(0)
    out = [
        Atoms(symbol, info={"REF_energy": energy, "config_type": "isolated_atom"})
        for symbol, energy in (("Na", -2.0), ("Cl", -3.0))
    ]
    for k in range(16):
        atoms = bulk("NaCl", "rocksalt", a=5.4 + 0.03 * k, cubic=True)
        atoms.rattle(0.1, seed=k)
        labels = baseline_of(atoms, [UNIT.scaled(0.5)])
        atoms.info["REF_energy"] = labels.energy - 20.0 + rng.normal(scale=0.02)
        atoms.arrays["REF_forces"] = labels.forces + rng.normal(scale=0.01, size=(8, 3))
        out.append(atoms)
    return out


def regressor():
    return gapy.SparseGPRegressor(SOAP, n_inducing=20, optimize=True, baselines=["zbl", UNIT])


def test_workers_find_the_scale_of_one_process(client, frames, tmp_path):
    ase.io.write(tmp_path / "train.xyz", frames, format="extxyz")
    gp = regressor()
    fit(str(tmp_path / "train.xyz"), gp, client=client, atoms_per_part=40)
    one = regressor().fit(gapy.read_structures(tmp_path / "train.xyz"))
    zbl, ions = gp.potential_.baselines
    assert ions.scale == pytest.approx(0.5, abs=0.05)
    assert ions.scale == pytest.approx(one.potential_.baselines[1].scale, abs=1e-9)
    assert zbl == one.potential_.baselines[0] and gp.baselines == ["zbl", UNIT]
    assert gp.training_.e0 == pytest.approx({11: -2.0, 17: -3.0})
    new = frames[5].copy()
    new.rattle(0.05, seed=99)
    forces = baseline_of(new, [UNIT.scaled(0.5)]).forces
    assert np.abs(forces).max() > 0.05
    np.testing.assert_allclose(gp.potential_.evaluate(new).forces, forces, atol=0.02)
    gp.partial_fit(frames[:3])
    assert gp.potential_.baselines[1] == ions
