"""Structures as pictures: a few side by side, under their captions."""

from __future__ import annotations

from collections.abc import Mapping

from ase import Atoms

from gapy._support.drawing import new_figure
from gapy._support.voigt import is_crystal
from gapy.validation.health.probe import repeats

MOST = 6
LEAST_ATOMS = 16
"""Atoms of a crystal in a picture: a cell of one or two shows nothing."""
COLUMNS = 3


def structures(named: Mapping[str, Atoms]):
    """Figure of the first MOST structures, caption -> atoms, seen almost along z.

    Raises GapyError without matplotlib.
    """
    from ase.visualize.plot import plot_atoms

    shown = list(named.items())[:MOST]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(3.2 * columns, 3.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (caption, atoms) in zip(panels, shown):
        whole = atoms.repeat(repeats(atoms, LEAST_ATOMS)) if is_crystal(atoms) else atoms
        plot_atoms(whole, ax, radii=0.5, rotation="10x,-15y,0z")
        ax.set_title(caption, fontsize=8, wrap=True)
    for ax in panels:
        ax.set_axis_off()
    return figure
