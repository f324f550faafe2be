"""The calculator as ASE's tools see it: made from a file, set, recorded, pickled, copied."""

import copy
import inspect
import json
import pickle

import ase.db
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from helpers import labelled_frames

import gapy
from gapy import GAPCalculator
from gapy.errors import GapyError, ModelFileError, StructureError
from gapy.model import calculator


@pytest.fixture
def atoms():
    frame = labelled_frames(3, seed=5)[2]
    frame.info = {}
    return frame


def test_from_a_file(potential, model_file, atoms):
    for path in (str(model_file), model_file):
        calc = GAPCalculator(path, uncertainty=True)
        calc.calculate(atoms)
        expected = potential.calculator(uncertainty=True)
        expected.calculate(atoms)
        for name, value in expected.results.items():
            np.testing.assert_array_equal(calc.results[name], value)


def test_what_is_no_potential(tmp_path):
    with pytest.raises(ModelFileError, match="expected a gapy model file"):
        GAPCalculator(tmp_path / "none.gapy")
    with pytest.raises(GapyError, match=r"potential: expected a gapy.Potential or the path.*int"):
        GAPCalculator(7)


@pytest.mark.parametrize("call", ["evaluate", "predict", "sample"])
def test_a_list_where_one_structure_belongs(potential, atoms, call):
    evaluate = potential.sample(2).evaluate if call == "sample" else getattr(potential, call)
    labelled = gapy.structures.from_atoms(labelled_frames(1, seed=5))[0]
    for wrong, name in (([atoms], "list"), (labelled, "LabelledStructure"), ("a.xyz", "str")):
        with pytest.raises(StructureError, match=f"atoms: expected one ase.Atoms, got {name};"):
            evaluate(wrong)


def test_unknown_keywords_are_refused(potential):
    expected = (
        r"uncertianty: expected one of the keywords uncertainty, posterior_every, skin, threads"
    )
    with pytest.raises(GapyError, match=expected + r".*, atoms, label, directory of GAPCalculator"):
        GAPCalculator(potential, uncertianty=True)
    calc = potential.calculator()
    with pytest.raises(GapyError, match=expected + " of GAPCalculator, got uncertianty=True"):
        calc.set(threads=2, uncertianty=True)
    assert calc.threads == 1
    with pytest.raises(GapyError, match="parameters: expected one of the keywords"):
        calc.set(parameters="file")
    committee = potential.sample(2)
    with pytest.raises(GapyError, match=r"drivers: expected.*driver.*of CommitteeCalculator"):
        committee.calculator().set(drivers=1)
    with pytest.raises(GapyError, match=r"driver: expected None \(the mean\) or a member"):
        committee.calculator().set(driver=2)


@pytest.mark.parametrize(
    "wrong", [{"uncertainty": 1}, {"skin": "wide"}, {"skin": np.inf}, {"threads": "two"}]
)
def test_wrong_values_are_refused_in_one_line(potential, wrong):
    (name,) = wrong
    for call in (potential.calculator, potential.calculator().set):
        with pytest.raises(GapyError, match=f"{name}: expected .*, got {wrong[name]!r}"):
            call(**wrong)


def test_set_changes_settings_and_forgets_results(potential, atoms):
    atoms.calc = GAPCalculator(potential, atoms=atoms, label="here")
    atoms.get_forces()
    assert atoms.calc.set(threads=1) == {} and atoms.calc.results
    assert atoms.calc.set(uncertainty="local", skin=1) == {"uncertainty": "local", "skin": 1.0}
    assert not atoms.calc.results
    atoms.get_potential_energy()
    assert "energies_std" in atoms.calc.results
    assert atoms.calc.todict()["uncertainty"] == "local"


def test_a_record_names_the_model_and_the_settings(potential, model_file, atoms, tmp_path, cli):
    atoms.calc = GAPCalculator(potential, uncertainty="full", threads=np.int64(2))
    atoms.get_forces()
    record = atoms.calc.todict()
    printed = json.loads(cli("info", model_file, "--json").out)["sha256"]
    assert record == {
        "model_sha256": printed, "precision": "double", "uncertainty": "full", "posterior_every": 1,
        "skin": 0.5, "threads": 2,
    }  # fmt: skip
    assert gapy.load(model_file).sha256 == printed
    assert json.loads(json.dumps(record)) == record
    write(tmp_path / "a.traj", atoms)
    assert read(tmp_path / "a.traj").calc.parameters == record
    with ase.db.connect(tmp_path / "a.db") as db:
        db.write(atoms)
        assert db.get(1).calculator_parameters == record
    assert GAPCalculator(model_file, **{k: record[k] for k in ("uncertainty", "skin", "threads")})
    sampled = potential.sample(2).calculator(driver=np.int64(1)).todict()
    assert json.loads(json.dumps(sampled)) == sampled and sampled["driver"] == 1


def test_a_used_calculator_pickles_no_larger_than_its_file(model_file, atoms):
    calc = atoms.calc = GAPCalculator(model_file, uncertainty=True)
    for name in ("energy", "energies_std", "energy_std"):
        calc.get_property(name, atoms)
    for mode in ("local", "full", True):
        calc.set(uncertainty=mode)
        atoms.get_forces()
    pickled = pickle.dumps(calc)
    assert len(pickled) <= model_file.stat().st_size
    back = pickle.loads(pickled)
    assert back.atoms == atoms and set(back.results) == set(calc.results)
    assert back.todict() == calc.todict()
    for moved in (0.0, 0.1, 0.9):
        atoms.positions[1] += moved
        for uncertainty in (True, "local", "full"):
            back.set(uncertainty=uncertainty)
            calc.set(uncertainty=uncertainty)
            for one in (back, calc):
                one.calculate(atoms)
            for name, value in calc.results.items():
                np.testing.assert_array_equal(back.results[name], value)


def test_committees_pickle(potential, atoms):
    calc = potential.sample(3, seed=1).calculator(driver=1)
    calc.calculate(atoms)
    back = pickle.loads(pickle.dumps(calc))
    back.calculate(atoms)
    np.testing.assert_array_equal(back.results["forces"], calc.results["forces"])
    np.testing.assert_array_equal(back.results["energy_members"], calc.results["energy_members"])


def test_deep_copies_share_the_potential(potential, atoms):
    calc = potential.calculator(uncertainty=True)
    calc.calculate(atoms)
    for other in (copy.copy(calc), copy.deepcopy(calc)):
        assert other.potential is potential
        moved = atoms.copy()
        moved.positions[0] += 0.3
        other.calculate(moved)
        assert calc.atoms == atoms
        assert other.results["energy"] != calc.results["energy"]


def test_nobody_is_handed_what_later_calls_change(potential, atoms):
    """Structures and arrays that were handed out, in any way, stay as they are."""
    assert "getrefcount" not in inspect.getsource(calculator)
    calc = atoms.calc = potential.calculator(uncertainty=True)
    handed, arrays = [], []
    for step in range(4):
        atoms.positions[0] += 0.01
        atoms.info["step"] = step
        atoms.get_forces()
        handed.append((calc.atoms, atoms.copy(), dict(calc.results)))
        arrays.append((calc.atoms.positions, atoms.positions.copy()))
        calc.atoms.positions[3] += 0.0
    for held, then, results in handed:
        assert held == then and held.info == then.info
        frozen = SinglePointCalculator(then, **results)
        np.testing.assert_array_equal(frozen.results["forces"], results["forces"])
    for held, then in arrays:
        np.testing.assert_array_equal(held, then)
    calc.atoms.positions += 1.0
    assert calc.check_state(atoms) == [] and len(handed) == len({id(h[0]) for h in handed})
