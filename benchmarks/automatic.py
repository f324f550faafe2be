"""Test errors with settings chosen by hand and by `auto_soap`, side by side, as Markdown.

    python benchmarks/automatic.py --data DIR [--only NAME...] [--every NAME=K...]

Data and hand settings are those of accuracy.py; `--every snap-nbmo=3` fits to every third
structure. Sets that are not there are skipped with a line saying so.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path

from accuracy import CASES, missing, structures_of

SETS = ("mlearn-si-5.4", "mlearn-mo", "snap-nbmo", "ethanol", "shipped-si", "shipped-alas")
EVERY = ("snap-nbmo=3", "ethanol=2")
HEAD = ("set", "by hand", "meV/atom", "eV/Å", "automatic", "meV/atom", "eV/Å")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA"))
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--every", nargs="*", default=EVERY, metavar="NAME=K")
    options = parser.parse_args()
    every = {name: int(k) for name, k in (item.split("=") for item in options.every)}
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name in options.only:
        data = None if options.data is None else Path(options.data)
        absent = missing(CASES[name], data)
        if absent:
            print(f"{name}: skipped, no {', '.join(absent)}", file=sys.stderr)
            continue
        print(f"| {' | '.join(compared(name, data, every.get(name, 1)))} |", flush=True)


def compared(name: str, data: Path | None, every: int) -> list[str]:
    """The cells of one row."""
    from ase.data import chemical_symbols

    from gapy.descriptors import auto_soap, smooth_soap

    case = CASES[name]
    train = structures_of(case.train[0], data)[::every]
    test = structures_of(case.tests["test"], data)
    numbers = sorted({z for s in train for z in s.atoms.numbers.tolist()})
    symbols = [chemical_symbols[z] for z in numbers]
    hand = smooth_soap(symbols, case.r_cut, case.n_max, case.l_max)
    auto = auto_soap(train)
    points = dict.fromkeys(symbols, case.n_inducing)
    return [
        name + (f", every {every}" if every > 1 else ""),
        f"{case.r_cut} Å, {case.n_max}, {case.l_max}, 0.5 Å, {_text(points)}",
        *errors(hand, points, case, train, test),
        f"{auto.r_cut} Å, {auto.n_max}, {auto.l_max}, {auto.sigma} Å, {_text(auto.n_inducing)}",
        *errors(auto.soap, auto.n_inducing, case, train, test),
    ]


def errors(soap, n_inducing, case, train, test) -> tuple[str, str]:
    """RMSE of energy and forces on the test structures."""
    import gapy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gp = gapy.SparseGPRegressor(soap, n_inducing=n_inducing, sigma_energy=case.sigma_energy)
        total = gapy.evaluate(gp.fit(train).potential_, test).total
    return f"{1e3 * total.energy_rmse:.2f}", f"{total.forces_rmse:.4f}"


def _text(points: dict) -> str:
    return " ".join(f"{symbol} {n}" for symbol, n in points.items())


if __name__ == "__main__":
    main()
