"""Notebooks as pages of the site, links to them, and the version in its footer.

Notebooks are stored without output. With EXECUTE_NOTEBOOKS in the environment the build runs them,
and their pages have numbers and pictures.
"""

import os
import re
import tempfile
from pathlib import Path

import nbformat
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import ExecutePreprocessor

import gapy

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(\.\./notebooks/(\w+)\.ipynb\)")


def on_config(config):
    """The version of the package in the footer; called by mkdocs."""
    config.copyright = f"gapy {gapy.__version__}, MIT licence"
    return config


def on_files(files, config):
    """The pages `notebooks/NAME.md` and their pictures; called by mkdocs."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, content in page(path).items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """A page whose links to notebooks lead to their pages; called by mkdocs."""
    return LINK.sub(r"](notebooks/\1.md)", markdown)


def page(path: Path) -> dict[str, str | bytes]:
    """{name: content} of the page of a notebook and what it shows."""
    notebook = nbformat.read(path, as_version=4)
    if os.environ.get("EXECUTE_NOTEBOOKS"):
        with tempfile.TemporaryDirectory() as folder:
            ExecutePreprocessor(timeout=600).preprocess(notebook, {"metadata": {"path": folder}})
    exporter = MarkdownExporter()
    text, resources = exporter.from_notebook_node(
        notebook, {"unique_key": path.stem, "output_files_dir": path.stem}
    )
    # Notebooks name each other and the pages by their places in the repository.
    text = text.replace(".ipynb)", ".md)").replace("](../docs/", "](../")
    return {f"{path.stem}.md": text, **resources.get("outputs", {})}
