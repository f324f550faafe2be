"""Suites of properties: rows, references, verdicts, failures."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.properties.equation_of_state import eos
from gapy.validation import suites
from gapy.validation.suites import entries, run_suite


@pytest.fixture(scope="module")
def copper():
    """A potential of strained copper with EMT's labels."""
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(40):
        atoms = bulk("Cu", a=3.6 * (0.96 + 0.08 * rng.random()), cubic=True)
        strain = np.eye(3) + 0.03 * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.05, rng=rng)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.info["REF_stress"] = atoms.get_stress()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    soap = smooth_soap(["Cu"], r_cut=4.5, n_max=5, l_max=4)
    return gapy.SparseGPRegressor(soap, n_inducing=40, zeta=2, optimize=True).fit(frames).potential_


def test_rows_stand_beside_a_calculator_and_a_table(copper):
    beside = run_suite(copper, bulk("Cu"), reference=EMT(), samples=4, only=["eos", "elastic"])
    rows = {row.name: row for row in beside}
    wanted = eos(EMT(), bulk("Cu")).numbers()
    assert rows["eos a"].reference == pytest.approx(wanted["a"])
    assert rows["eos a"].verdict == "good" and rows["eos a"].std > 0.0
    assert abs(rows["eos a"].difference) < 0.01
    assert rows["elastic C11"].unit == "GPa" and rows["elastic C11"].mark == 5.0
    table = {"eos a": wanted["a"] + 0.5}
    rows = {
        r.name: r for r in run_suite(copper, bulk("Cu"), reference=table, samples=4, only=["eos"])
    }
    assert rows["eos a"].verdict == "off" and rows["eos a"].covered is False
    assert rows["eos B"].verdict == "no reference" and rows["eos B"].covered is None
    (one, *_) = run_suite(copper, bulk("Cu"), samples=0, only=["eos"])
    assert one.std is None and one.value is not None


def test_what_fails_is_a_row_that_says_why(copper):
    lattice = bulk("Cu", "sc", a=1.6)  # far from anything the model knows
    rows = run_suite(copper, lattice, samples=0, only=["eos"])
    assert [row.verdict for row in rows] == ["failed"]
    assert rows[0].value is None and rows[0].note

    class Blind(EMT):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["forces"] = np.ones((len(self.atoms), 3))
            self.results["stress"] = np.ones(6)

    rows = run_suite(copper, bulk("Cu"), reference=Blind(), samples=0, only=["eos"])
    assert {row.verdict for row in rows} == {"no reference"}
    assert all("the reference fails, relax: Cu ran away" in row.note for row in rows)


def test_what_does_not_apply_or_lacks_a_package_costs_no_other_row(copper, monkeypatch):
    """A property that was named for a structure that does not have it, and one without phonopy."""
    monkeypatch.setitem(sys.modules, "phonopy", None)

    def refuses(calculator, atoms):
        raise GapyError("migration: expected a crystal of one element; choose another")

    monkeypatch.setattr(
        suites, "BULK",
        tuple(replace(e, function=refuses) if e.name == "migration" else e for e in suites.BULK),
    )  # fmt: skip
    rows = run_suite(copper, bulk("Cu"), samples=0, only=["eos", "migration", "phonons"])
    failed = {row.name: row.note for row in rows if row.verdict == "failed"}
    assert "one element" in failed["migration"] and "needs the package phonopy" in failed["phonons"]
    assert any(row.name == "eos a" and row.value is not None for row in rows)
    monkeypatch.setitem(sys.modules, "spglib", None)
    names = {e.name for e in suites.chosen_entries("bulk", bulk("Cu"), None)}
    assert "stacking" in names  # its row says that spglib is missing


def test_a_reference_that_is_not_finite_is_none(copper):
    rows = run_suite(copper, bulk("Cu"), reference={"eos a": np.nan}, samples=0, only=["eos"])
    assert {row.verdict for row in rows} == {"no reference"}
    assert all(row.reference is None for row in rows)


def test_bars_are_the_spread_times_the_factor_of_left_out_errors(copper):
    rows = {r.name: r for r in run_suite(copper, bulk("Cu"), samples=4, only=["eos"])}
    factor = max(1.0, *copper.metadata["left_out_spread"].values())
    spread = gapy.with_error(eos, copper.sample(4, seed=0), bulk("Cu")).std
    assert rows["eos B"].std == pytest.approx(factor * spread["B"])


def test_every_entry_of_both_suites_runs(copper):
    bulk_rows = run_suite(copper, bulk("Cu"), samples=0)
    names = {"eos", "elastic", "vacancy", "phases", "phonons"}
    assert {r.name.split()[0] for r in bulk_rows} >= names
    assert {r.verdict for r in bulk_rows} <= {"no reference", "failed"}
    notes = {r.name: r.note for r in bulk_rows}
    assert notes["vacancy"] == "27 atoms" and notes["elastic C11"] == ""
    dimer = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]])
    rows = {r.name: r for r in run_suite(copper, dimer, samples=0, reference=copper.calculator())}
    assert rows["geometry Cu-Cu"].verdict == rows["vibrations 1"].verdict == "good"
    assert rows["geometry Cu-Cu"].difference == pytest.approx(0.0)


def test_a_suite_is_for_its_structures(copper):
    assert {e.needs for e in entries("auto", molecule("H2O"))} == {"molecule"}
    assert {e.needs for e in entries("auto", bulk("Cu"))} == {"crystal"}
    with pytest.raises(GapyError, match="suite: expected auto, bulk, molecule"):
        entries("liquid", bulk("Cu"))
    with pytest.raises(GapyError, match="suite: bulk needs a crystal"):
        entries("bulk", molecule("H2O"))
    with pytest.raises(GapyError, match="no properties of slabs"):
        entries("auto", Atoms("Cu", cell=[3.0, 3.0, 0.0], pbc=(1, 1, 0)))
    assert suites.chosen_entries("auto", Atoms("Cu", pbc=(1, 1, 0)), []) == ()
    with pytest.raises(GapyError, match="only: expected some of"):
        run_suite(copper, bulk("Cu"), only=["colour"])
