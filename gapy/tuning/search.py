"""The search: many candidates on few structures, then fewer on more (successive halving).

Source: Jamieson and Talwalkar, AISTATS (2016), arXiv:1502.07943, with the Pareto front of error
and work in the place of the error alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import ase.data
import numpy as np

from gapy.baselines import AUTOMATIC, closest_pairs, isolated_atom_energies, made_for
from gapy.descriptors import auto_soap
from gapy.distributed.cluster import cluster_client
from gapy.errors import GapyError
from gapy.fit.charge_scale import learns, with_scales
from gapy.fit.labels import without
from gapy.fit.parameter_checks import check_baselines, check_overrides
from gapy.gp.noise import Noise
from gapy.md.settings import whole
from gapy.structures import check_structures, from_atoms
from gapy.tuning.attempts import Begin, Trial, here, on_cluster
from gapy.tuning.candidates import (
    Candidate,
    all_of,
    checked_lists,
    first_round,
    last_round,
    neighbours,
    with_fixed,
)
from gapy.tuning.cost import timing_structure
from gapy.tuning.front import recommended, survivors, work_of
from gapy.tuning.results import FORMAT, Row, Table, same_fit
from gapy.tuning.scores import CRITERIA, TARGETS, regressor_of, stratified

N_REFINED = 3
"""Candidates of the first round whose neighbourhood is searched."""
N_LAST, N_LISTED = 4, 6
"""Candidates that go on to the last round: of a default search, and of given lists."""
N_COARSE, COARSE_ATOMS = 40, 2000
"""Structures of the first rounds: a quarter, or more to have so many structures and atoms."""
MOST_COARSE, MOST_COARSE_ATOMS = 150, 3000
"""They end before the first of these is passed."""
HOLDOUT = 0.2
"""Fraction of the structures that is held out unless another one is given."""
OWN = frozenset({"descriptor", "n_inducing", "zeta", "n_components", "seed", "threads"})
"""Arguments of SparseGPRegressor that are not options of a search."""


@dataclass(frozen=True)
class Tuning:
    """Result of `tune`.

    rows: all candidates of all rounds, in the order in which they were tried; recommended: the row
    to use; criterion, target, budget_us: as given; guess: settings chosen from the data.
    """

    rows: tuple[Row, ...]
    recommended: Row
    criterion: str
    target: str
    budget_us: float | None
    guess: Candidate

    @property
    def final(self) -> tuple[Row, ...]:
        """Rows of the last round, smallest error first."""
        rows = [r for r in self.rows if r.stage == "final" and r.error is not None]
        return tuple(sorted(rows, key=lambda r: r.error))

    @property
    def front(self) -> tuple[Row, ...]:
        """Rows of the last round that no other beats in both error and cost, cheapest first."""
        out, least = [], math.inf
        for row in sorted(self.final, key=lambda r: (r.us_per_atom, r.error)):
            if row.error < least:
                out.append(row)
                least = row.error
        return tuple(out)


def tune(
    structures,
    directory=None,
    *,
    lists: Mapping | None = None,
    guess: Mapping | None = None,
    criterion: str = "loo",
    target: str = "forces",
    budget_us: float | None = None,
    holdout: float | None = None,
    n_coarse: int | None = None,
    n_final: int | None = None,
    options: Mapping | None = None,
    seed: int = 0,
    threads: int = 1,
    overwrite: bool = False,
    report: Callable[[Row], None] = lambda row: None,
    client=None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Tuning:
    """Choose the settings of a fit by error and cost.

    By default a dozen combinations of cutoff and basis around the automatic choice (and for several
    species some of another compression) are fitted to a part of the structures, then single steps
    in cutoff, sigma, zeta, n_components, compression and sums of terms from the best of them; the
    best are fitted to all structures with different numbers of
    inducing points, and so is the automatic choice. With lists, all their combinations are fitted
    to a part of the structures, and the best to all. Errors depend only on the data, the settings
    and the seed; times are measured.

    Arguments
    ---------
    structures : labelled ase.Atoms or LabelledStructures
    directory : for results.json and results.csv, written after every candidate; a search that was
        killed goes on where it stopped. None writes nothing.
    lists : {setting: values} of Candidate: r_cut, sigma, n_max, l_max, zeta, n_inducing,
        compression, n_components, terms. A single value fixes a setting and leaves the default
        search for the others
    guess : {setting: value} to begin with instead of the automatic choice
    criterion : "loo" (error on structures left out, in closed form), "holdout" (error on a
        fraction `holdout` of the structures, by default 0.2) or "likelihood" (minus its logarithm
        per label)
    target : "forces" or "energy", whose RMSE is minimised; energy if there are no forces
    budget_us : most expensive force call allowed, us/atom on this machine and one thread
    n_coarse, n_final : structures of the first rounds and of the last; by default a quarter, and
        all
    options : further arguments of SparseGPRegressor (noise, e0, delta, ...)
    report : called with every new Row
    client, workers, scheduler : candidates are tasks of this `distributed.Client`, of so many
        processes of this machine, or of the Dask cluster at this address, one thread each. The
        rows and their order are the same, and so is going on from them; times are those of the
        workers

    Raises
    ------
    GapyError : bad arguments, results of another search in `directory`, no candidate that could
        be fitted, or none within the budget
    """
    holdout = _check(criterion, target, budget_us, holdout, n_coarse, n_final)
    seed = whole("seed", seed, least=0)
    threads = whole("threads", threads, least=1)
    elsewhere = any(given is not None for given in (client, workers, scheduler))
    if elsewhere and threads > 1:
        raise GapyError(
            f"threads: has no effect on workers, which have one each, got {threads}; leave it out"
        )
    structures = from_atoms(structures)
    check_structures(structures)
    if target == "forces" and all(s.forces is None for s in structures):
        target = "energy"
    if target == "energy" and all(s.energy is None for s in structures):
        raise GapyError("target: expected energies to judge by, the structures have none")
    lists = checked_lists(lists or {})
    options = dict(options or {})
    for name in OWN.intersection(options):
        raise GapyError(f"options: expected none called {name}, which the search sets itself")
    # Of all structures: a part of them may lack a config_type.
    overrides = Noise(overrides=options.get("noise_overrides") or {}).overrides
    check_overrides(overrides, structures, options.get("fit_stress", True))
    automatic = auto_soap(structures)
    species = list(automatic.n_inducing)
    fixed = {name: values[0] for name, values in lists.items() if len(values) == 1}
    first = _guess(automatic, {**(guess or {}), **fixed})
    baselines = options.get("baselines", (AUTOMATIC,))
    check_baselines(baselines)
    numbers = {ase.data.atomic_numbers[symbol] for symbol in species}
    frames = [s.atoms for s in structures]
    baselines = made_for(baselines, numbers, lambda: closest_pairs(frames))
    if any(map(learns, baselines)):
        # The same charges for every candidate: those of the first.
        baselines = with_scales(
            regressor_of(first, species, seed=seed, **options), baselines, structures
        )
    told = dict(options)
    # The same free atoms for every subset: those of all structures.
    less = [without(s, baselines) for s in structures]
    told["e0"] = isolated_atom_energies(less, options.get("e0", "auto"))
    options = told | {"baselines": baselines}
    ordered = stratified(structures, seed)
    n_final = min(n_final or len(ordered), len(ordered))
    n_coarse = min(n_coarse or _coarse(ordered), n_final)
    settings = {
        "format": FORMAT,
        "data_sha256": _digest(structures),
        "lists": {name: list(values) for name, values in lists.items()},
        "guess": first.to_dict(),
        "criterion": criterion,
        "target": target,
        "holdout": holdout if criterion == "holdout" else None,
        "n_coarse": n_coarse,
        "n_final": n_final,
        "options": repr(sorted(told.items())),
        "seed": seed,
    }
    table = Table(directory, settings, overwrite=overwrite)
    timed = timing_structure(structures)
    of = partial(work_of, species, timed)

    trial = Trial(species, ordered, timed, criterion, target, holdout, seed, options)
    choose = partial(survivors, of, criterion=criterion, budget_us=budget_us)

    def search(begin: Begin) -> list[Row]:
        """Rows of the last round."""
        attempts = partial(_attempts, begin, table, ordered, report)
        if len(fixed) < len(lists):
            rows = attempts("coarse", n_coarse, all_of(lists, first))
            last = [row.candidate for row in choose(rows, N_LISTED)]
        else:
            coarse = with_fixed(first_round(first, len(species)), fixed)
            rows = attempts("coarse", n_coarse, coarse)
            centres = [row.candidate for row in choose(rows, N_REFINED)]
            steps = [c for centre in centres for c in neighbours(centre, len(species))]
            fine = with_fixed(steps, fixed)
            rows += attempts("fine", n_coarse, [c for c in fine if c not in coarse])
            best = [row.candidate for row in choose(rows, N_LAST)]
            last = with_fixed(last_round(best, first), fixed)
        return attempts("final", n_final, last)

    if elsewhere:
        with cluster_client(client, workers, scheduler) as cluster:
            rows = search(on_cluster(trial, cluster))
    else:
        rows = search(here(trial, threads))
    return Tuning(
        rows=tuple(table.rows),
        recommended=recommended(rows, criterion, budget_us),
        criterion=criterion,
        target=target,
        budget_us=budget_us,
        guess=first,
    )


def _attempts(begin: Begin, table: Table, ordered, report, stage: str, n: int, candidates):
    """Rows of the candidates of a round, from the table or tried now, in their order."""
    atoms = np.concatenate([s.atoms.numbers for s in ordered[:n]])
    most = int(np.bincount(atoms).max())
    new: dict[Candidate, Candidate] = {}
    for c in candidates:
        if table.find(stage, n, c, most) is None:
            new.setdefault(same_fit(c, most), c)
    waiting = dict(zip(new, begin(stage, n, list(new.values()))))
    rows = []
    for c in candidates:
        row = table.find(stage, n, c, most) or waiting[same_fit(c, most)]()
        if row not in table.rows:
            table.add(row)
            report(row)
        rows.append(row)
    return rows


def _check(criterion, target, budget_us, holdout, n_coarse, n_final) -> float:
    """Raise GapyError for bad arguments; the fraction held out."""
    for name, value, known in (("criterion", criterion, CRITERIA), ("target", target, TARGETS)):
        if value not in known:
            raise GapyError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    if budget_us is not None and not 0.0 < budget_us < math.inf:
        raise GapyError(f"budget_us: expected a positive number (us/atom), got {budget_us!r}")
    if holdout is not None and not 0.0 < holdout <= 0.5:
        raise GapyError(f"holdout: expected a fraction above 0 and up to 0.5, got {holdout!r}")
    if holdout is not None and criterion != "holdout":
        raise GapyError(
            f"holdout: {holdout!r} is used by criterion 'holdout' only, but criterion is "
            f"{criterion!r}; leave it out or choose criterion 'holdout'"
        )
    for name, value in (("n_coarse", n_coarse), ("n_final", n_final)):
        if value is not None and (value != int(value) or value < 2):
            raise GapyError(f"{name}: expected a whole number of at least 2, got {value!r}")
    return HOLDOUT if holdout is None else holdout


def _guess(automatic, given: Mapping) -> Candidate:
    """The automatic choice with what is given in its place."""
    chosen = {
        "r_cut": automatic.r_cut,
        "sigma": automatic.sigma,
        "n_max": automatic.n_max,
        "l_max": automatic.l_max,
        "zeta": automatic.zeta,
        "n_inducing": max(automatic.n_inducing.values()),
        "compression": automatic.compression,
    }
    given = {name: values[0] for name, values in checked_lists(_each(given)).items()}
    return Candidate(**{**chosen, **given})


def _each(given: Mapping) -> dict:
    return {name: (value,) for name, value in given.items()}


def _coarse(ordered) -> int:
    """Structures of the first rounds."""
    n_atoms = np.cumsum([len(s.atoms) for s in ordered])
    enough = int(np.searchsorted(n_atoms, COARSE_ATOMS)) + 1
    n = max(len(ordered) // 4, N_COARSE, enough)
    at_most = min(MOST_COARSE, int(np.searchsorted(n_atoms, MOST_COARSE_ATOMS)))
    return min(n, max(at_most, enough), len(ordered))


def _digest(structures) -> str:
    digest = b""
    for s in structures:
        digest = hashlib.sha256(digest + s.config_type.encode() + s.fingerprint()).digest()
    return digest.hex()
