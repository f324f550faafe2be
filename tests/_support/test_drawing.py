"""What pictures share: ticks that can be read, clouds that hide nothing."""

from itertools import pairwise

import numpy as np
import pytest

from gapy._support import drawing


@pytest.mark.parametrize("low", [1e-30, 1e-5, 0.02, 0.11, 0.3, 0.99, 37.0])
@pytest.mark.parametrize("ratio", [1.1, 1.5, 2.2, 3.2, 8.0, 40.0, 900.0, 1e4, 1e7, 1e20])
def test_ticks_are_few_round_and_within(low, ratio):
    ticks = drawing.log_ticks(low, low * ratio)
    assert 3 <= len(ticks) <= drawing.MAX_TICKS
    assert ticks == sorted(ticks) and low <= ticks[0] and ticks[-1] <= low * ratio
    assert max(len(f"{t:g}") for t in ticks) <= (8 if low < 1e-3 else 6)


def test_no_ticks_where_there_is_no_axis():
    for low, high in ((0.0, 1.0), (1.0, 1.0), (-1.0, 1.0), (1.0, np.inf), (np.nan, 1.0)):
        assert drawing.log_ticks(low, high) == []


@pytest.mark.parametrize("log", [False, True])
def test_dense_clouds_count_every_point(log):
    rng = np.random.default_rng(0)
    x, y = 10 ** rng.uniform(-2, 0, (2, drawing.DENSE + 1))
    ax = drawing.new_figure(4, 4).subplots()
    if log:
        ax.set(xscale="log", yscale="log")
    ax.set(xlim=(0.005, 2), ylim=(0.005, 2))
    points = drawing.cloud(ax, x[1:], y[1:], colour="#0072B2", log=log)
    assert len(points.get_offsets()) == drawing.DENSE
    density = drawing.cloud(ax, x, y, colour="#0072B2", log=log)
    assert density.get_array().sum() == drawing.DENSE + 1


def test_groups_differ_in_colour_and_marker():
    styles = [tuple(drawing.style(k).values()) for k in range(28)]
    assert len(set(styles)) == 28
    for one, two in pairwise(styles):
        assert one[0] != two[0] and one[1] != two[1]
