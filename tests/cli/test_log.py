"""Logs beside outputs, and what --quiet and --verbose print."""

import io
import warnings

import pytest

from gapy.cli.log import Log, Stream, logged

FIT = ("--r-cut", 4, "--n-max", 3, "--l-max", 2, "--n-inducing", 20)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_live_lines_are_plain_in_the_log(tmp_path):
    log = Log(tmp_path / "log")
    shown = Terminal()
    stream = Stream(log, shown)
    for text in ("first\n", "\rstep 1\x1b[K", "\rstep 2\x1b[K", "\rstep 3\x1b[K\n", "las", "t\n"):
        print(text, end="", file=stream)
    log.begin()
    log.close()
    assert (tmp_path / "log").read_text().splitlines()[1:] == ["first", "step 3", "last"]
    assert shown.getvalue().count("\r") == 3 and stream.isatty()
    assert not Stream(log).isatty()


def test_warnings_and_errors_are_in_the_log(tmp_path):
    log = Log(tmp_path / "log")
    with pytest.raises(RuntimeError), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *shown: None
        with logged(log):
            log.begin()
            warnings.warn("odd labels", UserWarning, stacklevel=1)
            raise RuntimeError("no more")
    written = (tmp_path / "log").read_text()
    assert "warning: odd labels" in written and written.endswith("error: no more\n")


def test_what_never_began_leaves_no_log(tmp_path):
    with logged(Log(tmp_path / "log")):
        print("checked")
    assert not (tmp_path / "log").exists()


def test_fit_logs_what_it_prints(cli, train_xyz, tmp_path):
    model = tmp_path / "m.gapy"
    log = tmp_path / "m.gapy.log"
    loud = cli("fit", train_xyz, "-o", model, *FIT, "--optimize", "--verbose")
    assert loud.code == 0 and "noise of " in loud.out
    assert log.read_text().startswith("# gapy ")
    assert log.read_text().split("\n", 1)[1] == loud.out
    quiet = cli("fit", train_xyz, "-o", model, *FIT, "--quiet")
    assert quiet.code == 0 and quiet.out == "" and "wrote" in log.read_text()
    assert "quiet and verbose" in cli("fit", train_xyz, "-o", model, "-q", "-v").error_line()
    assert "with estimate" in cli("fit", train_xyz, "-o", model, "-q", "--estimate").error_line()


def test_fit_keeps_a_file_that_is_no_log(cli, train_xyz, tmp_path):
    (tmp_path / "m.gapy.log").write_text("my notes")
    line = cli("fit", train_xyz, "-o", tmp_path / "m.gapy", *FIT).error_line()
    assert "is not a log of gapy" in line
    assert (tmp_path / "m.gapy.log").read_text() == "my notes"
    assert not (tmp_path / "m.gapy").exists()


def test_md_logs_every_line_and_goes_on_in_its_log(cli, model_file, test_xyz, tmp_path):
    run = ("md", model_file, f"{test_xyz}@0", "-o", tmp_path / "md", "--max-force-std", "inf")
    loud = cli(*run, "--steps", 4, "--verbose")
    log = (tmp_path / "md/md.log").read_text()
    assert loud.code == 0 and log.split("\n", 1)[1] == loud.out
    rows = [line.split()[0] for line in loud.out.splitlines() if line.startswith("        ")]
    assert rows == ["0", "1", "2", "3", "4"]
    quiet = cli(*run, "--steps", 6, "--restart", "--quiet")
    longer = (tmp_path / "md/md.log").read_text()
    assert quiet.code == 0 and quiet.out == ""
    assert longer.startswith(log) and "6 steps" in longer
    again = cli(*run, "--steps", 2, "--overwrite")
    assert again.code == 0 and (tmp_path / "md/md.log").read_text().count("# gapy") == 1
