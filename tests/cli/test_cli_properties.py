"""`gapy relax | eos | elastic | phonons | suggest` as a user runs them."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

import gapy
from gapy.descriptors import smooth_soap
from gapy.fit.checkpoint import save_state
from gapy.properties.elasticity import elastic
from gapy.properties.equation_of_state import eos


def labelled(n: int, seed: int):
    """Strained and rattled copper with EMT's labels."""
    rng = np.random.default_rng(seed)
    for k in range(n):
        atoms = bulk("Cu", "fcc", a=3.6 * (0.96 + 0.08 * rng.random()), cubic=True)
        strain = np.eye(3) + 0.03 * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        if k % 2:
            atoms.rattle(0.05, rng=rng)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.info["REF_stress"] = atoms.get_stress()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.info["config_type"] = "strained" if k % 2 == 0 else "rattled"
        atoms.calc = None
        yield atoms


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Model, state, start structure and candidates."""
    folder = tmp_path_factory.mktemp("copper")
    soap = smooth_soap(["Cu"], r_cut=4.5, n_max=5, l_max=4)
    frames = list(labelled(60, seed=1))
    gp = gapy.SparseGPRegressor(soap, n_inducing=60, zeta=2, optimize=True).fit(frames)
    gp.potential_.save(folder / "cu.gapy")
    save_state(gp, folder / "cu.state")
    ase.io.write(folder / "start.xyz", bulk("Cu", "fcc", a=3.7))
    ase.io.write(folder / "pool.xyz", list(labelled(6, seed=2)), format="extxyz")
    return folder


def numbers(path) -> dict[str, float]:
    return {name: row["value"] for name, row in json.loads(path.read_text())["numbers"].items()}


def test_lattice_and_constants_come_near_those_of_the_labels(files, cli, tmp_path):
    for command in ("relax", "eos", "elastic"):
        out = cli(
            command, files / "cu.gapy", files / "start.xyz", "--samples", 3,
            "--json", tmp_path / f"{command}.json", "-o", tmp_path / f"{command}.xyz",
        )  # fmt: skip
        assert out.code == 0, out.err
        assert "+- one standard deviation of 3 samples: posterior spread times" in out.out
        assert len(ase.io.read(tmp_path / f"{command}.xyz", ":")) >= 1
    wanted = eos(EMT(), bulk("Cu")).numbers()
    found = numbers(tmp_path / "eos.json")
    assert found["a"] == pytest.approx(wanted["a"], abs=0.01)
    assert found["B"] == pytest.approx(wanted["B"], rel=0.05)
    assert numbers(tmp_path / "relax.json")["a"] == pytest.approx(wanted["a"], abs=0.01)
    emt, own = elastic(EMT(), bulk("Cu")).numbers(), numbers(tmp_path / "elastic.json")
    for name in ("C11", "C12", "C44"):
        assert own[name] == pytest.approx(emt[name], rel=0.1)
    rows = json.loads((tmp_path / "elastic.json").read_text())["numbers"]
    assert all(row["std"] > 0.0 for row in rows.values())


def test_phonons_of_a_stable_crystal(files, cli, tmp_path):
    out = cli(
        "phonons", files / "cu.gapy", files / "start.xyz", "--samples", 0,
        "--json", tmp_path / "p.json",
    )  # fmt: skip
    assert out.code == 0, out.err
    assert "lowest" in out.out and "heat capacity" in out.out
    found = numbers(tmp_path / "p.json")
    assert 0.0 < found["X1"] <= found["X2"] <= found["X3"]
    three_kb = 3 * 8.617333e-5
    assert 0.8 * three_kb < found["heat capacity"] < three_kb


def test_suggestions_shrink_the_bar_and_are_written(files, cli, tmp_path):
    out = cli(
        "suggest", files / "cu.gapy", files / "pool.xyz", "--start", files / "start.xyz",
        "--property", "eos",
        "-n", 2, "-o", tmp_path / "chosen.xyz", "--json", tmp_path / "s.json",
        "--state", files / "cu.state",
    )  # fmt: skip
    assert out.code == 0, out.err
    said = json.loads((tmp_path / "s.json").read_text())
    bars = [said["std"]["B"], *(one["std"]["B"] for one in said["chosen"])]
    assert len(said["chosen"]) == 2 and bars[0] > bars[1] > bars[2] > 0.0
    chosen = ase.io.read(tmp_path / "chosen.xyz", ":")
    pool = ase.io.read(files / "pool.xyz", ":")
    first = int(said["chosen"][0]["structure"].rpartition("@")[2])
    np.testing.assert_allclose(chosen[0].positions, pool[first].positions, atol=1e-6)
    assert said["without"].keys() == {"strained", "rattled"}
    assert all(f > 1.0 for group in said["without"].values() for f in group.values())


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["eos", "--samples", 1], "samples: expected 0, or at least 2"),
        (["eos", "--points", 3], "points"),
        (["elastic", "--strain", 0], "strain"),
        (["phonons", "--repeats", 0], "repeats: expected at least 1"),
        (["relax", "--cell", "round"], "cell"),
    ],
)
def test_bad_values_are_one_line(files, cli, arguments, words):
    command, *options = arguments
    out = cli(command, files / "cu.gapy", files / "start.xyz", *options)
    assert out.code == 2 and words in out.error_line()


def test_what_cannot_be_computed_is_one_line(files, cli, tmp_path):
    model = files / "cu.gapy"
    ase.io.write(tmp_path / "gold.xyz", bulk("Au"))
    assert "Au" in cli("eos", model, tmp_path / "gold.xyz").error_line()
    lone = bulk("Cu")
    lone.pbc = False
    ase.io.write(tmp_path / "lone.xyz", lone)
    assert "periodic" in cli("elastic", model, tmp_path / "lone.xyz").error_line()
    start = files / "start.xyz"
    assert cli("relax", model, start, "-o", start).code == 2
    assert len(ase.io.read(start, ":")) == 1
    out = cli("suggest", model, files / "pool.xyz", "--start", start, "--property", "colour")
    assert "property: expected one of eos, elastic, vacancy, phases" in out.error_line()
