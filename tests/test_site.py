"""The site is built in strict mode, needs nothing from outside, and describes every public name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gapy

ROOT = Path(__file__).parent.parent
LOADED = re.compile(r'<(?:script|img|iframe)[^>]* src="([^"]+)"|<link[^>]* href="([^"]+)"[^>]*>')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for module in ("mkdocs", "mkdocstrings", "latex2mathml", "nbconvert"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("site")
    # No proxy answers at this port: whatever asks the network for something fails.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.html")
    }


def test_pages_load_nothing_from_outside(site):
    for name, page in site.items():
        files = [script or link for script, link in LOADED.findall(page)]
        assert files
        assert not [file for file in files if file.startswith(("http:", "https:", "//"))], name


def test_formulas_are_mathematics(site):
    assert site["theory/index.html"].count("<math") > 100
    assert "<mtable" in site["theory/index.html"]
    for name, page in site.items():
        text = re.sub(r"<(pre|code).*?</\1>", "", page, flags=re.DOTALL)
        assert not re.search(r"\\\(|\\\[|\\frac|\$\$", text), name


def test_every_public_name_has_its_place_in_the_reference(site):
    pages = "".join(page for name, page in site.items() if name.startswith("api/"))
    names = [name for name in gapy.__all__ if not name.startswith("_")]
    assert not [name for name in names if f'id="gapy.{name}"' not in pages]


def test_docstrings_become_sections_of_numpydoc(monkeypatch):
    pytest.importorskip("griffe")
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "site"))
    from docstrings import rewritten

    found = rewritten(
        "Summary.\n\nArguments\n---------\na : what it is\n    and more\nb : int\n    a number\n"
        "x_ (M,) : of each\n\nRaises GapyError elsewhere."
    )
    assert found == (
        "Summary.\n\nRaises GapyError elsewhere.\n\nParameters\n----------\n"
        "a\n    what it is\n    and more\nb : int\n    a number\nx_\n    (M,) of each"
    )


def test_the_version_is_on_every_page(site):
    assert all(f"gapy {gapy.__version__}" in page for page in site.values())


def test_every_notebook_is_a_page(site):
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{notebook.stem}/index.html" in site
