"""Incremental updates: cost against the number of old structures, and what the short cuts cost.

    python benchmarks/active/update_cost.py Si_train.xyz Si_test.xyz -o update_cost.json

The files are those of the mlearn set (silicon). Parts, each on one thread, times in CPU seconds:

cost      seconds of one update (2 new structures, at most 10 new points) with 50 to 400 old ones;
          beyond the size of the file old structures are rattled copies, whose labels do not matter
accuracy  liquid-like and crystal frames first, then vacancies, strains and surfaces in batches of
          4; force error on the test file with projected, sampled and exact columns, and without
          new points
pruning   force error and error bars against the number of points dropped
rows      what a second pass spends: rows for all columns, for the new ones only, and the QR
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import warnings
from dataclasses import replace

import numpy as np
from ase.io import read

import gapy
from gapy._support.threads import blas_threads
from gapy.descriptors import smooth_soap
from gapy.fit.update import UpdateSettings, rebuild, update
from gapy.gp import posterior, pruning
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import blocks
from gapy.structures import from_atoms

SIZES = (50, 100, 200, 400)
STAGES = ("AIMD_NVT", "Vacancy", "Elastic", "Surface")


def regressor(n_inducing):
    soap = smooth_soap(["Si"], r_cut=5.0, n_max=6, l_max=5)
    return gapy.SparseGPRegressor(
        soap, n_inducing, 4, delta=10.0, sigma_energy=0.002, sigma_forces=0.1, fit_stress=False
    )


def forces_rmse(gp, test) -> dict[str, float]:
    """Force error by config type and in all, eV/A."""
    errors: dict[str, list] = {}
    for s in test:
        error = ((gp.potential_.evaluate(s.atoms).forces - s.forces) ** 2).ravel()
        for key in (s.config_type, "all"):
            errors.setdefault(key, []).append(error)
    return {k: round(float(np.sqrt(np.concatenate(v).mean())), 4) for k, v in errors.items()}


def cost(train) -> list[dict]:
    """Seconds of an update for each number of old structures; the median of three."""
    rng = np.random.default_rng(0)
    bulk = [s for s in train if s.config_type in ("AIMD_NVT", "Elastic")]
    new = [s for s in train if s.config_type == "Vacancy"]
    out = []
    for size in SIZES:
        more = [rattled(bulk[k % len(bulk)], rng) for k in range(len(bulk), size)]
        old = [*bulk[:size], *more]
        gp = regressor(400).fit(old)
        row = {
            "old_structures": size,
            "n_labels": gp.statistic_.n_labels,
        }
        for columns, calibrate in (
            ("projected", 0), ("sampled", 0), ("sampled", 1), ("exact", 0),
        ):  # fmt: skip
            settings = UpdateSettings(max_points=10, columns=columns, calibrate_every=calibrate)
            seconds = []
            for k in range(1 if columns == "exact" else 3):
                trial = copy.deepcopy(gp)
                began = time.process_time()
                report = update(
                    trial, new[2 * k : 2 * k + 2], settings=settings,
                    old=old if columns == "exact" else None,
                )  # fmt: skip
                seconds.append(time.process_time() - began)
                assert sum(report.added.values()) == 10
            name = columns + (", calibrated" if calibrate else "")
            row[name] = round(float(np.median(seconds)), 2)
        print(row, flush=True)
        out.append(row)
    return out


def rattled(structure, rng):
    atoms = structure.atoms.copy()
    atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
    return replace(structure, atoms=atoms)


def accuracy(train, test) -> list[dict]:
    """Force errors after each stage, for each way to the columns of old data."""
    by_type = {t: [s for s in train if s.config_type == t] for t in STAGES}
    first = by_type["AIMD_NVT"][::4]
    batches = {t: s[::2] if t != "Surface" else s for t, s in by_type.items()}
    batches["AIMD_NVT"] = [s for k, s in enumerate(by_type["AIMD_NVT"]) if k % 4][:20]
    start = regressor(200).fit(first)
    ways = {
        "projected": UpdateSettings(columns="projected", calibrate_every=0),
        **{
            f"sampled, {n} rows": UpdateSettings(sample_rows=n, calibrate_every=0)
            for n in (3, 10, 30)
        },
        "no points": UpdateSettings(max_points=0, calibrate_every=0),
    }
    models = {name: copy.deepcopy(start) for name in ways}
    seen, out = list(first), []
    for stage in STAGES:
        new = batches[stage]
        seen += new
        row = {"stage": stage, "structures": len(seen), "forces_rmse": {}, "seconds": {}, "lml": {}}
        for name, settings in ways.items():
            began = time.process_time()
            for k in range(0, len(new), 4):
                update(models[name], new[k : k + 4], settings=settings)
            row["seconds"][name] = round(time.process_time() - began, 1)
        exact = copy.deepcopy(models["projected"])
        began = time.process_time()
        rebuild(exact, seen)
        row["seconds"]["rebuild"] = round(time.process_time() - began, 1)
        row["n_inducing"] = exact.statistic_.n_columns
        for name, gp in {**models, "exact": exact}.items():
            row["forces_rmse"][name] = forces_rmse(gp, test)
            row["lml"][name] = round(gp.log_marginal_likelihood(), 1)
        print(json.dumps(row), flush=True)
        out.append(row)
    return out


def prune(train, test) -> list[dict]:
    """Force error and local sigma against the change allowed."""
    gp = regressor(400).fit(train[::2])
    n_labels = gp.statistic_.n_labels
    before = np.concatenate(
        [gp.potential_.evaluate(s.atoms, local_std=True).energies_std for s in test]
    )
    out = [{"change": 0.0, "pruned": 0, "forces_rmse": forces_rmse(gp, test)["all"]}]
    for change in (0.003, 0.01, 0.03, 0.1, 0.3):
        columns, found = pruning.removable(
            gp.potential_.posterior, n_labels, change=change, unexplained=1e-5
        )
        x_sd = np.delete(gp.training_.terms[0].inducing[0], columns, axis=0)
        terms = (replace(gp.training_.terms[0], inducing=(x_sd,)),)
        statistic, factors = pruning.without(
            gp.statistic_, blocks(gp.training_.terms), gp.training_.cholesky, columns
        )
        smaller = copy.copy(gp)
        fitted = posterior.solve(terms, factors, statistic, gp.initial_noise().sigma)
        potential = replace(gp.potential_, terms=terms, posterior=fitted)
        smaller.training_ = replace(gp.training_, potential=potential)
        after = np.concatenate(
            [smaller.potential_.evaluate(s.atoms, local_std=True).energies_std for s in test]
        )
        out.append({
            "change": change, "closed_form": round(found, 4), "pruned": len(columns),
            "forces_rmse": forces_rmse(smaller, test)["all"],
            "local_std_ratio": round(float((after / before).mean()), 3),
        })  # fmt: skip
        print(out[-1], flush=True)
    return out


def rows(train) -> dict:
    """Seconds for 20 structures: rows for all columns, for 10 columns, and the QR of the former."""
    sample = [s for s in train if len(s.atoms) >= 60][:20]
    gp = regressor(400).fit(train[::8])
    few = (replace(gp.training_.terms[0], inducing=(gp.training_.terms[0].inducing[0][:10],)),)

    def timed(function):
        began = time.process_time()
        result = [function(s) for s in sample]
        return result, round(time.process_time() - began, 2)

    everything, all_columns = timed(lambda s: structure_rows(gp.training_.terms, s.atoms))
    _, new_columns = timed(lambda s: structure_rows(few, s.atoms))
    statistic = SufficientStatistic(400)
    began = time.process_time()
    for s, r in zip(sample, everything):
        statistic.add(Group("forces", "default"), r.forces, s.forces.ravel())
    statistic.factors[Group("forces", "default")].matrix()
    out = {
        "structures": len(sample), "n_inducing": 400, "rows_all_columns": all_columns,
        "rows_10_columns": new_columns, "qr": round(time.process_time() - began, 2),
        "megabytes_on_disk": round(sum(r.forces.nbytes for r in everything) / 1e6, 1),
    }  # fmt: skip
    print(out, flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("-o", "--output", help="JSON file for the results")
    parser.add_argument("--part", choices=("rows", "cost", "accuracy", "pruning"), action="append")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    train, test = (from_atoms(read(f, ":")) for f in (options.train, options.test))
    parts = {
        "rows": lambda: rows(train),
        "cost": lambda: cost(train),
        "accuracy": lambda: accuracy(train, test),
        "pruning": lambda: prune(train, test),
    }
    with blas_threads(1):
        results = {name: parts[name]() for name in options.part or parts}
    if options.output:
        with open(options.output, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
