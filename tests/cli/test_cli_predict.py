"""`gapy predict`: what the calculator says, in a file."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule


def test_every_structure_has_what_the_calculator_says(
    cli, model_file, potential, test_xyz, tmp_path
):
    ase.io.write(tmp_path / "one.xyz", bulk("Cu"))
    free = bulk("Cu", cubic=True)
    free.pbc = False
    ase.io.write(tmp_path / "free.xyz", free)
    out = cli(
        "predict", model_file, test_xyz, tmp_path / "one.xyz", tmp_path / "free.xyz",
        "-o", tmp_path / "out.xyz",
    )  # fmt: skip
    assert out.code == 0, out.err
    given = [*ase.io.read(test_xyz, ":"), bulk("Cu"), free]
    found = ase.io.read(tmp_path / "out.xyz", ":")
    assert f"{len(given)} structures" in out.out and len(found) == len(given)
    calculator = potential.calculator(uncertainty=True)
    for atoms, there in zip(given, found):
        atoms = atoms.copy()
        atoms.calc = calculator
        assert there.get_potential_energy() == pytest.approx(atoms.get_potential_energy())
        np.testing.assert_allclose(there.get_forces(), atoms.get_forces(), atol=1e-7)
        wanted = calculator.results["forces_std"]
        np.testing.assert_allclose(there.arrays["forces_std"], wanted, rtol=1e-3)
        if atoms.pbc.all():
            np.testing.assert_allclose(there.get_stress(), atoms.get_stress(), atol=1e-8)
        else:
            assert "stress" not in there.calc.results
    labelled = ase.io.read(test_xyz, 0)
    assert found[0].info["REF_energy"] == labelled.info["REF_energy"]


def test_without_sigma_there_is_none(cli, model_file, test_xyz, tmp_path):
    assert cli("predict", model_file, test_xyz, "-o", tmp_path / "o.xyz", "--no-sigma").code == 0
    assert "forces_std" not in ase.io.read(tmp_path / "o.xyz", 0).arrays


def test_bad_input_is_one_line_and_nothing_is_written(cli, model_file, test_xyz, tmp_path):
    gold = tmp_path / "gold.xyz"
    ase.io.write(gold, [bulk("Cu"), bulk("Au")], format="extxyz")
    out = cli("predict", model_file, test_xyz, gold, "-o", tmp_path / "o.xyz")
    assert out.code == 2 and "gold.xyz frame 1" in out.error_line()
    near = molecule("H2")
    near.symbols = "Cu2"
    near.positions[1] = near.positions[0]
    ase.io.write(tmp_path / "near.xyz", near)
    out = cli("predict", model_file, tmp_path / "near.xyz", "-o", tmp_path / "o.xyz")
    assert out.code == 2 and "near.xyz frame 0" in out.error_line()
    assert not (tmp_path / "o.xyz").exists()
    assert cli("predict", model_file, gold, "-o", gold).code == 2
    assert len(ase.io.read(gold, ":")) == 2
