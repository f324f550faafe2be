"""Programs that take an ASE calculator take gapy's: each against its real package."""

import gzip
import json
import warnings

import numpy as np
import pytest
from ase.build import bulk
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.properties import elastic, eos, relax


@pytest.fixture(scope="module")
def calculator():
    soap = smooth_soap(["Cu"], r_cut=4.5, n_max=4, l_max=3)
    frames = labelled_frames(45, seed=5)[::3]  # copper
    return gapy.SparseGPRegressor(soap, 40, zeta=2).fit(frames).potential_.calculator()


@pytest.fixture
def client():
    """Imports a client; its own warnings are not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip


def test_matcalc_finds_our_lattice_and_elastic_constants(calculator, client):
    matcalc = client("matcalc")
    ours = relax(calculator, bulk("Cu", a=3.65)).atoms
    relaxed = matcalc.RelaxCalc(calculator, optimizer="BFGS", fmax=1e-4).calc(bulk("Cu", a=3.65))
    assert relaxed["a"] == pytest.approx(ours.cell.lengths()[0], abs=2e-3)
    at_rest = {"relax_structure": False, "fmax": 1e-4}
    found = matcalc.EOSCalc(calculator, max_abs_strain=0.02, n_points=5, **at_rest).calc(ours)
    modulus = eos(calculator, ours).numbers()["B"]
    assert found["bulk_modulus_bm"] == pytest.approx(modulus, rel=0.03)
    small = {"norm_strains": (-4e-3, 4e-3), "shear_strains": (-4e-3, 4e-3)}
    elasticity = matcalc.ElasticityCalc(calculator, units_GPa=True, **small, **at_rest)
    tensor = elasticity.calc(ours)["elastic_tensor"]
    constants = elastic(calculator, ours).numbers()
    for name, (i, j) in {"C11": (0, 0), "C12": (0, 1), "C44": (3, 3)}.items():
        assert tensor.voigt[i, j] == pytest.approx(constants[name], abs=4.0)


def test_janus_computes_and_relaxes_what_we_do(calculator, client, tmp_path, monkeypatch):
    single_point = client("janus_core.calculations.single_point")
    geom_opt = client("janus_core.calculations.geom_opt")
    monkeypatch.chdir(tmp_path)  # where it writes
    atoms = labelled_frames(1, seed=7)[0]
    atoms.calc = calculator
    forces = atoms.get_forces().copy()
    found = single_point.SinglePoint(struct=atoms, properties=["energy", "forces"]).run()
    np.testing.assert_allclose(found["forces"], forces, atol=1e-12)
    atoms.calc = calculator
    job = geom_opt.GeomOpt(struct=atoms, fmax=1e-3, filter_class=None)
    job.run()
    assert np.abs(job.struct.get_forces()).max() < 1e-3


def test_chemiscope_gets_the_map_of_inspect(cli, train_xyz, train_frames, client, tmp_path):
    client("chemiscope")
    path = tmp_path / "map.json.gz"
    for _ in range(2):  # it may replace its own file
        assert cli("inspect", str(train_xyz), "--chemiscope", str(path)).code == 0
    data = json.loads(gzip.decompress(path.read_bytes()))
    n = len(data["environments"])
    assert n == sum(map(len, train_frames)) and len(data["structures"]) == len(train_frames)
    found = data["properties"]
    assert all(len(p["values"]) == n for p in found.values())
    assert found["force error of the structure"]["units"] == "eV/A"
    for k in (0, n // 2, n - 1):
        place = data["environments"][k]
        atoms = train_frames[place["structure"]]
        assert found["element"]["values"][k] == atoms.get_chemical_symbols()[place["center"]]
        assert found["group"]["values"][k] == atoms.info["config_type"]
    path.write_text("something else")
    assert (
        "is not a data set of chemiscope"
        in cli("inspect", str(train_xyz), "--chemiscope", str(path)).error_line()
    )
