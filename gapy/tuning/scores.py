"""Error of one candidate: leave-one-structure-out, held-out structures, or the likelihood."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gapy._support.threads import blas_threads
from gapy.error_bars.cross_validation import left_out_residual
from gapy.errors import GapyError
from gapy.fit.labels import labels_of, rows_of, stacked
from gapy.fit.parameter_checks import used_overrides
from gapy.fit.regressor import SparseGPRegressor
from gapy.fit.setting_kinds import components_of
from gapy.fit.training import TrainingState
from gapy.structures import LabelledStructure
from gapy.structures.labelled import is_isolated_atom
from gapy.tuning.candidates import Candidate

CRITERIA = ("loo", "likelihood", "holdout")
TARGETS = ("forces", "energy")
N_LEFT_OUT = 60
"""Structures that are left out in turn, at most."""
MOST_LABELS = 3000
"""Labels of a structure that is left out: the work grows with their cube."""


@dataclass(frozen=True)
class Score:
    """energy_rmse in eV/atom and forces_rmse in eV/A of unseen labels; log likelihood per label.

    None where there are no such labels or the criterion does not need them.
    """

    energy_rmse: float | None
    forces_rmse: float | None
    log_likelihood: float
    fit_seconds: float

    def is_finite(self) -> bool:
        """Whether all that is known is a number."""
        known = (self.energy_rmse, self.forces_rmse, self.log_likelihood)
        return all(np.isfinite(v) for v in known if v is not None)

    def error(self, criterion: str, target: str) -> float | None:
        """What is minimised: an RMSE, or minus the log likelihood per label."""
        if criterion == "likelihood":
            return -self.log_likelihood
        return self.forces_rmse if target == "forces" else self.energy_rmse


def stratified(structures: Sequence[LabelledStructure], seed: int) -> list[LabelledStructure]:
    """Structures in a random order whose every beginning has each config_type in proportion.

    Isolated atoms come first: they are few and say where energies begin. So does a structure with
    each species, however rare.
    """
    rng = np.random.default_rng(seed)
    place = np.empty(len(structures))
    names = np.array([s.config_type for s in structures], dtype=str)
    for name in np.unique(names):
        of = np.flatnonzero(names == name)
        place[of] = (rng.permutation(len(of)) + rng.random()) / len(of)
    place[[is_isolated_atom(s) for s in structures]] = -1.0
    missing = set(np.concatenate([s.atoms.numbers for s in structures]).tolist())
    for k in np.argsort(place, kind="stable"):
        found = missing & set(structures[k].atoms.numbers.tolist())
        if found and place[k] >= 0.0:
            place[k] = -0.5
            missing -= found
        if not missing:
            break
    return [structures[k] for k in np.argsort(place, kind="stable")]


def regressor_of(candidate: Candidate, species: Sequence[str], **options) -> SparseGPRegressor:
    """The regressor of a candidate; options: its further arguments."""
    return SparseGPRegressor(
        candidate.descriptors(species), n_inducing=candidate.n_inducing, zeta=candidate.zeta,
        n_components=components_of(candidate.n_components), **options,
    )  # fmt: skip


def score(
    candidate: Candidate,
    species: Sequence[str],
    structures: Sequence[LabelledStructure],
    criterion: str,
    *,
    holdout: float = 0.2,
    seed: int = 0,
    options: Mapping | None = None,
    threads: int = 1,
) -> tuple[Score, object]:
    """Fit a candidate to structures (in `stratified` order); its Score and the potential.

    `options` go to SparseGPRegressor. Raises GapyError if it refuses something.
    """
    test: list[LabelledStructure] = []
    if criterion == "holdout":
        every = round(1.0 / holdout)
        held = [k for k, s in enumerate(structures) if not is_isolated_atom(s)][::every]
        test = [structures[k] for k in held]
        structures = [s for k, s in enumerate(structures) if k not in set(held)]
        if not test or not structures:
            raise GapyError("holdout: expected more structures, so that both parts have some")
    options = dict(options or {})
    if options.get("noise_overrides"):
        # Those of config_types that this part lacks would be refused.
        options["noise_overrides"] = used_overrides(
            options["noise_overrides"], structures, options.get("fit_stress", True)
        )
    began = time.perf_counter()
    gp = regressor_of(candidate, species, seed=seed, threads=threads, **options)
    with warnings.catch_warnings():
        # What is odd about the data was said once, before the first candidate.
        warnings.simplefilter("ignore", UserWarning)
        gp.fit(structures)
    seconds = time.perf_counter() - began
    potential = gp.potential_
    residuals = []
    if criterion == "holdout":
        residuals = _held_out(potential, test)
    elif criterion == "loo":
        with blas_threads(1):
            residuals = _left_out(gp.training_, structures)
    n_labels = gp.statistic_.n_labels
    energy, forces = (
        np.concatenate([np.empty(0), *(r[k] for r in residuals if r[k] is not None)])
        for k in (0, 1)
    )
    return Score(
        energy_rmse=_rms(energy),
        forces_rmse=_rms(forces),
        log_likelihood=gp.log_marginal_likelihood() / n_labels,
        fit_seconds=seconds,
    ), potential


def _rms(values: np.ndarray) -> float | None:
    return float(np.sqrt((values**2).mean())) if len(values) else None


def _left_out(state: TrainingState, structures):
    """(energy residual per atom (1,), force residuals (3n,)) of structures without their labels."""
    free = [s for s in structures if not is_isolated_atom(s)]
    small = [s for s in free if 3 * len(s.atoms) + 7 <= MOST_LABELS]
    chosen = small or sorted(free, key=lambda s: len(s.atoms))[:1]
    return [_without_own_labels(state, s) for s in chosen[:N_LEFT_OUT]]


def _without_own_labels(state: TrainingState, s: LabelledStructure):
    rows = rows_of(state.terms, s, state.kinds)
    labels = stacked(labels_of(s, rows, state.e0, state.baselines), state.noise)
    if labels is None:
        return None, None
    posterior = state.potential.posterior
    residual = left_out_residual(posterior, posterior.whiten(labels.rows), labels.y, labels.sigma)
    energy = labels.of("energy", residual)
    return None if energy is None else energy / len(s.atoms), labels.of("forces", residual)


def _held_out(potential, structures):
    out = []
    for s, found in zip(structures, potential.evaluate_many(structures)):
        energy = None
        if s.energy is not None:
            energy = np.array([found.energy - s.energy]) / len(s.atoms)
        out.append((energy, None if s.forces is None else (found.forces - s.forces).ravel()))
    return out
