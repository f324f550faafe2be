"""What the examples on silicon share: options, the potential, error bars and pictures."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt

import gapy
from gapy.data import frames
from gapy.descriptors import smooth_soap
from gapy.validation.property_bars import calibrated

BEGAN = time.monotonic()


def options(text: str) -> argparse.Namespace:
    """The command line of an example whose docstring is `text`."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, help="a fitted model of silicon [fit one]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a test of the script: no physics")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("agg")  # pictures go to files
    return given


def potential(given: argparse.Namespace) -> gapy.Potential:
    """The model that was given, or one fitted to all shipped silicon and saved in the directory."""
    if given.model is not None:
        return gapy.load(given.model)
    size = {"n_max": 4, "l_max": 3} if given.quick else {"n_max": 8, "l_max": 6}
    soap = smooth_soap(["Si"], r_cut=5.0, **size)
    points = 100 if given.quick else 1000
    gp = gapy.SparseGPRegressor(soap, n_inducing=points, zeta=2, optimize=True)
    gp.fit(frames("si")[:: 4 if given.quick else 1])
    gp.potential_.save(given.output / "silicon.gapy")
    said(f"fitted to {gp.n_structures_} structures")
    return gp.potential_


def with_bars(potential: gapy.Potential, function, *args, members: int) -> dict:
    """{name: (value, bar)} of a function of a calculator that returns a dict.

    The bar is the spread of posterior samples times the factor that left-out errors ask for.
    """
    found = gapy.with_error(function, potential.sample(members, seed=0), *args)
    bars = calibrated(potential, found)
    return {name: (value, bars[name]) for name, value in found.value.items()}


def said(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


def picture(figure, given: argparse.Namespace, name: str) -> None:
    """Write a picture into the output directory."""
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(given.output / name, dpi=110)
    plt.close(figure)
    said(f"wrote {given.output / name}")
