"""Fit the public and the shipped data sets and print one table of errors, times and memory.

    python benchmarks/accuracy.py --data DIR [--only NAME...] [--json OUT.json]

DIR (default: the environment variable GAPY_BENCH_DATA) holds mlearn/, snap/ and ethanol/; see
benchmarks/README.md for where they come from. A set that is not there is skipped with a line
saying so. Every fit runs in a process of its own, so that its peak memory is its own, on one
thread unless --threads says otherwise; kernels are compiled before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One fit, and the groups of structures that it is tested on.

    train, tests: files below the data directory, or "shipped:NAME:SPLIT" for those of the package.
    Groups without forces are far from the training data and show energies only.
    """

    train: tuple[str, ...]
    tests: dict[str, str]
    r_cut: float
    n_max: int = 8
    l_max: int = 8
    n_inducing: int = 1000
    sigma_energy: float = 0.001
    stress: bool = True
    e0: str = "auto"
    periodic: bool = True
    gap_fit: dict[str, float] = field(default_factory=dict)


# gap_fit's figures: quippy-ase 0.10.3, 1000 (NbMo: 500 per species) CUR points, energies and
# forces, the same cutoff, basis, zeta and noise; measured once in another run.
GAP_FIT_SI = {
    "seconds": 645, "memory": 3.7, "energy": 5.12, "forces": 0.1226, "spearman": 0.656,
}  # fmt: skip
GAP_FIT_MO = {"energy": 3.58, "forces": 0.1809, "spearman": 0.789}
GAP_FIT_NBMO = {"seconds": 831, "memory": 9.6, "energy": 2.60, "forces": 0.1762}

MLEARN_SI = {
    "train": ("mlearn/Si_train.xyz",),
    "tests": {"test": "mlearn/Si_test.xyz"},
}
MLEARN_MO = {
    "train": ("mlearn/Mo_train.xyz",),
    "tests": {"test": "mlearn/Mo_test.xyz"},
    "r_cut": 5.2,
    "sigma_energy": 0.0003,
}
CASES = {
    "mlearn-si-5.4": Case(**MLEARN_SI, r_cut=5.4, gap_fit=GAP_FIT_SI),
    "mlearn-si-5.4-no-stress": Case(**MLEARN_SI, r_cut=5.4, stress=False),
    "mlearn-si-6.0": Case(**MLEARN_SI, r_cut=6.0),
    "mlearn-mo": Case(**MLEARN_MO, gap_fit=GAP_FIT_MO),
    "mlearn-mo-no-stress": Case(**MLEARN_MO, stress=False),
    "snap-nbmo": Case(
        train=("snap/NbMo_train.xyz",),
        tests={"test": "snap/NbMo_test.xyz"},
        r_cut=5.0,
        n_max=6,
        l_max=4,
        n_inducing=500,
        gap_fit=GAP_FIT_NBMO,
    ),
    "ethanol": Case(
        train=("ethanol/train.xyz", "ethanol/isolated_atoms.xyz"),
        tests={"test": "ethanol/test_MD.xyz", "H removal": "ethanol/test_H_removal.xyz"},
        r_cut=5.0,
        l_max=6,
        e0="isolated",
        periodic=False,
    ),
    "shipped-si": Case(
        train=("shipped:si:train",),
        tests={"test": "shipped:si:test", "hot": "shipped:si:hot"},
        r_cut=5.4,
    ),
    "shipped-alas": Case(
        train=("shipped:alas:train",),
        tests={"test": "shipped:alas:test"},
        r_cut=5.4,
        n_max=6,
        l_max=6,
        n_inducing=500,
    ),
}

COLUMNS = (
    # title, key, factor, format
    ("fit s", "seconds", 1.0, "{:.0f}"),
    ("CPU s", "cpu_seconds", 1.0, "{:.0f}"),
    ("peak GB", "memory", 1.0, "{:.2f}"),
    ("E meV/at", "energy", 1.0, "{:.2f}"),
    ("F eV/A", "forces", 1.0, "{:.4f}"),
    ("S GPa", "stress", 1.0, "{:.3f}"),
    ("rho", "spearman", 1.0, "{:.3f}"),
    ("68 %", "coverage", 1.0, "{:.2f}"),
)


def files_of(case: Case) -> list[str]:
    """Every file or shipped split of a case."""
    return [*case.train, *case.tests.values()]


def missing(case: Case, data: Path | None) -> list[str]:
    """What a case needs and does not find."""
    absent = []
    for name in files_of(case):
        if name.startswith("shipped:"):
            from gapy.data import path

            if not path(name.split(":")[1]).exists():
                absent.append(name)
        elif data is None or not (data / name).exists():
            absent.append(name)
    return absent


def structures_of(name: str, data: Path | None):
    """Labelled structures of a file or of a shipped split."""
    from gapy.structures import from_atoms, read_structures

    if name.startswith("shipped:"):
        from gapy.data import frames

        _, which, split = name.split(":")
        return from_atoms(frames(which, split), source=name)
    return read_structures(data / name)


def run_case(case: Case, data: Path | None, threads: int, n_inducing: int | None) -> dict:
    """Fit and test one case in this process."""
    import gapy
    from gapy.descriptors import smooth_soap
    from gapy.structures import is_isolated_atom

    train = [s for name in case.train for s in structures_of(name, data)]
    # A free atom of a species that occurs in nothing else would only widen the descriptor.
    bonded = {z for s in train if not is_isolated_atom(s) for z in s.atoms.numbers.tolist()}
    train = [s for s in train if set(s.atoms.numbers.tolist()) <= bonded]
    soap = smooth_soap(
        species=sorted(bonded),
        r_cut=case.r_cut,
        n_max=case.n_max,
        l_max=case.l_max,
        sigma=0.5,
        periodic=case.periodic,
    )

    def regressor(size):
        return gapy.SparseGPRegressor(
            soap,
            n_inducing=size,
            zeta=4,
            sigma_energy=case.sigma_energy,
            sigma_forces=0.05,
            fit_stress=case.stress,
            e0=case.e0,
            threads=threads,
        )

    isolated = [s for s in train if is_isolated_atom(s)]
    small = sorted((s for s in train if not is_isolated_atom(s)), key=lambda s: len(s.atoms))
    first = {id(s): s for z in bonded for s in [next(s for s in small if z in s.atoms.numbers)]}
    warm_up = regressor(4).fit([*isolated, *first.values()])
    gapy.evaluate(warm_up.potential_, [next(iter(first.values()))])

    gp = regressor(n_inducing or case.n_inducing)
    began, cpu_began = time.perf_counter(), time.process_time()
    gp.fit(train)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    memory = peak_memory_gb()
    groups = {}
    for label, name in case.tests.items():
        report = gapy.evaluate(gp.potential_, structures_of(name, data), threads=threads)
        groups[label] = row_of(report)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "memory": memory,
        "n_structures": len(train),
        "n_atoms": sum(len(s.atoms) for s in train),
        "calibration": gp.potential_.calibration.to_dict(),
        "groups": groups,
    }


def row_of(report) -> dict:
    """The figures of the table, energies in meV/atom and stresses in GPa."""
    from ase.units import GPa

    total = report.total
    row = {
        "n_structures": total.n_structures,
        "energy": None if total.energy_rmse is None else 1000.0 * total.energy_rmse,
        "forces": total.forces_rmse,
        "forces_spread": total.forces_spread,
        "stress": None if total.stress_rmse is None else total.stress_rmse / GPa,
        "mean_force_std": total.mean_force_std,
        "spearman": report.forces_std_spearman,
        "coverage": report.coverage_68,
    }
    return row


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far, GB."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage, not inherited from the parent
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def run_in_own_process(name: str, arguments) -> dict:
    """The result of one case from a fresh interpreter."""
    threads = str(arguments.threads)
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, __file__, "--one", name, "--json", str(out)]
        command += ["--threads", threads]
        if arguments.data is not None:
            command += ["--data", str(arguments.data)]
        if arguments.n_inducing is not None:
            command += ["--n-inducing", str(arguments.n_inducing)]
        subprocess.run(command, check=True, env={**os.environ, **limits})
        return json.loads(out.read_text())


def cells(values: dict) -> list[str]:
    """One row's numbers; a dash where there is none."""
    out = []
    for _, key, factor, text in COLUMNS:
        value = values.get(key)
        out.append("-" if value is None else text.format(factor * value))
    return out


def print_row(name: str, group: str, settings: str, values: dict) -> None:
    """One line of the table, in Markdown."""
    print("| " + " | ".join([name, group, settings, *cells(values)]) + " |", flush=True)


def settings_of(case: Case, n_inducing: int | None) -> str:
    """The settings that differ between cases, in a few words."""
    labels = "E+F+S" if case.stress and case.periodic else "E+F"
    return (
        f"r_cut {case.r_cut}, n_max {case.n_max}, l_max {case.l_max}, "
        f"M {n_inducing or case.n_inducing}, sigma_E {case.sigma_energy}, {labels}"
    )


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("GAPY_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(default) if default else None)
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--n-inducing", type=int, help="instead of each case's own, for a trial")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run the cases asked for and print the table."""
    arguments = parse()
    if arguments.one:
        case = CASES[arguments.one]
        result = run_case(case, arguments.data, arguments.threads, arguments.n_inducing)
        arguments.json.write_text(json.dumps(result))
        return 0
    titles = ["set", "group", "settings", *(title for title, *_ in COLUMNS)]
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles), flush=True)
    results, skipped = {}, []
    for name in arguments.only or CASES:
        case = CASES[name]
        absent = missing(case, arguments.data)
        if absent:
            skipped.append(f"skipped {name}: {', '.join(absent)} not found; see --data")
            continue
        result = results[name] = run_in_own_process(name, arguments)
        fit = {key: result[key] for key in ("seconds", "cpu_seconds", "memory")}
        for group, values in result["groups"].items():
            print_row(name, group, settings_of(case, arguments.n_inducing), {**fit, **values})
            fit = {}
        if case.gap_fit:
            print_row(name, "gap_fit", "same size, sigma_E 0.001, E+F", case.gap_fit)
    print()
    print("E, F, S: root mean square errors. rho: rank correlation of sigma with the force error.")
    print("68 %: share of force components within one sigma. gap_fit: measured once, another run.")
    for line in skipped:
        print(line)
    if arguments.json:
        record = {
            "date": time.strftime("%Y-%m-%d"),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "threads": arguments.threads,
            "results": results,
            "gap_fit": {n: CASES[n].gap_fit for n in results if CASES[n].gap_fit},
        }
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
