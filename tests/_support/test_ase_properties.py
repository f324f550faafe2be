"""The error bars are properties that ASE knows: its calculators and files keep them."""

import subprocess
import sys

import ase.calculators.calculator
import ase.calculators.singlepoint
import ase.db
import ase.db.row
import ase.io.extxyz
import ase.io.trajectory
import ase.outputs
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.outputs import Properties
from helpers import labelled_frames

import gapy
from gapy._support import ase_properties
from gapy._support.ase_properties import PER_ATOM, SHAPES

NAMES = ("energy_std", "energies_std", "forces_std", "stress_std")


@pytest.fixture
def computed(potential):
    atoms = labelled_frames(1, seed=3)[0]
    atoms.info, atoms.arrays["tags"] = {}, np.arange(4)
    del atoms.arrays["REF_forces"]
    atoms.calc = potential.calculator(uncertainty="full")
    atoms.get_potential_energy()
    return atoms


def assert_kept(atoms, computed, names=NAMES, atol=0.0):
    found = gapy.standard_deviations(atoms)
    assert set(found) == set(names)
    for name in names:
        np.testing.assert_allclose(found[name], computed.calc.results[name], rtol=0, atol=atol)


def test_ase_keeps_its_lists_where_they_are_extended():
    """If this fails, ASE has changed: mend gapy._support.ase_properties."""
    assert tuple(SHAPES) == NAMES
    for module in (
        ase.calculators.calculator,
        ase.calculators.singlepoint,
        ase.db.row,
        ase.io.trajectory,
    ):
        assert set(NAMES) <= set(module.all_properties), module.__name__
        assert len(set(module.all_properties)) == len(module.all_properties)
    assert {n: ase.outputs.all_outputs[n].shapespec for n in NAMES} == SHAPES
    assert set(NAMES) & set(ase.io.extxyz.per_atom_properties) == set(PER_ATOM)
    assert set(NAMES) & set(ase.io.extxyz.per_config_properties) == set(NAMES) - set(PER_ATOM)
    assert not set(PER_ATOM) & set(ase.io.extxyz.all_properties)


BEFORE = "import gapy, sys; assert 'ase' not in sys.modules and 'numpy' not in sys.modules\n"
CHECK = """
from ase.calculators.calculator import all_properties
from ase.io import extxyz
assert all_properties[-4:] == ["energy_std", "energies_std", "forces_std", "stress_std"]
assert len(set(all_properties)) == len(all_properties)
assert "forces_std" in extxyz.per_atom_properties and "forces_std" not in extxyz.all_properties
assert not any(type(f).__module__.endswith("ase_properties") for f in sys.meta_path)
from ase.calculators.calculator import get_calculator_class, names
assert "gapy" in names and get_calculator_class("gapy") is gapy.GAPCalculator
"""


@pytest.mark.parametrize(
    "start", [BEFORE, "import sys, ase.io.extxyz, gapy\n", "import sys, ase.io, gapy\n"]
)
def test_the_order_of_imports_does_not_matter(start):
    subprocess.run([sys.executable, "-c", start + CHECK], check=True)


def test_an_ase_without_its_lists_is_warned_of():
    with pytest.warns(RuntimeWarning, match="ASE: expected its list of properties.*will not keep"):
        ase_properties._checked(ase_properties._add_names, object())


def test_properties_of_ase_hold_them_in_their_shapes(computed):
    properties = computed.get_properties(["energy", "forces_std", "stress_std"])
    assert properties["forces_std"].shape == (4, 3) and properties["stress_std"].shape == (6,)
    assert isinstance(properties["energy_std"], float)
    for name, value in (("forces_std", np.zeros(4)), ("energies_std", np.zeros((4, 3)))):
        with pytest.raises(ValueError, match=f"{name} has bad shape"):
            Properties({name: value})


def test_single_point_calculator(computed):
    frozen = computed.copy()
    frozen.calc = SinglePointCalculator(frozen, **computed.calc.results)
    assert_kept(frozen, computed)
    np.testing.assert_array_equal(
        frozen.calc.get_property("forces_std", frozen), computed.calc.results["forces_std"]
    )
    frozen.positions[0] += 0.1
    assert gapy.standard_deviations(frozen) == {}


@pytest.mark.parametrize("name", ["a.traj", "a.json"])
def test_files_that_keep_results(computed, tmp_path, name):
    write(tmp_path / name, computed)
    back = read(tmp_path / name)
    assert_kept(back, computed)
    assert set(NAMES) <= set(back.calc.results)


def test_extended_xyz(computed, tmp_path):
    path = tmp_path / "a.extxyz"
    write(path, [computed, computed])
    for back in read(path, ":"):
        assert_kept(back, computed, atol=1e-8)
        assert back.arrays["forces_std"].shape == (4, 3)
        assert back.arrays["energies_std"].shape == (4,)
        assert np.isfinite(back.calc.results["energy_std"])
        assert back.calc.results["stress_std"].shape == (6,)
        again = tmp_path / "b.extxyz"
        write(again, back)
        assert_kept(read(again), computed, atol=1e-8)


WITHOUT_GAPY = """
import sys
from ase.io import read
found = read(sys.argv[1])
assert "gapy" not in sys.modules
if sys.argv[1].endswith("extxyz"):
    assert {"forces_std", "energies_std"} <= set(found.arrays)
    assert {"energy_std", "stress_std"} <= set(found.info)
else:
    assert not any(name.endswith("_std") for name in found.calc.results)
found.get_forces(), found.get_stress()
"""


@pytest.mark.parametrize("name", ["a.traj", "a.json", "a.extxyz"])
def test_a_reader_without_gapy(computed, tmp_path, name):
    write(tmp_path / name, computed)
    subprocess.run([sys.executable, "-c", WITHOUT_GAPY, tmp_path / name], check=True)


@pytest.mark.parametrize("name", ["a.db", "b.json"])
def test_database(computed, tmp_path, name):
    with ase.db.connect(tmp_path / name) as db:
        db.write(computed, data=gapy.standard_deviations(computed))
        row = db.get(1)
    assert set(row.data) == set(NAMES)
    assert row.calculator_parameters == computed.calc.todict()
    assert_kept(row.toatoms(add_additional_information=True), computed)


def test_what_it_finds_is_a_copy_and_may_be_nothing(computed):
    found = gapy.standard_deviations(computed)
    found["forces_std"][:] = -1.0
    assert (computed.calc.results["forces_std"] >= 0.0).all()
    assert gapy.standard_deviations(labelled_frames(1, seed=3)[0]) == {}
