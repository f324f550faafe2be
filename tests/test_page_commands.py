"""Every `gapy` command of README and docs runs as printed."""

import shlex

import pytest
from pages import PAGES, run, runnable, write_files

GAPY = "from gapy.cli import main; main()"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_files(folder)
    return folder


@pytest.mark.parametrize("name", [name for name in PAGES if runnable(name)[1]])
def test_the_commands_of_a_page_run_as_printed(name, files, tmp_path):
    for command in runnable(name)[1]:
        run(name, GAPY, shlex.split(command, comments=True)[1:], files, tmp_path / "page")
