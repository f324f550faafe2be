"""Properties of the shipped crystals with error bars, beside the DFT of their labels.

    python benchmarks/properties.py reference [si|alas ...] [--pw pw.x] [--only NAME,...]
    python benchmarks/properties.py [si|alas ...] [--model MODEL.gapy]

The first form computes the suite "bulk" with the DFT of `benchmarks/datasets/settings.py`, by the
same functions and in the same cells as the model, and writes the numbers to
`benchmarks/datasets/properties-NAME.json`. The second compares the model that `gapy fit` makes of
the shipped training set without options with them: values, calibrated bars, and how many of them
cover the difference. Lattice constants, B, elastic constants, the vacancy in 2 x 2 x 2 cells (16
atoms), the energies of other phases, and phonons at the points that the 2 x 2 x 2 cells hold.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
from ase.build import bulk
from espresso import DFT, SETTINGS
from short_range import fitted

import gapy
from gapy.errors import PropertyError
from gapy.structures import from_atoms
from gapy.validation.suites import WITHIN, chosen_entries, named, run_suite

CRYSTALS = {"si": ("Si", "diamond", 5.39), "alas": ("AlAs", "zincblende", 5.63)}
HERE = Path(__file__).parent / "datasets"
CHEAPER = {"elastic": {"symmetry": "cubic"}}
"""What symmetry spares the reference: three strains instead of eighteen."""
POINTS = ("G", "X", "L")
"""Of the phonons: those that a 2 x 2 x 2 cell holds."""


def start(name: str):
    formula, structure, a = CRYSTALS[name]
    return bulk(formula, structure, a=a)


def reference(name: str, pw: str, only: str | None) -> None:
    """Compute what is not in the file yet, and write it after each property."""
    entries = chosen_entries("bulk", start(name), only.split(",") if only else None)
    path = HERE / f"properties-{name}.json"
    found = json.loads(path.read_text()) if path.exists() else {"numbers": {}}
    found["method"] = "benchmarks/properties.py with benchmarks/datasets/settings.py, pw.x 6.7"
    settings = json.loads(json.dumps(SETTINGS[name]))
    if found.setdefault("settings", settings) != settings:
        raise SystemExit(f"{path} has numbers of other settings; move it away first")
    for entry in entries:
        if any(key.startswith(entry.name) for key in found["numbers"]):
            continue
        calculator, began = DFT(SETTINGS[name], pw), time.time()
        function = partial(entry.function, **CHEAPER.get(entry.name, {}))
        try:
            result = function(calculator, start(name))
        except PropertyError as error:
            print(f"{name} {entry.name}: {error}", flush=True)
            continue
        for key, reason in getattr(result, "failed", {}).items():
            print(f"{name} {entry.name} {key}: {reason}", flush=True)
        kept = {k: round(v, 6) for k, v in named(entry, result).items() if _wanted(k)}
        found["numbers"] |= kept
        path.write_text(json.dumps(found, indent=1) + "\n")
        print(
            f"{name} {entry.name}: {calculator.calls} single points, {time.time() - began:.0f} s",
            flush=True,
        )


def _wanted(name: str) -> bool:
    """Whether a number compares like with like: no energies of atoms, no interpolated phonons."""
    if name.startswith("phonons"):
        return name.split()[1][0] in POINTS and name.split()[1][1:].isdigit()
    return name != "eos energy"


def compared(name: str, model: str | None) -> list:
    training = from_atoms(gapy.data.frames(name, "train"), source=name)
    potential = gapy.load(model) if model else fitted(training)
    known = json.loads((HERE / f"properties-{name}.json").read_text())["numbers"]
    began = time.time()
    rows = [
        row
        for row in run_suite(potential, start(name), reference=known)
        if row.reference is not None or row.verdict == "failed"
    ]
    print(f"{name}: {len(rows)} rows in {time.time() - began:.0f} s")
    for row in rows:
        if row.value is None:
            print(f"  {row.name:24} failed: {row.note}")
            continue
        said = row.verdict if row.covered else f"{row.verdict}, not covered"
        print(
            f"  {row.name:24} {row.value:10.4f} +- {row.std:.4f}  DFT {row.reference:10.4f}  "
            f"{row.difference:+8.4f} {row.unit:8} {said}"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="reference, si, alas")
    parser.add_argument("--pw", default="pw.x")
    parser.add_argument("--only", help="properties of the reference, with commas; all by default")
    parser.add_argument("--model", help="model file for the one crystal that is named")
    given = parser.parse_args()
    names = [word for word in given.words if word in CRYSTALS] or list(CRYSTALS)
    if "reference" in given.words:
        for name in names:
            reference(name, given.pw, given.only)
        return
    rows = [row for name in names for row in compared(name, given.model)]
    judged = [row for row in rows if row.difference is not None]
    width = np.array([abs(row.difference) / row.std for row in judged])
    good = sum(row.verdict == "good" for row in judged)
    one, more = (100 * (width <= limit).mean() for limit in (1.0, WITHIN))
    print(
        f"{len(judged)} rows: {good} within the marks; bars cover {one:.0f} % within 1, "
        f"{more:.0f} % within {WITHIN} sigma"
    )


if __name__ == "__main__":
    main()
