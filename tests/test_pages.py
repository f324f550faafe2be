"""Every Python block of README and docs runs as printed; what is excused is listed here."""

import numpy as np
import pytest
from pages import NOT_RUN, PAGE_NOT_RUN, PAGES, run, runnable, write_files

import gapy

# All that is excused, by page: how many blocks.
EXCUSED = {
    "cluster.md": 5,
    "formats.md": 2,
    "ipi.md": 1,
    "tuning.md": 2,
    "tutorial.md": 1,
    "validate.md": 1,
}
SYNOPSES = {"cli.md", "gap_fit.md"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_files(folder)
    return folder


@pytest.mark.parametrize("name", [name for name in PAGES if runnable(name)[0]])
def test_the_python_of_a_page_runs_as_printed(name, files, tmp_path):
    run(name, runnable(name)[0], [], files, tmp_path / "page")


def test_what_does_not_run_is_listed_here_and_says_why():
    found = {}
    for name, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        reasons = [reason for reason, _ in NOT_RUN.findall(text)]
        assert text.count("<!-- not run") == len(reasons), f"{name}: a comment in front of nothing"
        if reasons:
            assert all(len(reason) > 10 for reason in reasons)
            found[name] = len(reasons)
    assert found == EXCUSED
    assert {n for n, p in PAGES.items() if PAGE_NOT_RUN.search(p.read_text())} == SYNOPSES


def test_the_shipped_data_are_there_after_importing_gapy_alone(files, tmp_path):
    assert 'gapy.data.frames("si", "train")' in PAGES["README.md"].read_text(encoding="utf-8")
    code = 'import gapy; assert len(gapy.data.frames("si", "train")) > 100'
    run("README.md", code, [], files, tmp_path / "page")


def test_small_files_have_what_the_pages_ask_for(files):
    train = gapy.read_structures(files / "train.xyz")
    assert "liquid" in {s.config_type for s in train} and len(train) < 40
    assert np.isfinite([s.energy for s in train]).all()
