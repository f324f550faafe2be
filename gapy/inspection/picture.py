"""One picture of a data set: kernel maps of its environments, and histograms by group."""

from __future__ import annotations

import numpy as np

from gapy._support.drawing import COLOURS, axes, markers, new_figure, saved, side_legend, style
from gapy.errors import GapyError

MAX_MAPS = 4
"""Elements that get a map; the most frequent ones."""


def picture(report, path=None):
    """Kernel PCA map of each element and histograms of the labels, coloured by config_type.

    Arguments
    ---------
    report : gapy.inspection.InspectionReport
    path : where to save a PNG, or None

    Returns the Axes, maps first, in the order of the panels.

    Raises
    ------
    GapyError : matplotlib is not installed, or the file cannot be written
    """
    atoms = {e.name: e.n_atoms for e in report.elements}
    maps = sorted(report.maps, key=lambda m: -atoms[m.symbol])[:MAX_MAPS]
    if not maps:
        raise GapyError("picture: expected environments to map, got none; add structures")
    n_columns = max(len(maps), len(report.histograms))
    figure = new_figure(3.4 * n_columns + 1.6, 6.8)
    grid = figure.add_gridspec(2, 1)
    top = grid[0].subgridspec(1, len(maps)).subplots(squeeze=False)[0]
    bottom = grid[1].subgridspec(1, len(report.histograms)).subplots(squeeze=False)[0]
    names = [g.name for g in report.groups]
    for ax, m in zip(top, maps):
        _draw_map(ax, m, names)
    for ax, h in zip(bottom, report.histograms):
        _draw_histogram(ax, h, names)
    side_legend(figure, markers(style(k) for k in range(len(names))), names)
    saved(figure, path)
    return tuple(figure.axes)


def environment_map(kernel_map, names, path=None, *, ax=None):
    """Kernel PCA of the environments of one element, coloured by group.

    Arguments
    ---------
    kernel_map : gapy.inspection.report.KernelMap
    names : all groups, which fixes their colours
    path : where to save a PNG of the whole figure, or None
    ax : matplotlib Axes to draw into; by default those of a new figure, with a legend

    Returns the Axes. Raises GapyError without matplotlib, or for a file that cannot be written.
    """
    drawn = axes(ax, 5.6, 4.4)
    _draw_map(drawn, kernel_map, names)
    if ax is None:
        side_legend(drawn.figure, markers(style(k) for k in range(len(names))), names)
    saved(drawn.figure, path)
    return drawn


def _draw_map(ax, m, names) -> None:
    # One shuffled cloud, so that no group lies on top of all others only by its name.
    order = np.random.default_rng(0).permutation(len(m.xy))
    for part in np.array_split(order, min(10, max(len(order), 1))):
        for k, name in enumerate(names):
            take = part[m.group[part] == name]
            if len(take):
                ax.scatter(
                    m.xy[take, 0], m.xy[take, 1], s=7, alpha=0.6, linewidths=0, rasterized=True,
                    **style(k),
                )  # fmt: skip
    ax.set_title(f"{len(m.xy)} environments of {m.symbol}", fontsize=10)
    ax.set_xlabel(f"kernel component 1 ({100 * m.share[0]:.0f} % of the variance)")
    ax.set_ylabel(f"kernel component 2 ({100 * m.share[1]:.0f} %)")


def _draw_histogram(ax, h, names) -> None:
    # Outlines, not stacks: with a logarithmic axis the parts of a stack mean nothing.
    for k, name in enumerate(names):
        if name in h.counts:
            counts, colour = np.array(h.counts[name], dtype=float), COLOURS[k % len(COLOURS)]
            ax.stairs(counts, h.edges, color=colour, lw=1.3)
            ax.stairs(
                counts, h.edges, fill=True, color=colour, alpha=0.15 if len(names) < 8 else 0.0
            )
    ax.set_xlabel(h.quantity.replace("A^3", "Å³").replace("/A", "/Å"))
    ax.set_ylabel("structures" if "/atom" in h.quantity else "atoms")
    # Few hot atoms among many cold ones are what one looks for.
    if max((max(counts) for counts in h.counts.values()), default=0) > 200:
        ax.set_yscale("log")
        ax.set_ylim(0.7, None)
