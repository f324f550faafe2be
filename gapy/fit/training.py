"""The state of a fit: all that labels contributed, and what they are explained by.

A state is never changed; `begin`, `absorb` and `merge` (here), `learn` and `solve`
(`gapy.fit.solving`), `grow` and `prune` (`gapy.fit.growing`) give new ones, so that an error on
the way leaves the old one. A worker, a shard of the data and an update are the same thing:

    start = begin(terms, e0, noise)
    total = functools.reduce(merge, [absorb(start, shard) for shard in shards])
    potential = solve(total).potential

The labels of every noise group are in the state as the triangular factor of their rows
(`gapy.gp.statistic`); two states with the same inducing points merge by one more QR. What else is
in it adds up as well, in any order: counts, the digest of the structures (a sum of hashes), the
sample (the smallest of seeded hashes), and how far the training environments extend (largest
excesses and shortest distances, measured by a metric that is set once, with the inducing points).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ase.data
import numpy as np

from gapy._support.progress import track
from gapy._support.threads import blas_threads, ordered_map
from gapy.baselines import Baseline
from gapy.descriptors import same_descriptor
from gapy.error_bars.extrapolation import (
    Extrapolation,
    learn_extrapolation,
    merged_extrapolation,
    same_metric,
)
from gapy.errors import GapyError, SpeciesError
from gapy.fit.labels import Labels, add_labels, labels_of, rows_of
from gapy.fit.sample import Sampled, SampleRows, drawn, within_memory
from gapy.gp.frames import Frames
from gapy.gp.noise import KINDS, Noise
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import Term, blocks, cholesky_factors
from gapy.model.potential import Potential
from gapy.structures import LabelledStructure, multiset_digest

BATCH_ROWS = 200
"""Label rows that are whitened together: a dozen alone take twice the time for each."""


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What a fit knows after the structures it has seen.

    Attributes
    ----------
    terms : descriptor, kernel and inducing points, with the delta in force
    cholesky : factors of K_MM of each block, at delta = 1, by which rows are whitened
    statistic : factors of all noise groups; not to be changed
    e0 : energy of the free atom by atomic number, eV
    baselines : what labels lose beside it before they enter
    noise : the noise in force: that which was asked for, or what was learnt
    kinds : label kinds that are fitted
    reach : of each term, how far the training environments extend; None before any
    sample : structures for leave-one-out errors, see `gapy.fit.sample`
    digest : of all structures seen, in any order
    seed : of the sample
    n_structures, n_updates : how many structures and updates came in
    approximate : whether columns of old data are estimated rather than computed
    potential : the model of the last `solve`, None before it
    solved_from : the terms, the noise and the statistic that it was solved for
    likely : where noise was learnt, what the likelihood alone takes for noise; groups far above the
        others are named, `gapy.gp.noise.outliers`
    earlier : of a state read from a file of version 2, the number of structures that it had seen
        and their digest in their order; `digest` is that of those that came later
    """

    terms: tuple[Term, ...]
    cholesky: tuple[np.ndarray, ...]
    statistic: SufficientStatistic
    e0: Mapping[int, float]
    noise: Noise
    kinds: tuple[str, ...]
    reach: tuple[Extrapolation | None, ...]
    sample: tuple[LabelledStructure, ...] = ()
    digest: bytes = bytes(32)
    seed: int = 0
    baselines: tuple[Baseline, ...] = ()
    n_structures: int = 0
    n_updates: int = 0
    approximate: bool = False
    potential: Potential | None = None
    solved_from: tuple[tuple[Term, ...], Noise, SufficientStatistic] | None = None
    earlier: tuple[int, bytes] | None = None
    likely: Noise | None = None

    def __post_init__(self) -> None:
        # Factors gather rows and triangularise them later; a state that others may read at the
        # same time has nothing left to do.
        for factor in self.statistic.factors.values():
            factor.compress()

    @property
    def n_columns(self) -> int:
        """Inducing points of all terms and species."""
        return self.statistic.n_columns

    @property
    def is_solved(self) -> bool:
        """Whether the potential is that of the present terms, labels and noise."""
        present = (self.terms, self.noise, self.statistic)
        return self.solved_from is not None and all(
            one is other for one, other in zip(present, self.solved_from)
        )

    @property
    def calibration_sample(self) -> list[LabelledStructure]:
        """Those of the sample whose rows fit the memory."""
        return within_memory(self.sample, self.n_columns)


def begin(
    terms: Sequence[Term],
    e0: Mapping[int, float],
    noise: Noise,
    *,
    baselines: Sequence[Baseline] = (),
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    reach: Sequence[Extrapolation | None] | None = None,
) -> TrainingState:
    """The state before any labels.

    States that are to be merged begin from one such state, since it holds the inducing points.
    reach: the metric of each term's environments, as
    `gapy.error_bars.extrapolation.learn_extrapolation` gives it; without it the first structures
    absorbed set it, and then the state cannot be merged with others that began so.

    Raises GapyError for inducing points too close to one another, or an unknown label kind.
    """
    terms = tuple(terms)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise GapyError(
            f"kinds: expected some of {', '.join(KINDS)}, got {list(kinds)}; correct them"
        )
    with blas_threads(1):
        cholesky = cholesky_factors(terms)
    return TrainingState(
        terms=terms,
        cholesky=cholesky,
        statistic=SufficientStatistic(blocks(terms)[-1].stop),
        e0=dict(e0),
        baselines=tuple(baselines),
        noise=noise,
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        reach=(None,) * len(terms) if reach is None else tuple(reach),
        seed=int(seed),
    )


def absorb(
    state: TrainingState,
    structures: Sequence[LabelledStructure],
    *,
    threads: int = 1,
    progress: bool = False,
    rows: SampleRows | None = None,
    frames: Frames | None = None,
) -> TrainingState:
    """The state with the labels of more structures; a few structures at a time in memory.

    rows: keeps the rows of those structures that are in the new sample, for `solve`. frames: the
    structures with neighbours that are known already.

    Raises SpeciesError for atoms that no inducing point stands for.
    """
    _require_species(state, structures)
    frames = frames or Frames([s.atoms for s in structures], state.terms)
    with blas_threads(1):
        reach = tuple(
            None
            if term.of_pairs
            else learn_extrapolation(frames, t, term.descriptor, threads, known=known)
            for t, (term, known) in enumerate(zip(state.terms, state.reach))
        )
        sample = drawn((*state.sample, *structures), state.seed)
        new = replace(
            state,
            reach=reach,
            sample=sample,
            digest=multiset_digest(structures, state.digest),
            n_structures=state.n_structures + len(structures),
        )
        statistic = state.statistic.copy()
        add_structures(
            new, statistic, structures, frames, threads=threads, progress=progress, rows=rows
        )
    return replace(new, statistic=statistic)


def add_structures(
    state: TrainingState,
    statistic: SufficientStatistic,
    structures: Sequence[LabelledStructure],
    frames: Frames,
    *,
    threads: int = 1,
    progress: bool = False,
    rows: SampleRows | None = None,
) -> None:
    """Add labels of structures to a statistic whose columns are those of the state's terms.

    frames: the same structures with their neighbours.
    """
    wanted = set()
    if rows is not None:
        wanted = {s.digest() for s in within_memory(state.sample, statistic.n_columns)}

    def compute(k: int):
        s = structures[k]
        envs = frames.environments(k)
        return rows_of(state.terms, s, state.kinds, envs, local=s.digest() in wanted)

    table = blocks(state.terms)
    batch: list[tuple[Sampled | None, list[Labels]]] = []

    def add() -> None:
        each = [one for _, labels in batch for one in labels]
        whitened = iter(add_labels(statistic, each, table, state.cholesky))
        for sampled, labels in batch:
            own = [next(whitened) for _ in labels]
            if rows is not None and sampled is not None:
                rows.keep(sampled._replace(labels=own))
        batch.clear()

    computed = ordered_map(compute, range(len(structures)), threads)
    for k, found in enumerate(track(computed, "rows", progress, total=len(structures))):
        s = structures[k]
        labels = labels_of(s, found, state.e0, state.baselines)
        local = found.local
        batch.append((None if local is None else Sampled(s, local, [], frames.pairs(k)), labels))
        if sum(len(one.y) for _, of in batch for one in of) >= BATCH_ROWS:
            add()
    add()


def merge(a: TrainingState, b: TrainingState) -> TrainingState:
    """The state of all structures of two states; in any order the same, to rounding.

    Where the noise or the deltas of the two differ, the result has their geometric mean, weighted
    by the number of labels or structures behind them. It is not solved yet.

    Raises GapyError, naming each, where inducing points, kernels, baselines, e0, fitted kinds,
    seeds of the sample or metrics of the environments differ.
    """
    _require_same(a, b)
    statistic = a.statistic.copy()
    statistic.merge(b.statistic)
    return replace(
        a,
        terms=_mean_delta(a, b),
        statistic=statistic,
        e0={**a.e0, **b.e0},
        noise=_mean_noise(a, b),
        reach=tuple(merged_extrapolation(x, y) for x, y in zip(a.reach, b.reach)),
        sample=drawn((*a.sample, *b.sample), a.seed),
        digest=_sum(a.digest, b.digest),
        n_structures=a.n_structures + b.n_structures,
        n_updates=a.n_updates + b.n_updates,
        approximate=a.approximate or b.approximate,
        potential=None,
        likely=None,
    )


def _require_species(state: TrainingState, structures) -> None:
    served = set().union(*(term.known_species for term in state.terms)) & set(state.e0)
    for s in structures:
        unknown = sorted(set(s.atoms.numbers.tolist()) - served)
        if unknown:
            names = [ase.data.chemical_symbols[z] for z in unknown]
            known = [ase.data.chemical_symbols[z] for z in sorted(served)]
            raise SpeciesError(
                f"{s.where}: the model has inducing points for {known}, the structure also holds "
                f"{names}; update the model, or fit with structures that contain them"
            )


def _require_same(a: TrainingState, b: TrainingState) -> None:
    differing = [
        name
        for name, same in (
            ("the number of terms", len(a.terms) == len(b.terms)),
            *(
                (f"{what} of term {t + 1}", same)
                for t, (x, y) in enumerate(zip(a.terms, b.terms))
                for what, same in _compared(x, y)
            ),
            # First: what is subtracted before e0 is found changes e0 as well.
            ("baselines", a.baselines == b.baselines),
            ("e0", all(a.e0[z] == b.e0[z] for z in a.e0.keys() & b.e0.keys())),
            ("the fitted label kinds", a.kinds == b.kinds),
            ("the seed of the sample", a.seed == b.seed),
            ("metrics of the environments", all(map(same_metric, a.reach, b.reach))),
        )
        if not same
    ]
    if differing:
        raise GapyError(
            "merge: expected two states that began from one, got different "
            f"{', '.join(differing)}; begin once, by SparseGPRegressor.begin or with a reach, and "
            "absorb each part of the data into that state"
        )


def _compared(x: Term, y: Term):
    yield "the descriptor", same_descriptor(x.descriptor, y.descriptor)
    yield "zeta", x.zeta == y.zeta
    same_number = [len(p) for p in x.inducing] == [len(p) for p in y.inducing]
    yield "the species served", x.served == y.served
    yield (
        "the inducing points",
        same_number and all(map(np.array_equal, x.inducing, y.inducing)),
    )


def _mean_delta(a: TrainingState, b: TrainingState) -> tuple[Term, ...]:
    weights = np.maximum([a.n_structures, b.n_structures], 1e-300)
    return tuple(
        x
        if x.delta == y.delta
        else replace(
            x,
            delta=tuple(
                float(np.exp(np.average(np.log(pair), weights=weights)))
                for pair in zip(x.delta, y.delta)
            ),
        )
        for x, y in zip(a.terms, b.terms)
    )


def _mean_noise(a: TrainingState, b: TrainingState) -> Noise:
    """Of every group by its labels, of each kind's default by the labels of the kind.

    Where there are none, by the structures.
    """
    one, other = a.noise, b.noise
    if one == other:
        return one
    tables: dict[bool, dict] = {False: {}, True: {}}
    stated = [
        Group(kind, name, own)
        for noise in (one, other)
        for own, table in ((False, noise.overrides), (True, noise.own))
        for name, sigmas in table.items()
        for kind in sigmas
    ]
    seen = [a.n_structures, b.n_structures]
    for group in dict.fromkeys([*a.statistic.factors, *b.statistic.factors, *stated]):
        counts = [
            s.statistic.factors[group].n_rows if group in s.statistic.factors else 0 for s in (a, b)
        ]
        sigmas = (one.sigma(*group), other.sigma(*group))
        mean = _geometric_mean(sigmas, counts if any(counts) else seen)
        tables[group.own].setdefault(group.config_type, {})[group.kind] = mean
    defaults = {
        kind: _geometric_mean((getattr(one, kind), getattr(other, kind)), counts or seen)
        for kind, counts in ((kind, _both(a, b, kind)) for kind in KINDS)
    }
    return Noise(**defaults, overrides=tables[False], own=tables[True])


def _both(a: TrainingState, b: TrainingState, kind: str) -> list[int]:
    """Labels of a kind in two states; empty if there are none."""
    counts = [
        sum(f.n_rows for g, f in s.statistic.factors.items() if g.kind == kind) for s in (a, b)
    ]
    return counts if any(counts) else []


def _geometric_mean(values, weights) -> float:
    if values[0] == values[1]:
        return values[0]
    weights = weights if any(weights) else None
    return float(np.exp(np.average(np.log(values), weights=weights)))


def _sum(one: bytes, other: bytes) -> bytes:
    return ((int.from_bytes(one) + int.from_bytes(other)) % 2**256).to_bytes(32)
