"""What a wheel needs: every directory is a package, data and licence are in it, one version."""

import configparser
import importlib.metadata
from pathlib import Path

import pytest
import warm

import gapy

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gapy"


def test_every_directory_with_modules_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [str(f) for f in folders if not (f / "__init__.py").exists()]


def test_every_module_and_data_file_of_the_sources_is_installed():
    installed = Path(gapy.__file__).parent
    names = [p.relative_to(PACKAGE) for p in PACKAGE.rglob("*") if p.suffix in (".py", ".xyz")]
    assert not [str(name) for name in names if not (installed / name).exists()]


def test_one_version():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["version"] == gapy.__version__


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {gapy.__version__}\n" in citation
    assert f"## {gapy.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_installed_metadata_agree():
    try:
        metadata = importlib.metadata.metadata("gapy")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("gapy runs from its sources, nothing is installed")
    assert metadata["Version"] == gapy.__version__
    assert "MIT" in (metadata.get("License-Expression") or metadata.get("License"))
    assert {"plot", "test", "docs", "lint", "notebook", "dpdata"} <= set(
        metadata.get_all("Provides-Extra")
    )


@pytest.mark.parametrize("name", ["data", "descriptors", "md", "structures", "errors", "tuning"])
def test_modules_are_attributes_after_importing_gapy_alone(name, tmp_path):
    code = f"import gapy; assert gapy.{name}.__name__ == 'gapy.{name}' and {name!r} in dir(gapy)"
    program = warm.Program(code, (), folder=tmp_path, output=tmp_path / "printed")
    assert program.wait() == 0, program.communicate()


def test_what_gapy_does_not_have(monkeypatch):
    for name in ("nothing", "_secret"):
        with pytest.raises(AttributeError, match=f"module 'gapy' has no attribute '{name}'"):
            getattr(gapy, name)

    def lacks_something(name):
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(gapy, "import_module", lacks_something)
    with pytest.raises(ModuleNotFoundError, match="matplotlib"):
        gapy.plots_of_another_kind  # noqa: B018
