"""Pictures of computed properties: energy over volume, phonon bands."""

from __future__ import annotations

import numpy as np

from gapy._support.drawing import COLOURS, FAINT, INK, axes, saved
from gapy.properties.equation_of_state import fitted_curve
from gapy.properties.lattice_dynamics import IMAGINARY


def eos(result, path=None, *, ax=None):
    """Energies over volume and the curve through them.

    Arguments
    ---------
    result : gapy.properties.equation_of_state.EOS
    path : where to save a PNG of the whole figure, or None
    ax : matplotlib Axes to draw into; by default those of a new figure

    Returns the Axes. Raises GapyError without matplotlib, or for a file that cannot be written.
    """
    ax = axes(ax)
    n = len(result.atoms)
    volumes = np.linspace(result.volumes.min(), result.volumes.max(), 200)
    above = 1e3 / n
    ax.plot(
        volumes / n, above * (fitted_curve(result, volumes) - result.energy),
        color=INK, lw=1.0, label="Birch-Murnaghan",
    )  # fmt: skip
    ax.plot(
        result.volumes / n, above * (result.energies - result.energy), "o", color=COLOURS[0],
        ms=5, label="computed",
    )  # fmt: skip
    ax.axvline(result.volume / n, color=FAINT, lw=0.9, zorder=0)
    ax.set(xlabel="volume (Å³/atom)", ylabel="energy above the minimum (meV/atom)")
    ax.set_title(f"{len(result.volumes)} volumes, B = {result.bulk_modulus:.1f} GPa", fontsize=10)
    ax.legend(frameon=False, fontsize=9, loc="upper center")
    saved(ax.figure, path)
    return ax


def phonons(result, path=None, *, ax=None):
    """Bands along the path of the Brillouin zone; imaginary frequencies lie below zero.

    result : gapy.properties.lattice_dynamics.Phonons; arguments, result and errors as in `eos`
    """
    ax = axes(ax)
    ax.plot(result.distances, result.path, color=COLOURS[0], lw=1.0)
    places = [x for x, _ in result.labels]
    for x in places:
        ax.axvline(x, color=FAINT, lw=0.8, zorder=0)
    ax.axhline(0.0, color=INK, lw=0.8)
    names = ["Γ" if name == "G" else name for _, name in result.labels]
    ax.set_xticks(places, names)
    lowest = float(result.path.min())
    ax.set(xlim=(0.0, result.distances[-1]), ylabel="frequency (THz)")
    ax.set_ylim(0.0 if lowest > IMAGINARY else 1.1 * lowest, None)
    ax.set_title(
        f"{result.path.shape[1]} branches at {len(result.distances)} wave vectors", fontsize=10
    )
    saved(ax.figure, path)
    return ax
