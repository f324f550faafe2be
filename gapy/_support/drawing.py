"""What pictures share: figures, colours, clouds of points, ticks, legends.

matplotlib is an extra, imported when first used.
"""

from __future__ import annotations

import io
import math

import numpy as np

from gapy._support.files import write_whole
from gapy.errors import GapyError

# Okabe and Ito's colours, distinct also to the colour-blind.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
INK, FAINT, ALARM = "#222222", "#BBBBBB", "#C00000"
MARKERS = ("o", "^", "s", "D")
DENSE = 3000
"""Points above which a cloud is drawn as their density: more would only blacken it."""
MAX_TICKS = 6
MULTIPLES = (tuple(range(1, 10)), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))
"""Ticks within a decade of a logarithmic axis, from the most to the fewest."""


def new_figure(width: float, height: float):
    """An empty Figure of so many inches.

    Raises
    ------
    GapyError : matplotlib is not installed
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise GapyError(
            'plots: expected matplotlib, it is not installed; pip install "gapy[plot]"'
        ) from error
    # Without pyplot there is no global state, no display and nothing to close.
    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def axes(ax=None, width: float = 5.4, height: float = 3.6):
    """`ax`, or the Axes of a new figure of so many inches where there is none."""
    return new_figure(width, height).subplots() if ax is None else ax


def panels(ax, number: int, width: float, height: float, **grid) -> tuple:
    """So many Axes: those given, or the panels of a new figure in a row or as `grid` says.

    Raises GapyError for another number of Axes.
    """
    if ax is None:
        shape = {"nrows": 1, "ncols": number, **grid}
        return tuple(new_figure(width, height).subplots(squeeze=False, **shape).ravel())
    given = tuple(np.ravel(ax))
    if len(given) != number:
        raise GapyError(
            f"ax: expected {number} Axes, one for each panel, got {len(given)}; make them with "
            f"figure.subplots(1, {number})"
        )
    return given


def png(figure) -> bytes:
    """The finished picture."""
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def saved(figure, path):
    """The figure, after writing it as a PNG unless path is None."""
    if path is not None:
        write_whole(path, png(figure))
    return figure


def style(k: int) -> dict:
    """Colour and marker of the k-th group: both change, so that either tells it from the next."""
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def cloud(ax, x, y, *, colour, marker="o", size=12.0, alpha=0.7, log=False):
    """Points, or their density in shades of the colour where there are more than DENSE.

    The limits of the axes must have been set. Every point is in the picture.
    """
    if len(x) <= DENSE:
        return ax.scatter(
            x, y, s=size, color=colour, marker=marker, alpha=alpha, linewidths=0, rasterized=True
        )
    extent = np.array([*ax.get_xlim(), *ax.get_ylim()])
    scale = {"xscale": "log", "yscale": "log"} if log else {}
    return ax.hexbin(
        x, y, gridsize=100, extent=np.log10(extent) if log else extent, bins="log", mincnt=1,
        cmap=_shades(colour), linewidths=0.2, edgecolors="face", rasterized=True, **scale,
    )  # fmt: skip


def _shades(colour):
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    rgb = np.array(to_rgb(colour))
    # A single point, the lightest shade, must still be seen.
    return LinearSegmentedColormap.from_list("shades", [0.5 + 0.5 * rgb, rgb, 0.4 * rgb])


def side_legend(figure, handles, names, *, inside=None) -> None:
    """Legend of the whole figure, to the right of it, or in the Axes `inside` of someone's own."""
    columns = 1 + len(names) // 24
    if inside is not None:
        inside.legend(handles, names, frameon=False, fontsize=7, ncols=columns)
        return
    figure.legend(
        handles, names, loc="outside right center", frameon=False, fontsize=8, ncols=columns
    )


def markers(styles):
    """Legend handles for groups of these styles (colour and marker)."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], ls="", ms=6, markeredgewidth=0, **s) for s in styles]


def legend_above(ax, handles, names, **options) -> None:
    """Legend in one line above the axes, where it covers nothing."""
    ax.legend(
        handles, names, frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.98),
        borderpad=0.1, **{"ncols": len(names), **options},
    )  # fmt: skip


def log_ticks(low: float, high: float) -> list[float]:
    """At most MAX_TICKS round numbers between low and high for a logarithmic axis, evenly enough.

    Over a short range, where a decade has too few round numbers, those of a linear axis.
    """
    if not 0.0 < low < high < math.inf:
        return []
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in MULTIPLES:
        ticks = [float(f"{m}e{d}") for d in decades for m in multiples]
        ticks = [t for t in ticks if low <= t <= high]
        if len(ticks) < 3:
            break
        if len(ticks) <= MAX_TICKS:
            return ticks
    if high > 1e3 * low:
        apart = math.ceil(len(decades) / MAX_TICKS)
        ticks = [float(f"1e{d}") for d in decades if d % apart == 0]
        return [t for t in ticks if low <= t <= high]
    size = math.floor(math.log10(high - low)) - 1
    for step in (float(f"{m}e{d}") for d in (size, size + 1) for m in (1, 2, 2.5, 5)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < MAX_TICKS:
            return [float(f"{k * step:.12g}") for k in range(first, last + 1)]
    return []


def plain_log_ticks(*axes) -> None:
    """`log_ticks`, written out, on each axis, whatever part of it is in view."""
    from matplotlib.ticker import FuncFormatter, Locator, NullLocator

    class Ticks(Locator):
        def __call__(self):
            return self.tick_values(*self.axis.get_view_interval())

        def tick_values(self, low, high):
            return log_ticks(min(low, high), max(low, high))

    for axis in axes:
        axis.set_major_locator(Ticks())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
