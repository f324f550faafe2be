"""What error bars cover of structures left out of the training files (`uncertainty.py --splits`).

The structures of a set are dealt into N parts. N models, each fitted by `gapy fit` with no option
but those of `--fit` to all parts but one, are judged on that one, so that every structure is judged
once, by a model that has not seen it. Free atoms are in every fit. The two standard errors of a
coverage are those of structures drawn at random, whose atoms err together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy import CASES, structures_of
from automatic import fit, present, write_labelled
from threadpoolctl import threadpool_limits

from gapy.error_bars.coverage import WITHIN

SEED = 0
HEAD = ("set", "structures", "forces within 90 %", "energies within 90 %", "rank", "AUROC", "nll")


def run(options) -> None:
    """Print the table: --only, --data, --splits and --fit of the command line."""
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        for name, data in present(options):
            found = list(reports(name, data, options.splits, options.fit, Path(temporary)))
            print(f"| {' | '.join([name, *cells(found)])} |", flush=True)


def reports(name: str, data: Path | None, n: int, further: str, folder: Path) -> Iterator:
    """EvaluationReport of each part."""
    import gapy

    for k, (train, left_out) in enumerate(dealt(name, data, n)):
        file, model = folder / f"{name}-{k}.xyz", folder / f"{name}-{k}.gapy"
        write_labelled(train, file)
        fit(file, model, further)
        yield gapy.evaluate(gapy.load(model), left_out)


def dealt(name: str, data: Path | None, n: int) -> Iterator[tuple[list, list]]:
    """(training structures, those of the part that is left out) of each part."""
    from gapy.structures import is_isolated_atom

    structures = [s for part in CASES[name].train for s in structures_of(part, data)]
    bound = [k for k, s in enumerate(structures) if not is_isolated_atom(s)]
    order = np.random.default_rng(SEED).permutation(bound)
    for k in range(n):
        out = set(order[k::n].tolist())
        yield (
            [s for j, s in enumerate(structures) if j not in out],
            [structures[j] for j in sorted(out)],
        )


def cells(found: list) -> list[str]:
    """The cells of a set, from the reports of its parts."""
    forces, energies = [], []
    for report in found:
        s, judged = report.samples, ~report.samples.forces_symmetric
        error, sigma = s.judged()
        inside = np.abs(error) <= WITHIN * sigma[:, None]
        of = s.forces_structure[judged]
        forces += [(inside[of == k].sum(), inside[of == k].size) for k in np.unique(of)]
        known = np.isfinite(s.energy_std)
        within = np.abs(s.energy_predicted - s.energy) <= WITHIN * s.energy_std
        energies += [(one, 1) for one in within[known].tolist()]
    bars = [report.error_bars for report in found]
    return [
        str(sum(report.total.n_structures for report in found)),
        share(forces),
        share(energies),
        *(
            f"{np.mean([getattr(b, what) for b in bars if getattr(b, what) is not None]):.2f}"
            for what in ("forces_std_spearman", "auroc", "nll")
        ),
    ]


def share(pairs) -> str:
    """Share of hits and two standard errors, from (hits, number) of each structure."""
    if not pairs:
        return "-"
    hits, number = np.array(pairs, dtype=float).T
    mean = hits.sum() / number.sum()
    error = np.sqrt(((hits - mean * number) ** 2).sum()) / number.sum()
    return f"{mean:.3f} ± {2.0 * error:.3f}"
