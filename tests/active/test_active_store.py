"""The store: names of loops that ASE would take for numbers, and places that are no database."""

import os

import numpy as np
import pytest
from active_calculators import cell
from ase.db import sqlite

from gapy.active import Oracle, Request
from gapy.active.labels import Label
from gapy.active.process import job_of
from gapy.active.store import Store
from gapy.errors import GapyError


@pytest.mark.parametrize("name", ["300", "1e5", "nan", "inf", "True", "0", "loop", "run 300"])
def test_any_name_of_a_loop(tmp_path, name):
    store = Store(tmp_path / "l.db", name)
    label = Label(-1.0, np.zeros((4, 3)), np.zeros(6), 0.1)
    store.add("12e4", 0, Request.initial(cell(1), "w"), label, "{}")
    store.add_model(1, "hash", "model.gapy", 1)
    again = Store(tmp_path / "l.db", name)
    assert len(again) == 1 and again.outcome("12e4").energy == -1.0
    assert len(again.rows("model")) == 1
    assert len(Store(tmp_path / "l.db", "other")) == 0


def test_the_charge_of_a_structure_is_stored_and_travels(tmp_path):
    store, oracle = Store(tmp_path / "l.db", "loop"), Oracle("ase.calculators.emt.EMT")
    label = Label(-1.0, np.zeros((4, 3)), np.zeros(6), 0.1)
    keys = []
    for k, charge in enumerate((0.0, -1.0)):
        atoms = cell(1)
        atoms.info["charge"] = charge
        request = Request.initial(atoms, "w")
        assert Request(**request.to_dict()).charge == charge
        job = job_of(request, b"", tmp_path, None, 1.0)
        assert job.atoms.get_initial_charges().sum() == pytest.approx(charge)
        keys.append(oracle.key(request))
        store.add(keys[k], k, request, label, "{}")
    assert keys[0] != keys[1]
    again = Store(tmp_path / "l.db", "loop")
    assert [again.structure(key).info.get("charge", 0.0) for key in keys] == [0.0, -1.0]


def test_moments_of_a_structure_are_stored_and_tell_labels_apart(tmp_path):
    store, oracle = Store(tmp_path / "l.db", "loop"), Oracle("ase.calculators.emt.EMT")
    label = Label(-1.0, np.zeros((4, 3)), np.zeros(6), 0.1)
    orders = ([0, 0, 0, 0], [2.2, 2.2, 2.2, 2.2], [2.2, -2.2, 2.2, -2.2])
    keys = []
    for k, moments in enumerate(orders):
        atoms = cell(1)
        atoms.set_initial_magnetic_moments(moments)
        request = Request.initial(atoms, "w")
        keys.append(oracle.key(request))
        store.add(keys[k], k, request, label, "{}")
    assert len(set(keys)) == 3 and keys[0] == oracle.key(Request.initial(cell(1), "w"))
    turned = cell(1)
    turned.set_initial_magnetic_moments(-np.array(orders[-1]))
    assert oracle.key(Request.initial(turned, "w")) == keys[-1]
    again = Store(tmp_path / "l.db", "loop")
    for key, moments in zip(keys, orders):
        assert np.array_equal(again.structure(key).get_initial_magnetic_moments(), moments)


@pytest.mark.parametrize("name", ["labels.xyz", "labels"])
def test_places_that_are_no_database(tmp_path, name):
    with pytest.raises(GapyError, match=r"expected a file that ends with .db .*correct the name"):
        Store(tmp_path / name, "loop")
    (tmp_path / "text.db").write_text("text " * 1000)
    with pytest.raises(GapyError, match="cannot be used: file is not a database"):
        Store(tmp_path / "text.db", "loop")


def test_a_loop_in_a_directory_whose_name_is_a_number(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.toml").write_text(
        """
        directory = "300"
        [oracle]
        calculator = "ase.calculators.emt.EMT"
        [model]
        r-cut = 4.0
        n-max = 2
        l-max = 1
        n-inducing = 10
        [policy]
        max-force-std = 10.0
        [[explore]]
        start = { class = "ase.build.bulk", name = "Cu", cubic = true }
        temperature = 300
        ps = 0.003
        """
    )
    result = cli("learn", "loop.toml")
    assert result.code == 0, result.err
    assert (tmp_path / "300" / "model.gapy").exists()
    assert cli("learn", "loop.toml", "--resume").code == 0


@pytest.mark.parametrize("links", [True, False])
def test_a_new_database_is_whole_or_not_there(tmp_path, monkeypatch, links):
    """ASE's connection is cut between two tables, as by a kill."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *args: (_ for _ in ()).throw(OSError("no links")))
    path = tmp_path / "labels.db"
    whole = sqlite.init_statements
    monkeypatch.setattr(sqlite, "init_statements", [*whole[:2], "this is no SQL"])
    with pytest.raises(GapyError, match=r"labels.db cannot be used"):
        Store(path, "run")
    assert not path.exists()
    monkeypatch.setattr(sqlite, "init_statements", whole)
    assert len(Store(path, "run")) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["labels.db"]
    assert len(Store(path, "another")) == 0
