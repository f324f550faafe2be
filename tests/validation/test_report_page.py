"""The report page: complete in itself, with numbers behind pictures; as a browser shows it."""

import base64
import csv
import html
import re
import shutil
import subprocess

import pytest

import gapy
from gapy._support.drawing import axes, png
from gapy.validation.report_page import Picture, Section, Table, page

CHROMIUM = shutil.which("chromium")
WORDS = "a structure of the training set that is far from all others " * 3


@pytest.fixture(scope="module")
def report():
    ax = axes()
    ax.plot([1, 2, 3], [1.0, 4.0, 9.5])
    numbers = {"x": [1, 2, 3], "y": [1.0, 4.0, 9.5], "short": [7]}
    head = ("check", "verdict", "value", "threshold", "unit", "found", "more", "still more")
    rows = tuple(
        (f"row {k}", "pass" if k else "fail", *["0.55"] * 3, WORDS, WORDS, "<b>") for k in range(4)
    )
    return page(
        "Validation <of> Si2",
        "x" * 300,
        [
            Section("Overview", "2 failed", facts=(("model", "y" * 200), ("name", "<script>\x1b"))),
            Section("Health", "3 pass, 1 fail", "Prose & more.", table=Table(head, rows)),
            Section("Pictures", pictures=(Picture("A curve", png(ax.figure), numbers),)),
            Section("Nothing", "good"),
        ],
    )


def test_all_is_inside_and_text_is_no_markup(report):
    assert not re.search(r"(src|href)=['\"](?!data:|#)", report)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", report)
    assert report.count("<script>") == 1 and "&lt;script&gt;?" in report and "&lt;b&gt;" in report
    assert f"gapy {gapy.__version__}, " in report
    assert "prefers-color-scheme:dark" in report and "width=device-width" in report


def test_verdicts_are_words_with_a_colour(report):
    assert "<span class='chip bad'>2 failed</span>" in report
    assert "<span class='chip bad'>3 pass, 1 fail</span>" in report
    assert report.count("<span class='chip good'>pass</span>") == 3
    assert "Nothing" not in report  # an empty section is none


def test_numbers_of_a_picture_are_a_table_and_a_file(report):
    data = re.search(r"href='data:text/csv;base64,([^']+)'", report)[1]
    rows = list(csv.reader(base64.b64decode(data).decode().splitlines()))
    assert rows == [["x", "y", "short"], ["1", "1", "7"], ["2", "4", ""], ["3", "9.5", ""]]
    assert "<td data-name='y' class='short'>9.5</td>" in report


def browser(path, *flags) -> str:
    """A page after its scripts have run."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900",
        "--virtual-time-budget=2000", *flags, "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


MEASURED = """<script>
var page = document.documentElement, box = document.getElementById('filter');
var wide = page.scrollWidth, paper = getComputedStyle(document.body).backgroundColor;
box.value = 'row 2'; box.dispatchEvent(new Event('input'));
var left = Array.from(document.querySelectorAll('#health tbody tr'))
  .filter(function (row) { return row.offsetParent !== null; }).length;
var gone = getComputedStyle(document.getElementById('overview')).display;
parent.document.title = ['measured', wide, innerWidth, paper, left, gone, wrong.length].join('|');
</script>"""
WATCHED = "<script>var wrong = []; onerror = function (e) { wrong.push(e); };</script>"


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_it_without_errors_or_sideways_scrolling(report, tmp_path, width, dark):
    """In a frame of that width, which windows may not have; the filter is typed into."""
    inner = report.replace("<title>", WATCHED + "<title>", 1)
    inner = html.escape(inner.replace("</body>", MEASURED + "</body>"), quote=True)
    path = tmp_path / "frame.html"
    style = "border:0;color-scheme:light dark"
    path.write_text(
        "<!doctype html><meta name='color-scheme' content='light dark'><title>none</title>"
        f"<iframe width='{width}' height='800' style='{style}' srcdoc=\"{inner}\"></iframe>"
    )
    found = browser(path, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    title = re.search(r"<title>measured\|(.*?)</title>", found)[1]
    wide, shown, paper, left, gone, wrong = title.split("|")
    assert int(shown) == width and int(wide) <= width
    assert (paper == "rgb(255, 255, 255)") is not dark
    assert int(left) == 1 and gone == "none" and wrong == "0"
