"""Incremental updates of a fitted SparseGPRegressor, for active learning.

One update merges the rows of new structures into the sufficient statistic, adds inducing points
where the variance asks for them, drops points that do nothing, and solves again. With projected
columns its cost does not depend on the number of old structures; see docs/update.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral, Real

import ase.data
import numpy as np
from sklearn.utils.validation import check_is_fitted

from gapy.baselines import isolated_atom_energies
from gapy.descriptors import known_species
from gapy.errors import GapyError, SpeciesError
from gapy.fit_records import add_label
from gapy.gp import growth, posterior, pruning, sampled
from gapy.gp.selection import MIN_RESIDUAL
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import blocks, cholesky_factors
from gapy.settings import check_periodicity
from gapy.structures import chained_digest, check_structures
from gapy.threads import blas_threads, ordered_map

COLUMNS = ("sampled", "projected", "exact")


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
            if isinstance(value, bool) or not (isinstance(value, Integral) and value >= 0):
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
    old : all structures that the regressor has seen, in their order; needed for exact columns
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
    check_is_fitted(regressor, "potential_")
    new = _checked(regressor, structures)
    with _restored_on_error(regressor), blas_threads(1):
        return _update(regressor, new, settings, old, candidates, optimise)


def rebuild(regressor, structures) -> None:
    """Replace projected columns by exact ones, from all structures seen, in their order.

    Inducing points, noise and e0 stay. The cost is that of the rows of all structures: worth it
    once in a while, or at the end of a run.

    Raises GapyError if these are not the structures that the regressor has seen.
    """
    check_is_fitted(regressor, "potential_")
    with _restored_on_error(regressor), blas_threads(1):
        regressor.statistic_ = _exact(regressor, _seen(regressor, structures))
        regressor._kept_rows = {}
        regressor._approximate = False
        regressor._solve()


def _update(gp, new, settings, old, candidates, optimise) -> UpdateReport:
    noise = gp._noise()
    rng = np.random.default_rng([gp.seed, gp.n_structures_])
    gp.e0_ = isolated_atom_energies(new, _mode(gp, new), known=gp.e0_) | gp.e0_
    frames = [s.atoms for s in new] + [getattr(s, "atoms", s) for s in candidates]
    grown = growth.choose(
        gp._terms, gp._cholesky, frames, threshold=settings.threshold,
        max_points=settings.max_points, threads=int(gp.threads),
    )  # fmt: skip
    before = _points(gp._terms)
    kept = _add_columns(gp, grown, settings, old) if grown.n_points else {}
    after = _points(gp._terms)
    _require_points(gp, new)
    gp._absorb(new, noise, rng)
    still = {id(s) for s in gp._kept}
    gp._kept_rows.update((k, rows) for k, rows in kept.items() if k in still)
    change = _prune(gp, settings) if settings.prune else 0.0
    gp.n_updates_ += 1
    optimised = _is_due(gp.n_updates_, settings.optimise_every)
    calibrated = _is_due(gp.n_updates_, settings.calibrate_every)
    if optimised and optimise is None:
        gp.optimize_hyperparameters()
    else:
        gp._solve(calibrated=calibrated and not optimised)
        if optimised:
            optimise(gp)
    left = _points(gp._terms)
    return UpdateReport(
        added=_differences(after, before),
        pruned=_differences(after, left),
        n_inducing=sum(left.values()),
        unexplained=grown.unexplained,
        prune_change=change,
        optimised=optimised,
        calibrated=calibrated or optimised,
    )


def _checked(gp, structures) -> list:
    labelled = gp._labelled(structures)
    check_structures(labelled, species=known_species(t.descriptor for t in gp._terms))
    for term in gp._terms:
        check_periodicity(term.descriptor, labelled)
    return labelled


def _mode(gp, new):
    """How e0 of species that were not there before is found."""
    if gp.e0 == "isolated" and all(int(z) in gp.e0_ for s in new for z in s.atoms.numbers):
        return "auto"  # nothing to find, and new frames need not hold free atoms
    return gp.e0


def _add_columns(gp, grown: growth.Growth, settings, old) -> dict:
    """Grow terms and statistic; returns rows of kept structures by identity, for calibration."""
    terms = grown.extend(gp._terms)
    kept: dict = {}
    if settings.columns == "exact":
        if old is None:
            raise GapyError(
                "old: expected the structures that the regressor has seen, since columns is "
                "'exact' and points are added, got None; give them or use columns='sampled'"
            )
        statistic = _exact(gp, _seen(gp, old), terms)
        gp._approximate = False
    elif settings.columns == "projected":
        statistic = growth.projected(gp.statistic_, gp._terms, gp._cholesky, grown)
        gp._approximate = True
    else:
        sample = _sample(gp, settings.sample_rows * blocks(terms)[-1].stop)
        statistic = _exact(gp, sample, terms, kept)
        gp._approximate = len(sample) < gp.n_structures_
        if gp._approximate:
            fitted = gp.potential_.posterior
            statistic = sampled.estimated(
                gp.statistic_, gp._terms, grown, fitted, statistic, gp._fitted_noise.sigma
            )
    gp._terms, gp._cholesky, gp.statistic_ = terms, cholesky_factors(terms), statistic
    return kept


def _sample(gp, n_rows: float) -> list:
    """So many of the structures drawn as have `n_rows` labels: a uniform sample of all seen."""
    drawn = [s for _, s in gp._drawn]
    enough = int(np.searchsorted(np.cumsum([s.n_labels for s in drawn]), n_rows)) + 1
    return drawn[:enough]


def _seen(gp, structures) -> list:
    """Labelled structures, refused unless they are those of the fit in their order."""
    labelled = gp._labelled(structures)
    if chained_digest(labelled) != gp._digest:
        raise GapyError(
            f"old: expected the {gp.n_structures_} structures that the regressor has seen, in the "
            f"order of its fit and updates, got {len(labelled)} others; give exactly those"
        )
    return labelled


def _exact(gp, structures, terms=None, kept=None) -> SufficientStatistic:
    """The statistic of structures against all points of `terms`.

    The rows of those kept for calibration go into `kept`, if it is given.
    """
    wanted = set() if kept is None else {id(s) for s in gp._kept}
    terms = gp._terms if terms is None else terms
    noise = gp._noise()
    statistic = SufficientStatistic(blocks(terms)[-1].stop)

    def compute(s):
        return gp._rows(s, local=id(s) in wanted, terms=terms)

    for s, rows in zip(structures, ordered_map(compute, structures, int(gp.threads))):
        if id(s) in wanted:
            kept[id(s)] = rows
        for kind, k, y, weight in gp._labels(s, rows, noise):
            add_label(statistic, kind, s, k, y, weight)
    return statistic


def _prune(gp, settings) -> float:
    """Drop the columns that can go; the change this makes, in noise sigmas."""
    fitted = posterior.solve(gp._terms, gp._cholesky, gp.statistic_, gp._fitted_noise.sigma)
    n_labels = sum(factor.n_rows for factor in gp.statistic_.factors.values())
    columns, change = pruning.removable(
        fitted, n_labels, change=settings.prune, unexplained=settings.threshold
    )
    if len(columns):
        inducing = [list(term.inducing) for term in gp._terms]
        for b in fitted.blocks:
            own = columns[(columns >= b.start) & (columns < b.stop)] - b.start
            inducing[b.term][b.slot] = np.delete(b.x_sd, own, axis=0)
        gp._terms = tuple(replace(t, inducing=tuple(x)) for t, x in zip(gp._terms, inducing))
        gp._cholesky = cholesky_factors(gp._terms)
        gp.statistic_ = pruning.without(gp.statistic_, columns)
        gp._kept_rows = {}  # they have the columns of before
    return change


def _require_points(gp, new) -> None:
    for term in gp._terms:
        for z, x_sd in zip(term.descriptor.species, term.inducing):
            where = [s.where for s in new if z in s.atoms.numbers]
            if where and not len(x_sd):
                symbol = ase.data.chemical_symbols[z]
                raise SpeciesError(
                    f"{where[0]}: {symbol} is new and needs an inducing point, expected an atom "
                    "of it with neighbours and max_points for each new species; add such a "
                    "structure or raise max_points"
                )


def _points(terms) -> dict[str, int]:
    """Number of inducing points by symbol, summed over terms."""
    counts: dict[str, int] = {}
    for term in terms:
        for z, x_sd in zip(term.descriptor.species, term.inducing):
            symbol = ase.data.chemical_symbols[z]
            counts[symbol] = counts.get(symbol, 0) + len(x_sd)
    return counts


def _differences(more: dict, fewer: dict) -> dict[str, int]:
    return {s: n - fewer[s] for s, n in more.items() if n != fewer[s]}


def _is_due(count: int, every: int) -> bool:
    return bool(every) and count % every == 0


def _is_real(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


@contextmanager
def _restored_on_error(gp):
    """Within it a regressor may be changed; an exception puts back what it was."""
    before = dict(vars(gp))
    # What the regressor changes in place gets a copy; the rest it replaces.
    gp.statistic_, gp._drawn = gp.statistic_.copy(), list(gp._drawn)
    try:
        yield
    except BaseException:
        vars(gp).clear()
        vars(gp).update(before)
        raise
