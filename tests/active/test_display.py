"""What is shown while a loop runs: a line for each model, or for each label."""

import io
from types import SimpleNamespace

from gapy.active.display import Live

STEPS = ((0, 0), (0, 2), (1, 2), (1, 2), (1, 3), (2, 3))  # version of the model, labels


def lines(**options) -> list[str]:
    stream = io.StringIO()
    with Live(stream, **options) as display:
        for version, labels in STEPS:
            display.update(SimpleNamespace(
                tally=SimpleNamespace(ps=0.5, steps=100), sigma=float("nan"), n_labels=labels,
                share_without_label=float("nan"), n_failures=0, found=[], version=version,
            ))  # fmt: skip
    return [line.split(", ")[1] for line in stream.getvalue().splitlines()]


def test_a_line_for_each_model():
    assert lines() == ["2 labels", "3 labels"]


def test_a_line_for_each_label():
    assert lines(every_label=True) == ["2 labels", "2 labels", "3 labels", "3 labels"]


def test_every_line_is_noted():
    noted = []
    assert len(lines(note=noted.append)) == len(noted) == 2
