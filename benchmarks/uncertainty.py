"""What the error bars are worth: ranking, coverage, learnt noise, and groups never seen.

    python benchmarks/uncertainty.py --data DIR [--only NAME...] [--quick] [--zeta Z]
        [--n-components N] [--json OUT.json] [--splits N [--fit="OPTIONS"]]

Two kinds of rows, each fit in a process of its own and one after the other:

- learning: one fit with the hand settings (1 meV/atom, 0.05 eV/A, delta 1 eV) and the same fit
  after `optimize_hyperparameters`, which needs no second pass over the data;
- extrapolation: a fit without one group of structures. Atoms whose force error exceeds 3 times the
  force RMSE on the other test structures are to be found by `forces_std`: AUROC over the atoms of
  these and of the group, all of them and without atoms whose force vanishes by symmetry. Ethanol
  that loses a hydrogen atom has energies only: structures whose energy error exceeds 3 times the
  RMSE of the molecules are to be found by their largest `forces_std`.

Rank correlation and AUROC are also given of the sigma that follows the posterior of the force
(`uncertainty="posterior"`), with what it follows; without it the two sigmas are the same.

`--splits N` prints instead what the error bars of `gapy fit` cover of the structures of training
files, each left out once (`splits.py`; sets of automatic.py).

DIR as for accuracy.py. Figures of quippy: measured once, same sets and cutoffs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import splits
from accuracy import CASES, missing, structures_of
from automatic import SETS

THRESHOLD = 3.0
"""An error counts as large above so many times the RMSE on structures like the training set."""


@dataclass(frozen=True)
class Learning:
    """A case of accuracy.py fitted with the hand settings, then with learnt ones."""

    case: str
    spearman: float | None = None
    quippy: float | None = None


@dataclass(frozen=True)
class Extrapolation:
    """A case of accuracy.py fitted without the config_types that contain `group`.

    For shipped sets `group` is a test split, of which the training split holds nothing.
    """

    case: str
    group: str


LEARNING = {
    "mlearn-si": Learning("mlearn-si-5.4", 0.80, 0.656),
    "mlearn-mo": Learning("mlearn-mo", 0.82, 0.789),
    "snap-nbmo": Learning("snap-nbmo"),
    "ethanol": Learning("ethanol"),
}
EXTRAPOLATION = {
    "hot": Extrapolation("shipped-si", "hot"),
    "no-surface": Extrapolation("mlearn-si-5.4", "Surface"),
    "no-vacancy": Extrapolation("mlearn-si-5.4", "Vacancy"),
    "no-nbmo": Extrapolation("snap-nbmo", "NbMo"),
}
NAMES = (*LEARNING, *EXTRAPOLATION)
QUICK_INDUCING = 300


def case_of(name: str):
    """The case of accuracy.py behind a row of this benchmark."""
    return CASES[(LEARNING.get(name) or EXTRAPOLATION[name]).case]


def kernel_of(arguments) -> dict:
    """What the command line says of the kernel."""
    return {"zeta": arguments.zeta, "n_components": arguments.n_components}


def regressor(case, structures, n_inducing, **options):
    """An unfitted regressor for a case."""
    import gapy
    from gapy.descriptors import smooth_soap

    soap = smooth_soap(
        species=sorted({int(z) for s in structures for z in s.atoms.numbers}),
        r_cut=case.r_cut,
        n_max=case.n_max,
        l_max=case.l_max,
        sigma=0.5,
        periodic=case.periodic,
    )
    return gapy.SparseGPRegressor(
        soap, n_inducing=n_inducing or case.n_inducing, e0=case.e0, **options
    )


def training_structures(case, data):
    """Structures of a case; a free atom of a species that occurs in nothing else is left out."""
    from gapy.structures import is_isolated_atom

    train = [s for name in case.train for s in structures_of(name, data)]
    bonded = {z for s in train if not is_isolated_atom(s) for z in s.atoms.numbers.tolist()}
    return [s for s in train if set(s.atoms.numbers.tolist()) <= bonded]


def learn(case, data, n_inducing, kernel) -> dict:
    """Figures before and after the hyperparameters are learnt."""
    train = training_structures(case, data)
    tests = {label: structures_of(name, data) for label, name in case.tests.items()}
    hand = {"sigma_energy": 0.001, "sigma_forces": 0.05, "delta": 1.0}
    gp = regressor(case, train, n_inducing, **hand, **kernel)
    began = time.perf_counter()
    gp.fit(train)
    out = {"fit_seconds": time.perf_counter() - began, "hand": judged(gp, tests)}
    began = time.perf_counter()
    gp.optimize_hyperparameters()
    out |= {"learn_seconds": time.perf_counter() - began, "learnt": judged(gp, tests)}
    return out


def judged(gp, tests) -> dict:
    """Errors, error bars and learnt numbers of a fitted regressor."""
    import gapy
    from gapy._support.ranking import spearman

    potential = gp.potential_
    report = gapy.evaluate(potential, tests["test"])
    bars = report.error_bars.to_dict()
    bars.pop("reliability")
    error, sigma, told = atoms_of(potential, tests["test"], "posterior")
    out = {
        "posterior_spearman": spearman(sigma[told], error[told]),
        "energy": 1000.0 * report.total.energy_rmse,
        "forces": report.total.forces_rmse,
        **bars,
        "log_likelihood": gp.log_marginal_likelihood(),
        "noise": potential.noise.to_dict(),
        "delta": [list(term.delta) for term in potential.terms],
        "calibration": potential.calibration.to_dict(),
    }
    for label, structures in tests.items():
        if label != "test" and all(s.forces is None for s in structures):
            out[label] = found_by_energy(potential, tests["test"], structures)
    return out


def found_by_energy(potential, near, far) -> dict:
    """Whether the largest sigma of a structure tells a large error of its energy."""
    from gapy._support.ranking import auroc, spearman

    calculator = potential.calculator(uncertainty=True)
    errors, sigmas = [], []
    for s in [*near, *far]:
        calculator.calculate(s.atoms)
        errors.append(abs(calculator.results["energy"] - s.energy) / len(s.atoms))
        sigmas.append(calculator.results["forces_std"].max())
    errors, sigmas = np.array(errors), np.array(sigmas)
    large = errors > THRESHOLD * np.sqrt((errors[: len(near)] ** 2).mean())
    return {
        "auroc": auroc(sigmas, large),
        "spearman": spearman(sigmas, errors),
        "n_large": int(large.sum()),
        "n": len(errors),
    }


def groups_of(row: Extrapolation, case, data):
    """(training set without the group, test structures like it, the group)."""

    def belongs(s):
        return row.group.lower() in s.config_type.lower()

    train = training_structures(case, data)
    if row.case.startswith("shipped"):
        return train, *(structures_of(case.tests[name], data) for name in ("test", row.group))
    tests = [s for name in case.tests.values() for s in structures_of(name, data)]
    return (
        [s for s in train if not belongs(s)],
        [s for s in tests if not belongs(s)],
        [s for s in [*train, *tests] if belongs(s)],
    )


def extrapolate(row: Extrapolation, case, data, n_inducing, kernel) -> dict:
    """Figures of a fit without a group."""
    from gapy._support.ranking import auroc, spearman

    train, near, far = groups_of(row, case, data)
    gp = regressor(case, train, n_inducing, optimize=True, **kernel).fit(train)
    parts = [atoms_of(gp.potential_, group) for group in (near, far)]
    rmse = float(np.sqrt((parts[0][0] ** 2).mean()))
    error, sigma, told = (np.concatenate(pair) for pair in zip(*parts))
    large = error > THRESHOLD * rmse
    posterior = [atoms_of(gp.potential_, group, "posterior")[1] for group in (near, far)]
    return {
        "posterior_auroc": auroc(np.concatenate(posterior), large),
        "n_train": len(train),
        "n_near": len(parts[0][0]),
        "n_far": len(parts[1][0]),
        "near_rmse": rmse,
        "far_rmse": float(np.sqrt((parts[1][0] ** 2).mean())),
        "n_large": int(large.sum()),
        "auroc": auroc(sigma, large),
        "auroc_told": auroc(sigma[told], large[told]),
        "spearman": spearman(sigma, error),
        "near_sigma": float(np.sqrt((parts[0][1] ** 2).mean())),
        "far_sigma": float(np.sqrt((parts[1][1] ** 2).mean())),
        "calibration": gp.potential_.calibration.to_dict(),
    }


def atoms_of(potential, structures, uncertainty=True):
    """RMS force error, sigma, and whether the force may differ from zero, of every atom."""
    from gapy.geometry.symmetry import vanishes

    calculator = potential.calculator(uncertainty=uncertainty)
    errors, sigmas, told = [], [], []
    for s in structures:
        if s.forces is None:
            continue
        calculator.calculate(s.atoms)
        errors.append(np.sqrt(((calculator.results["forces"] - s.forces) ** 2).mean(axis=1)))
        sigmas.append(calculator.results["forces_std"][:, 0])
        told.append(~vanishes(s.forces, calculator.results["forces"]))
    return np.concatenate(errors), np.concatenate(sigmas), np.concatenate(told)


def run_one(name: str, arguments) -> dict:
    """One row in this process."""
    case = case_of(name)
    if name in LEARNING:
        return learn(case, arguments.data, arguments.n_inducing, kernel_of(arguments))
    return extrapolate(
        EXTRAPOLATION[name], case, arguments.data, arguments.n_inducing, kernel_of(arguments)
    )


def run_in_own_process(name: str, arguments) -> dict:
    """One row from a fresh interpreter on one thread."""
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, __file__, "--one", name, "--json", str(out)]
        command += ["--zeta", str(arguments.zeta), "--n-components", arguments.n_components]
        if arguments.data is not None:
            command += ["--data", str(arguments.data)]
        if arguments.n_inducing is not None:
            command += ["--n-inducing", str(arguments.n_inducing)]
        subprocess.run(command, check=True, env={**os.environ, **limits})
        return json.loads(out.read_text())


def checks(name: str, result: dict) -> list[tuple[str, str, str, bool]]:
    """(what, target, reached, whether it holds) of one row."""
    if name in EXTRAPOLATION:
        counts = f"{result['n_large']} of {result['n_near'] + result['n_far']} atoms"
        rows = [("AUROC, " + counts, result["auroc"]), ("  moving atoms", result["auroc_told"])]
        return [(what, ">= 0.95", *_reached(value, 0.95)) for what, value in rows]
    row, hand, learnt = LEARNING[name], result["hand"], result["learnt"]
    out = []
    if row.spearman is not None:
        out += [
            (
                f"Spearman (quippy {row.quippy})",
                f">= {row.spearman:.2f}",
                *_reached(learnt["forces_std_spearman"], row.spearman),
            ),
            _within("coverage of 68 %", learnt["coverage_68"], 0.62, 0.74),
            _within("coverage of 95 %", learnt["coverage_95"], 0.91, 0.98),
            (
                "energy RMSE, meV/atom",
                f"<= {hand['energy']:.2f}",
                f"{learnt['energy']:.2f}",
                learnt["energy"] <= hand["energy"],
            ),
        ]
    out += [
        (
            "force RMSE, eV/A",
            f"<= 1.03 x {hand['forces']:.4f}",
            f"{learnt['forces']:.4f}",
            learnt["forces"] <= 1.03 * hand["forces"],
        ),
        (
            "log likelihood",
            f"> {hand['log_likelihood']:.0f}",
            f"{learnt['log_likelihood']:.0f}",
            learnt["log_likelihood"] > hand["log_likelihood"],
        ),
    ]
    for label, values in learnt.items():
        if isinstance(values, dict) and "auroc" in values:
            counts = f"{values['n_large']} of {values['n']} structures"
            out.append((f"{label}: AUROC, {counts}", ">= 0.95", *_reached(values["auroc"], 0.95)))
    return out


def _reached(value, target):
    return ("-", False) if value is None else (f"{value:.3f}", value >= target)


def _within(what, value, low, high):
    return what, f"{low:.2f} to {high:.2f}", f"{value:.3f}", low <= value <= high


def print_learning(name: str, result: dict) -> None:
    """Before and after, in full."""
    for title in ("hand", "learnt"):
        v = result[title]
        coverage = " ".join(f"{100 * v[f'coverage_{p}']:.0f}" for p in (50, 68, 90, 95))
        print(
            f"  {title:7s} E {v['energy']:.2f} meV/atom  F {v['forces']:.4f} eV/A  "
            f"rho {v['forces_std_spearman']:.3f}  coverage {coverage} %  "
            f"area {v['miscalibration_area']:.3f}  nll {v['nll']:.3f}  "
            f"rho of posterior {v['posterior_spearman']:.3f}  "
            f"AUROC {v['auroc'] or float('nan'):.3f}"
        )
    print(f"  fit {result['fit_seconds']:.0f} s, learning {result['learn_seconds']:.0f} s")


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("GAPY_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(default) if default else None)
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    parser.add_argument("--n-inducing", type=int, help="instead of each case's own, for a trial")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_INDUCING} inducing points")
    parser.add_argument("--zeta", type=int, default=4)
    parser.add_argument("--n-components", default="auto", help='"auto" (default) or "off"')
    parser.add_argument("--splits", type=int, metavar="N", help=f"sets: {', '.join(SETS)}")
    parser.add_argument("--fit", default="", metavar="OPTIONS", help="of gapy fit, with --splits")
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = SETS if arguments.splits else NAMES
    arguments.only = arguments.only or list(names)
    if unknown := set(arguments.only) - set(names):
        parser.error(f"--only: expected some of {', '.join(names)}, got {', '.join(unknown)}")
    if arguments.quick and arguments.n_inducing is None:
        arguments.n_inducing = QUICK_INDUCING
    return arguments


def main() -> int:
    """Run the rows asked for and print targets and what was reached."""
    arguments = parse()
    if arguments.one:
        arguments.json.write_text(json.dumps(run_one(arguments.one, arguments)))
        return 0
    if arguments.splits:
        splits.run(arguments)
        return 0
    results, table, skipped = {}, [], []
    for name in arguments.only:
        absent = missing(case_of(name), arguments.data)
        if absent:
            skipped.append(f"skipped {name}: {', '.join(absent)} not found; see --data")
            continue
        result = results[name] = run_in_own_process(name, arguments)
        points = arguments.n_inducing or case_of(name).n_inducing
        print(f"{name}: {points} inducing points per species")
        if name in LEARNING:
            print_learning(name, result)
        else:
            print(
                f"  force RMSE {result['near_rmse']:.3f} like the training set, "
                f"{result['far_rmse']:.3f} in the group; rms sigma {result['near_sigma']:.3f}, "
                f"{result['far_sigma']:.3f} eV/A; rho {result['spearman']:.3f}; "
                f"AUROC of posterior {result['posterior_auroc'] or float('nan'):.3f}"
            )
        table += [(name, *row) for row in checks(name, result)]
        sys.stdout.flush()
    print("\n| set | what | target | reached | |\n|---|---|---|---|---|")
    for name, what, target, reached, holds in table:
        print(f"| {name} | {what} | {target} | {reached} | {'yes' if holds else 'NO'} |")
    print("\n".join(["", *skipped]))
    if arguments.json:
        record = {"date": time.strftime("%Y-%m-%d"), "results": results}
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
