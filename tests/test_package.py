"""What a wheel needs: every directory is a package, data and licence are in it, one version."""

import configparser
import importlib.metadata
from pathlib import Path

import pytest

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


def test_installed_metadata_agree():
    try:
        metadata = importlib.metadata.metadata("gapy")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("gapy runs from its sources, nothing is installed")
    assert metadata["Version"] == gapy.__version__
    assert "MIT" in (metadata.get("License-Expression") or metadata.get("License"))
    assert {"plot", "test", "docs", "lint"} <= set(metadata.get_all("Provides-Extra"))
