"""Incremental updates of a fitted SparseGPRegressor, for active learning.

One update merges the rows of new structures into the sufficient statistic, adds inducing points
where the variance asks for them, drops points that do nothing, and solves again. With projected
columns its cost does not depend on the number of old structures; see docs/update.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real

import ase.data
import numpy as np
from sklearn.utils.validation import check_is_fitted

from gapy._support.threads import blas_threads
from gapy.baselines import isolated_atom_energies
from gapy.errors import GapyError, SpeciesError
from gapy.fit import growing
from gapy.fit.as_fitted import require_as_fitted
from gapy.fit.checks import labelled, warn_of_moments
from gapy.fit.growing import COLUMNS
from gapy.fit.labels import without
from gapy.fit.sample import SampleRows
from gapy.fit.training import TrainingState, absorb
from gapy.gp import online_selection
from gapy.gp.selection import MIN_RESIDUAL
from gapy.structures import from_atoms


@dataclass(frozen=True)
class UpdateSettings:
    """How a model grows.

    Attributes
    ----------
    threshold : an environment becomes an inducing point if the points so far leave more than this
        share d^2 / delta^2 of its prior variance unexplained
    max_points : most points added in one update
    columns : where the columns of new points come from for old data: "sampled", estimated on the
        a uniform sample of the old structures (200 at most); "projected", from the old columns
        alone, fast and rough; both at a cost independent of the number of old structures;
        "exact", from a second pass over all of them
    sample_rows : label rows of that sample for each inducing point; more are slower and closer to
        exact columns
    prune : points are dropped as long as the predictions of all labels change by less than this,
        in noise sigmas, root mean square, in one update, and only where the others leave less than
        `threshold` of a point unexplained; 0 keeps every point
    calibrate_every : the force sigma is calibrated anew in every so many updates, 0 never
    optimise_every : noise and prior scale are learnt anew in every so many updates, 0 never

    Raises GapyError for a value outside its range.
    """

    threshold: float = 1e-6
    max_points: int = 50
    columns: str = "sampled"
    sample_rows: float = 10.0
    prune: float = 0.0
    calibrate_every: int = 1
    optimise_every: int = 0

    def __post_init__(self) -> None:
        if not (_is_real(self.threshold) and MIN_RESIDUAL <= self.threshold < 1.0):
            raise GapyError(
                f"threshold: expected a share of the prior variance, {MIN_RESIDUAL:g} to below 1, "
                f"got {self.threshold!r}; 1e-6 is a start"
            )
        if self.columns not in COLUMNS:
            raise GapyError(
                f"columns: expected one of {', '.join(COLUMNS)}, got {self.columns!r}; correct it"
            )
        if not (_is_real(self.sample_rows) and 1.0 <= self.sample_rows < np.inf):
            raise GapyError(
                f"sample_rows: expected a number of rows per inducing point of at least 1, got "
                f"{self.sample_rows!r}; 10 is a start"
            )
        if not (_is_real(self.prune) and 0.0 <= self.prune < np.inf):
            raise GapyError(
                f"prune: expected a number of noise sigmas of at least 0, got {self.prune!r}; 0 "
                "keeps every point"
            )
        for name in ("max_points", "calibrate_every", "optimise_every"):
            value = getattr(self, name)
            is_whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not (is_whole and value >= 0):
                raise GapyError(f"{name}: expected an integer of at least 0, got {value!r}")


@dataclass(frozen=True)
class UpdateReport:
    """What an update did.

    added, pruned : inducing points by chemical symbol of the central atom
    n_inducing : points afterwards
    unexplained : largest d^2 / delta^2 among the new structures before points were added
    prune_change : change of the labels' predictions by pruning, noise sigmas, root mean square
    optimised, calibrated : whether this happened
    """

    added: dict[str, int]
    pruned: dict[str, int]
    n_inducing: int
    unexplained: float
    prune_change: float
    optimised: bool
    calibrated: bool


def update(
    regressor,
    structures,
    *,
    settings: UpdateSettings | None = None,
    old=None,
    candidates=(),
    optimise: Callable[[object], object] | None = None,
) -> UpdateReport:
    """Add labelled structures to a fitted regressor, and inducing points where they are needed.

    The regressor gets a new `potential_`; earlier ones stay as they are. An update that raises
    leaves the regressor as it was. The same updates give the same model, bit by bit, for any
    number of threads.

    Arguments
    ---------
    regressor : SparseGPRegressor, fitted
    structures : new ones with labels, ASE Atoms or LabelledStructures
    settings : UpdateSettings; None for the defaults
    old : all structures that the regressor has seen; needed for exact columns
    candidates : structures seen before whose environments may also become inducing points, such
        as those of updates whose threshold was higher
    optimise : called with the regressor when `settings.optimise_every` says so, after the new
        rows are in; it must leave the regressor solved. None: `optimize_hyperparameters`

    Raises
    ------
    GapyError : what partial_fit raises; `old` missing or not those that were fitted
    SpeciesError : a species that the descriptor does not know (another descriptor means another
        model: fit again), or one that occurs only without neighbours
    NotFittedError : the regressor has not been fitted
    """
    settings = settings or UpdateSettings()
    check_is_fitted(regressor, "training_")
    before = regressor.training_
    regressor.training_, report = _updated(
        regressor, structures, settings, old, candidates, optimise
    )
    if report.optimised and optimise is not None:
        try:
            optimise(regressor)
        except BaseException:
            regressor.training_ = before
            raise
    return report


def rebuild(regressor, structures) -> None:
    """Replace projected columns by exact ones, from all structures seen, in any order.

    Inducing points, noise and e0 stay. The cost is that of the rows of all structures: worth it
    once in a while, or at the end of a run.

    Raises GapyError if these are not the structures that the regressor has seen.
    """
    check_is_fitted(regressor, "training_")
    old = from_atoms(structures, regressor.label_keys())
    state = growing.rebuild(regressor.training_, old, threads=int(regressor.threads))
    regressor.training_ = regressor.solved(state, SampleRows())


def _updated(
    gp, structures, settings, old, candidates, optimise
) -> tuple[TrainingState, UpdateReport]:
    require_as_fitted(gp, but=("e0",))  # that of new species is still to be found
    state, threads = gp.training_, int(gp.threads)
    new = labelled(structures, gp.label_keys(), [term.descriptor for term in state.terms])
    warn_of_moments(state.baselines, new)
    less = [without(s, state.baselines) for s in new]
    e0 = isolated_atom_energies(less, _mode(gp, state, new), known=state.e0) | state.e0
    state = replace(state, e0=e0)
    frames = [s.atoms for s in new] + [getattr(s, "atoms", s) for s in candidates]
    with blas_threads(1):
        grown = online_selection.choose(
            state.terms, state.cholesky, frames, threshold=settings.threshold,
            max_points=settings.max_points, threads=threads,
        )  # fmt: skip
    before, rows = _points(state.terms), SampleRows()
    if grown.n_points:
        state = growing.grow(
            state,
            grown,
            columns=settings.columns,
            sample_rows=settings.sample_rows,
            old=None if old is None else from_atoms(old, gp.label_keys()),
            threads=threads,
            rows=rows,
        )
    after = _points(state.terms)
    _require_points(state.terms, new)
    state = absorb(state, new, threads=threads, rows=rows)
    change = 0.0
    if settings.prune:
        columns = state.n_columns
        state, change = growing.prune(state, change=settings.prune, unexplained=settings.threshold)
        if state.n_columns != columns:
            rows = SampleRows()  # those at hand have the columns of before
    state = replace(state, n_updates=state.n_updates + 1)
    optimised = _is_due(state.n_updates, settings.optimise_every)
    calibrated = _is_due(state.n_updates, settings.calibrate_every)
    if optimised and optimise is None:
        state = gp.solved(state, rows, learnt=True)
    else:
        state = gp.solved(state, rows, calibrated=calibrated and not optimised)
    left = _points(state.terms)
    report = UpdateReport(
        added=_differences(after, before),
        pruned=_differences(after, left),
        n_inducing=sum(left.values()),
        unexplained=grown.unexplained,
        prune_change=change,
        optimised=optimised,
        calibrated=calibrated or optimised,
    )
    return state, report


def _mode(gp, state, new):
    """How e0 of species that were not there before is found."""
    if gp.e0 == "isolated" and all(int(z) in state.e0 for s in new for z in s.atoms.numbers):
        return "auto"  # nothing to find, and new frames need not hold free atoms
    return gp.e0


def _require_points(terms, new) -> None:
    for term in terms:
        for z in set(term.served) - set(term.known_species):
            where = [s.where for s in new if z in s.atoms.numbers]
            if where:
                symbol = ase.data.chemical_symbols[z]
                raise SpeciesError(
                    f"{where[0]}: {symbol} is new and needs an inducing point, expected an atom "
                    "of it with neighbours and max_points for each new species; add such a "
                    "structure or raise max_points"
                )


def _points(terms) -> dict[str, int]:
    """Number of inducing points by species or pair of species, summed over terms."""
    counts: dict[str, int] = {}
    for term in terms:
        for name, x_sd in zip(term.slot_names, term.inducing):
            counts[name] = counts.get(name, 0) + len(x_sd)
    return counts


def _differences(more: dict, fewer: dict) -> dict[str, int]:
    return {s: n - fewer[s] for s, n in more.items() if n != fewer[s]}


def _is_due(count: int, every: int) -> bool:
    return bool(every) and count % every == 0


def _is_real(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
