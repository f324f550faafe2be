"""Names of modules from before the rooms, and what type checkers are told."""

import ast
from importlib import import_module
from pathlib import Path

import pytest
import warm

import gapy
from gapy._support.moved import MOVED

PACKAGE = Path(gapy.__file__).parent


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_module_of_today(old):
    assert import_module(old) is import_module(MOVED[old])
    assert getattr(gapy, old.removeprefix("gapy.")) is import_module(MOVED[old])
    assert import_module(old).__name__ == MOVED[old]
    assert old.removeprefix("gapy.") in dir(gapy)


def test_names_are_imported_from_old_modules_in_a_fresh_start(tmp_path):
    code = (
        "import gapy.plots\n"
        "from gapy.state import load_state, save_state\n"
        "from gapy.update import UpdateSettings, rebuild, update\n"
        "from gapy.regressor import SparseGPRegressor\n"
        "import gapy\n"
        "assert SparseGPRegressor is gapy.SparseGPRegressor\n"
        "assert gapy.plots.parity.__module__ == 'gapy.validation.plots'\n"
        "assert load_state.__module__ == 'gapy.fit.checkpoint'\n"
    )
    program = warm.Program(code, (), folder=tmp_path, output=tmp_path / "printed")
    assert program.wait() == 0, program.communicate()


def test_a_name_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        import_module("gapy.nothing")


def test_type_checkers_see_every_name_of_the_package():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    told = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for name in set(gapy.__all__) - {"__version__"}:
        assert told[name] == f"{gapy._HOME[name]}.{name}"
    for name, home in told.items():
        module, _, last = home.rpartition(".")
        assert hasattr(import_module(module), last) or import_module(home), name
    assert (PACKAGE / "py.typed").exists()
