"""The store: names of loops that ASE would take for numbers, and places that are no database."""

import numpy as np
import pytest
from active_calculators import cell

from gapy.active import Request
from gapy.active.labels import Label
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
