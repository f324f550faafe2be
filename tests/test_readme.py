"""The README's Python runs as printed, on the shipped data and with smaller numbers."""

import re
from pathlib import Path

import pytest
from ase.io import read, write

import gapy.data

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# What is printed, and what takes its place so that the test is fast.
SMALLER = {
    "n_max=8, l_max=8": "n_max=4, l_max=4",
    "n_inducing=1000": "n_inducing=60",
    ".repeat(3)": ".repeat(2)",
    "steps=2000": "steps=5",
    "max_force_std=0.3": "max_force_std=30.0",
}


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def data(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / f"{split}.xyz", gapy.data.frames("si", split)[::5], format="extxyz")
    return tmp_path


def test_python_quickstart(data, monkeypatch, capsys):
    monkeypatch.chdir(data)
    (code,) = python_blocks()
    for printed, smaller in SMALLER.items():
        assert printed in code
        code = code.replace(printed, smaller)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    out = capsys.readouterr().out
    assert "force RMSE" in out
    assert "within one sigma" in out
    assert "finished" in out
    assert (data / "si.gapy").exists()
    assert len(read(data / "md" / "md.extxyz", ":")) == 2  # the first step and the last


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`(docs/[^`]+)`", README)
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_two_commands_are_those_that_the_extras_serve():
    assert 'pip install ".[plot]" && gapy demo' in README
    assert 'pip install ".[test]" && pytest' in README
    assert 'pip install --quiet ".[test]"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
