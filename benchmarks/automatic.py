"""The model that `gapy fit` chooses by itself: errors, error bars and cost, in one Markdown table.

    python benchmarks/automatic.py --data DIR [--only NAME...] [--every NAME=K...] [--keep FOLDER]
        [--fit="OPTIONS"]

Data are those of accuracy.py. Each fit is `gapy fit TRAIN -o MODEL` in a process of its own, no
other option but those of `--fit`, for another model than the automatic one; `--every snap-nbmo=3`
fits to every third structure, `--keep` keeps the models, and those that are there are not fitted
again. Times are CPU seconds of one thread; of a call us/atom, the median over calls between which
the atoms move as in MD (where posterior samples are drawn, at every tenth call, their mean). Sets
that are not there are skipped with a line saying so.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy import CASES, missing, structures_of
from threadpoolctl import threadpool_limits

SETS = ("mlearn-si-5.4", "mlearn-mo", "snap-nbmo", "ethanol", "shipped-si", "shipped-alas")
ATOMS = 400
"""A periodic structure is repeated until it has more atoms than these; a molecule stays one."""
CALLS, BATCH = 15, 200
HEAD = (
    "set", "components", "fit, CPU s", "meV/atom", "eV/Å", "rank", "within 90 %", "AUROC",
    "energies within 90 %", "atoms", "call", "cheap sigma", "sigma", "batch",
)  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("GAPY_BENCH_DATA"))
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--every", nargs="*", default=(), metavar="NAME=K")
    parser.add_argument("--keep", type=Path, help="folder for the models")
    parser.add_argument("--fit", default="", metavar="OPTIONS", help="further options of gapy fit")
    options = parser.parse_args()
    every = {name: int(k) for name, k in (item.split("=") for item in options.every)}
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in present(options):
            cells = row(name, data, every.get(name, 1), folder, options.fit)
            print(f"| {' | '.join(cells)} |", flush=True)


def present(options):
    """(name, folder of data) of the sets of --only that are in --data; says which are not."""
    data = None if options.data is None else Path(options.data)
    for name in options.only:
        absent = missing(CASES[name], data)
        if absent:
            print(f"{name}: skipped, no {', '.join(absent)}", file=sys.stderr)
        else:
            yield name, data


def row(name: str, data: Path | None, every: int, folder: Path, further: str) -> list[str]:
    """The cells of one row."""
    import gapy
    from gapy.descriptors import unprojected

    case = CASES[name]
    path, seconds = fitted(name, data, every, folder, further)
    potential = gapy.load(path)
    test = structures_of(case.tests["test"], data)
    report = gapy.evaluate(potential, test)
    used = [t.descriptor.n_features for t in potential.terms]
    whole = [unprojected(t.descriptor).n_features for t in potential.terms]
    energies = report.energy_error_bars
    atoms = large(test)
    times = [call(potential, atoms, mode) for mode in (False, "cheap", True)]
    return [
        name + (f", every {every}" if every > 1 else ""),
        " + ".join(f"{n} of {d}" if n < d else str(n) for n, d in zip(used, whole)),
        "-" if seconds is None else f"{seconds:.0f}",
        f"{1e3 * report.total.energy_rmse:.2f}",
        f"{report.total.forces_rmse:.4f}",
        f"{report.forces_std_spearman:.2f}",
        f"{report.error_bars.coverage_90:.2f}",
        f"{report.error_bars.auroc:.2f}" if report.error_bars.auroc is not None else "-",
        "-" if energies is None else f"{energies.coverage_90:.2f}",
        str(len(atoms)),
        *(f"{t:.1f}" for t in times),
        f"{batch(potential, test):.1f}",
    ]


def fitted(
    name: str, data: Path | None, every: int, folder: Path, further: str = ""
) -> tuple[Path, float | None]:
    """The model file, and the CPU seconds of its fit."""
    own = re.sub(r"[^\w.]+", "_", further)
    path = folder / f"{name}-{every}{own}.gapy"
    if path.exists():
        return path, None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    fit(training_file(name, data, every, folder), path, further)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return path, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fit(train: Path, path: Path, further: str) -> None:
    """`gapy fit` in a process of its own."""
    command = [sys.executable, "-m", "gapy", "fit", str(train), "-o", str(path)]
    command += shlex.split(further)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def training_file(name: str, data: Path | None, every: int, folder: Path) -> Path:
    """The training structures of a set as `gapy fit` reads them."""
    train = folder / f"{name}-{every}.xyz"
    write_labelled(
        [s for part in CASES[name].train for s in structures_of(part, data)][::every], train
    )
    return train


def write_labelled(structures, path: Path) -> None:
    """Labelled structures as `gapy fit` reads them."""
    from ase.io import write

    frames = []
    for s in structures:
        atoms = s.atoms.copy()
        atoms.info = {"REF_energy": s.energy, "config_type": s.config_type}
        atoms.arrays = {k: atoms.arrays[k] for k in ("numbers", "positions")}
        if s.forces is not None:
            atoms.arrays["REF_forces"] = s.forces
        if s.stress is not None:
            atoms.info["REF_stress"] = s.stress
        frames.append(atoms)
    write(path, frames, format="extxyz")


def large(test):
    """The largest structure, repeated if it is periodic."""
    atoms = max((s.atoms for s in test), key=len).copy()
    if atoms.pbc.all():
        while len(atoms) <= ATOMS:
            shortest = int(np.argmin(atoms.cell.lengths()))
            atoms = atoms.repeat([2 if k == shortest else 1 for k in range(3)])
    return atoms


def call(potential, atoms, uncertainty) -> float:
    """CPU time of energy and forces, us/atom; samples at every tenth call, as in `gapy md`."""
    atoms, rng = atoms.copy(), np.random.default_rng(1)
    atoms.calc = potential.calculator(uncertainty=uncertainty, posterior_every=10)
    atoms.get_forces()
    times = []
    repeats = CALLS if len(atoms) > ATOMS else 20 * CALLS
    for _ in range(repeats):
        atoms.positions += rng.normal(scale=0.002, size=(len(atoms), 3))
        began = time.process_time()
        atoms.get_forces()
        times.append(time.process_time() - began)
    # The mean, without the first that filled the caches: every tenth is another one.
    sampled = atoms.calc.draws_samples
    typical = np.mean(times) if sampled else np.median(times)
    return 1e6 * float(typical) / len(atoms)


def batch(potential, test) -> float:
    """CPU time of energies and forces of many structures at once, us/atom."""
    structures = [s.atoms for s in test[:BATCH]]
    potential.evaluate_many(structures)
    began = time.process_time()
    potential.evaluate_many(structures)
    return 1e6 * (time.process_time() - began) / sum(map(len, structures))


if __name__ == "__main__":
    main()
