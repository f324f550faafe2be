"""Learnt noise against the best hand setting, by repeated 80/20 splits inside training files.

    python benchmarks/noise.py --data DIR [--only NAME...] [--splits 5] [--cache DIR]

DIR (default: the environment variable GAPY_BENCH_DATA) is that of benchmarks/accuracy.py. What
labels contribute to a fit does not depend on the noise, so each split is absorbed once and then
solved for every setting of a grid: sigma_E, sigma_F, and delta as learnt, 1 or 10 eV. The best of
them is the one with the least product of energy and force error over the left-out structures of all
splits. Printed are the errors with learnt noise over those of the best setting, of all structures
and of every config_type with at least 20 of them (the others in one line), mean and two standard
errors over splits. The best setting is known afterwards only: the last column is the ratio, to the
same, of the setting that is best on the other splits (of one split alone, on itself).

--rare keeps 11 structures of a config_type in training and tests on its others: whether the noise
of few labels swallows them. --cache keeps the splits, so that another way to learn costs seconds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pickle
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from accuracy import structures_of

SIGMA_E = (0.0003, 0.001, 0.003, 0.01)
SIGMA_F = (0.02, 0.05, 0.1, 0.2)
DELTA = (None, 1.0, 10.0)
GRID = tuple(itertools.product(SIGMA_E, SIGMA_F, DELTA))
LEAST = 20
"""Structures that make a config_type a line of its own."""
N_RARE = 11


@dataclass(frozen=True)
class Case:
    """A training set and the small model that its splits are fitted with."""

    file: str
    r_cut: float
    n_inducing: int = 300
    every: int = 1
    most: int | None = None
    e0: str = "auto"
    also: tuple[str, ...] = ()


CASES = {
    "mlearn-si": Case("mlearn/Si_train.xyz", 5.4, 400),
    "mlearn-mo": Case("mlearn/Mo_train.xyz", 5.2, 400),
    "snap-nbmo": Case("snap/NbMo_train.xyz", 5.0, every=3),
    "ethanol": Case(
        "ethanol/train.xyz", 5.0, most=300, e0="isolated", also=("ethanol/isolated_atoms.xyz",)
    ),
    "shipped-si": Case("shipped:si:train", 5.4, 400),
    "shipped-alas": Case("shipped:alas:train", 5.4),
}


@dataclass(frozen=True)
class Split:
    """A state of the training part and the rows (n, M) and labels (n,) of the other structures.

    group: of each of these; energies are per atom.
    """

    state: object
    sample: object
    group: tuple[str, ...]
    energy: list
    forces: list
    fit_seconds: float


def split_of(case: Case, data: Path | None, seed: int, rare: str | None) -> Split:
    """Structures split by a seed, the training part absorbed."""
    from gapy.descriptors import smooth_soap
    from gapy.fit.labels import labels_of, rows_of
    from gapy.fit.regressor import SparseGPRegressor
    from gapy.fit.sample import SampleRows
    from gapy.fit.training import absorb
    from gapy.structures import is_isolated_atom

    rng = np.random.default_rng(seed)
    everything = structures_of(case.file, data)[:: case.every]
    always = [s for name in case.also for s in structures_of(name, data)]
    always += [s for s in everything if is_isolated_atom(s)]
    everything = [s for s in everything if not is_isolated_atom(s)]
    order = rng.permutation(len(everything))[: case.most]
    if rare is None:
        cut = round(0.2 * len(order))
        test, train = order[:cut], order[cut:]
    else:
        of = np.array([everything[k].config_type == rare for k in order])
        train = np.concatenate([order[~of], order[of][:N_RARE]])
        test = order[of][N_RARE:]
    bonded = {int(z) for k in train for z in everything[k].atoms.numbers}
    always = [s for s in always if set(s.atoms.numbers.tolist()) <= bonded]
    began = time.process_time()
    soap = smooth_soap(
        sorted(bonded), r_cut=case.r_cut, n_max=8, l_max=6, periodic="ethanol" not in case.file
    )
    gp = SparseGPRegressor(
        soap, n_inducing=case.n_inducing, zeta=2, n_components="auto", e0=case.e0, seed=seed
    )
    structures = [*always, *(everything[k] for k in sorted(train))]
    start, sample = gp.begin(structures), SampleRows()
    state = absorb(start, structures, rows=sample)
    seconds = time.process_time() - began
    energy, forces = [], []
    for k in test:
        s = everything[k]
        found = {
            x.group.kind: x
            for x in labels_of(s, rows_of(state.terms, s, ("energy", "forces")), state.e0)
        }
        n = len(s.atoms)
        energy.append((found["energy"].rows / n, found["energy"].y / n))
        forces.append((found["forces"].rows, found["forces"].y))
    groups = tuple(everything[k].config_type for k in test)
    return Split(state, sample, groups, energy, forces, seconds)


def squares(split: Split, alpha) -> np.ndarray:
    """Mean squared errors (n, 2) of energies per atom and force components of each structure."""
    return np.array(
        [
            [np.mean((y - rows @ alpha) ** 2) for rows, y in pair]
            for pair in zip(split.energy, split.forces)
        ]
    )


def solved(state, noise, statistic, delta=None) -> np.ndarray:
    """alpha of a state for some noise, and one delta for all blocks where it is given."""
    from gapy.gp import posterior

    terms = state.terms
    if delta is not None:
        terms = tuple(replace(t, delta=(delta,) * len(t.delta)) for t in terms)
    return posterior.solve(terms, state.cholesky, statistic, noise.sigma).alpha


def by_hand(split: Split, learnt) -> np.ndarray:
    """Squared errors (settings, n, 2) of the grid; delta None is that of the state `learnt`."""
    from gapy._support.threads import blas_threads
    from gapy.gp.noise import Noise
    from gapy.gp.statistic import Factor, Group, SufficientStatistic

    factors = split.state.statistic.factors
    pooled = {}
    for group, factor in sorted(factors.items()):
        key = Group(group.kind, "all")
        pooled.setdefault(key, Factor(split.state.n_columns)).merge(factor)
    statistic = SufficientStatistic(split.state.n_columns, pooled)
    with blas_threads(1):
        return np.array(
            [
                squares(split, solved(learnt, Noise(energy, forces), statistic, delta))
                for energy, forces, delta in GRID
            ]
        )


def by_learning(split: Split):
    """(squared errors (n, 2), the state, CPU seconds that learning took)."""
    from gapy._support.threads import blas_threads
    from gapy.fit.solving import learn

    began = time.process_time()
    learnt = learn(split.state, rows=split.sample)
    seconds = time.process_time() - began
    with blas_threads(1):
        return squares(split, solved(learnt, learnt.noise, learnt.statistic)), learnt, seconds


def lines_of(groups: list[tuple[str, ...]], counts: Counter, rare: str | None) -> dict:
    """Names of lines and which structures of each split they are about."""
    out = {"total": [np.ones(len(g), dtype=bool) for g in groups]}
    if rare is not None or len(counts) == 1:
        return out
    large = sorted(name for name, n in counts.items() if n >= LEAST)
    for name in large:
        out[name] = [np.array([x == name for x in g]) for g in groups]
    if len(large) < len(counts):
        out["small groups"] = [np.array([x not in large for x in g]) for g in groups]
    return out


def rmse(squared, chosen) -> np.ndarray:
    """Root mean squares (..., 2) over the chosen structures, each counted once."""
    return np.sqrt(squared[..., chosen, :].mean(axis=-2))


def best_setting(grids: list) -> int:
    """The setting with the least product of energy and force error over all structures."""
    pooled = np.concatenate(grids, axis=1).mean(axis=1)
    return int(np.argmin(pooled.prod(axis=-1)))


def mean_ratio(pairs: list) -> tuple[list, list]:
    """Mean over splits of the ratios (2,) of pairs of errors, and two standard errors."""
    ratio = np.array([a / b for a, b in pairs])
    two = np.full(2, np.nan)
    if len(ratio) > 1:
        two = 2.0 * ratio.std(axis=0, ddof=1) / len(ratio) ** 0.5
    return ratio.mean(axis=0).tolist(), two.tolist()


def compare(found: list, counts: Counter, rare: str | None) -> dict:
    """Ratios of errors, learnt and chosen on the other splits over the best setting, of each line.

    found: of each split its groups, the squared errors of the grid and those of learnt noise.
    """
    lines = lines_of([f[0] for f in found], counts, rare)
    grids = [f[1] for f in found]
    best = best_setting(grids)
    elsewhere = [best_setting(grids[:k] + grids[k + 1 :] or grids) for k in range(len(found))]
    out = {"setting": dict(zip(("sigma_E", "sigma_F", "delta"), GRID[best])), "lines": {}}
    for name, masks in lines.items():
        here = [(f, other, m) for f, other, m in zip(found, elsewhere, masks) if m.any()]
        by_hand = [rmse(grid[best], m) for (_, grid, _), _, m in here]
        learnt = [rmse(squared, m) for (_, _, squared), _, m in here]
        chosen = [rmse(grid[other], m) for (_, grid, _), other, m in here]
        ratio, two = mean_ratio(list(zip(learnt, by_hand)))
        ratio_chosen, two_chosen = mean_ratio(list(zip(chosen, by_hand)))
        out["lines"][name] = {
            "structures": int(sum(m.sum() for m in masks)),
            "learnt": np.sqrt(np.mean(np.square(learnt), axis=0)).tolist(),
            "hand": np.sqrt(np.mean(np.square(by_hand), axis=0)).tolist(),
            "ratio": ratio,
            "two_standard_errors": two,
            "chosen_on_other_splits": ratio_chosen,
            "two_standard_errors_chosen": two_chosen,
        }
    return out


def cached(folder: Path | None, name: str, make, *arguments):
    """What `make` gives, kept in a file of the folder if there is one."""
    if folder is None:
        return make(*arguments)
    path = folder / f"{name}.pickle"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(make(*arguments), protocol=5))
    return pickle.loads(path.read_bytes())


def run_case(name: str, arguments) -> dict:
    """All splits of a set."""
    case, data = CASES[name], arguments.data
    counts = Counter(s.config_type for s in structures_of(case.file, data)[:: case.every])
    counts.pop("IsolatedAtom", None)
    found, seconds, fits = [], [], []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.splits):
        key = f"{name}-{seed}" + (f"-{arguments.rare}" if arguments.rare else "")
        split = cached(arguments.cache, key, split_of, case, data, seed, arguments.rare)
        squared, learnt, took = by_learning(split)
        grid = cached(arguments.cache, f"{key}-grid", by_hand, split, learnt)
        found.append((split.group, grid, squared))
        seconds.append(took)
        fits.append(split.fit_seconds)
    out = compare(found, counts, arguments.rare)
    return out | {"learning_seconds": seconds, "fit_seconds": fits}


def show(name: str, result: dict) -> None:
    """The lines of a set, in Markdown."""
    setting = result["setting"]
    delta = "learnt" if setting["delta"] is None else f"{setting['delta']:g}"
    for line, values in result["lines"].items():
        (e, f), (he, hf) = values["learnt"], values["hand"]
        (re, rf), (se, sf) = values["ratio"], values["two_standard_errors"]
        (ce, cf), (te, tf) = values["chosen_on_other_splits"], values["two_standard_errors_chosen"]
        hand = f"{1000 * setting['sigma_E']:g}, {setting['sigma_F']:g}, {delta}"
        print(
            f"| {name} | {line} ({values['structures']}) | {hand} | {1000 * he:.2f}, {hf:.4f} | "
            f"{1000 * e:.2f}, {f:.4f} | {re:.3f} ± {se:.3f} | {rf:.3f} ± {sf:.3f} | "
            f"{ce:.3f} ± {te:.3f}, {cf:.3f} ± {tf:.3f} |",
            flush=True,
        )


def main() -> None:
    """Run the sets asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("GAPY_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(default) if default else None)
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="of the first split")
    parser.add_argument("--rare", metavar="CONFIG_TYPE", help="the group that is made rare")
    parser.add_argument("--cache", type=Path, help="folder for the splits")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(
        "| set | group (left-out structures) | hand: meV/atom, eV/A, delta | errors by hand: "
        "meV/atom, eV/A | learnt | energy ratio | force ratio | chosen on the other splits |"
    )
    print("|" + "---|" * 8, flush=True)
    results = {}
    for name in arguments.only or CASES:
        results[name] = run_case(name, arguments)
        show(name, results[name])
        took, fits = results[name]["learning_seconds"], results[name]["fit_seconds"]
        print(f"<!-- {name}: learning {np.mean(took):.1f} s after {np.mean(fits):.1f} s of CPU -->")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
