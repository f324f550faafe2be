"""The report of a loop tells all that one asks of it a year later."""

import html
import re

import numpy as np
import pytest
from active_calculators import small_loop

import gapy
from gapy.active import Budget, learn, pictures, report
from gapy.active.display import summary
from gapy.active.parts import Progress
from gapy.active.walkers import Tally


@pytest.fixture(scope="module")
def page(train_frames, tmp_path_factory):
    """(cells of the report by their heading, result) of a loop with a test set."""
    result = learn(
        tmp_path_factory.mktemp("report") / "loop",
        **small_loop(training=train_frames, test=train_frames[:5], test_every=1),
        budget=Budget(labels=3),
    )
    return result, result.report_path.read_text()


def facts(text: str) -> dict[str, str]:
    found = re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", text)
    return {html.unescape(name): html.unescape(value) for name, value in found}


def test_it_tells_how_the_loop_ended_versions_and_settings(page):
    result, text = page
    told = facts(text)
    assert told["ended"] == f"{result.status}: {result.reason}"
    assert told["labels"] == "3" and told["steps"] == str(result.n_steps)
    assert re.search(rf"gapy {re.escape(gapy.__version__)}, \d\d \w+ \d{{4}}, \d\d:\d\d", text)
    assert f"numpy {np.__version__}" in text
    assert told["budget.labels"] == "3" and told["seed"] == "5"
    assert told["training"] == "18 structures"
    assert float(told["policy.max_force_std"]) > 0.0
    assert told["explorers 1.start"].startswith("SHA-256 ")
    for what in ("exploring", "labelling", "updating", "anything else"):
        assert re.fullmatch(r"\d+\.\d s|\d+ s|\d+ min \d+ s", told[f"time {what}"])


def test_it_tells_errors_and_structures(page):
    result, text = page
    told = facts(text)
    assert told["labels that a model had predicted"] == "3"
    for name in ("energy RMSE", "force RMSE", "mean force sigma"):
        assert float(told[f"{name} on the test set"].split()[0]) > 0.0
    table = text.split("Labelled structures</h2>")[1].split("</table>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("</tr>")]
    rows = [row for row in rows if row]
    assert rows and sum(int(row[4]) for row in rows) == result.n_labels
    assert all(row[1] == "sigma was large" and int(row[3]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.34567, "0.3 s"),
        (9.96, "10 s"),
        (59.7, "1 min 0 s"),
        (7512.0, "2 h 5 min"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert report.duration(seconds) == text


def test_logarithmic_axes_have_several_ticks():
    """All sigmas and errors within a factor of 2, where no power of ten lies."""
    rows = [{"sigma_max": 0.11 * f, "error_max": 0.21 * f, "error_rms": 0.13 * f} for f in (1, 1.5)]
    rows = [type("Row", (dict,), {"__getattr__": dict.__getitem__})(row) for row in rows]
    ax = pictures.found_errors(rows, 0.12)
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        assert sum(low <= t <= high for t in axis.get_majorticklocs()) >= 3
    test = [
        {"n_structures": str(n), "forces_rmse_eV_per_A": str(e), "mean_force_std_eV_per_A": "0.3"}
        for n, e in ((10, 0.31), (20, 0.22))
    ]
    ax = pictures.learning_curve(test)
    assert ax.get_yscale() == "linear" and ax.get_ylim()[0] == 0.0


def test_legends_lie_outside_the_axes():
    test = [
        {"n_structures": str(n), "forces_rmse_eV_per_A": str(e), "mean_force_std_eV_per_A": "0.3"}
        for n, e in ((10, 3.0), (20, 0.22))
    ]
    ax = pictures.learning_curve(test)
    report.png(ax.figure)
    legend, inside = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert legend.y0 > inside.y1 - 0.03 * inside.height


def test_the_line_says_what_its_numbers_are():
    progress = Progress(
        version=1, n_labels=3, n_failures=1, tally=Tally(ps=1.5, steps=750), sigma=0.05,
        share_without_label=0.99, found=(9.0, 0.1, 0.2, 0.007, 0.077), seconds={},
    )  # fmt: skip
    assert summary(progress) == (
        "1.50 ps, 3 labels, 1 failed, 99.00 % of steps without a label, force sigma 0.050 eV/A, "
        "force errors at the last labels 0.100 0.200 0.007 0.077 eV/A"
    )
