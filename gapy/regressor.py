"""SparseGPRegressor: fit a sparse GP potential to energies, forces and stresses."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from ase import Atoms
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gapy.baselines import isolated_atom_energies
from gapy.descriptors import as_descriptor, known_species
from gapy.descriptors.soap import warn_if_rough
from gapy.errors import GapyError
from gapy.fit_records import add_label, fit_metadata
from gapy.gp import posterior
from gapy.gp.hyperparameters import maximise_likelihood
from gapy.gp.inducing import choose_inducing
from gapy.gp.neighbourhood import pairs_of
from gapy.gp.reach import learn_reach
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import SufficientStatistic
from gapy.gp.terms import Term, blocks, cholesky_factors
from gapy.left_out import balance_energies, calibrate, left_out, left_out_errors
from gapy.noise import Noise
from gapy.potential import Potential
from gapy.predictions import gather, r_squared
from gapy.progress import track
from gapy.settings import check_periodicity, check_settings
from gapy.structures import (
    LabelKeys,
    LabelledStructure,
    chained_digest,
    check_structures,
    from_atoms,
)
from gapy.threads import blas_threads, ordered_map

N_CALIBRATION = 200
CALIBRATION_BYTES = 100_000_000
"""Structures for leave-one-out calibration, and the memory that their rows may take."""
N_BALANCE = 64
"""Structures on which energy and force errors are weighed against each other."""
N_REFERENCES = 3


class SparseGPRegressor(BaseEstimator):
    """Sparse Gaussian process on local environments, in scikit-learn's manner.

        E = sum_i e0(Z_i) + sum_i eps_i,   k(i, j) = delta^2 [Z_i = Z_j] (xh_i . xh_j)^zeta

    Energies, forces and stresses are fitted together; data enter through a sufficient statistic,
    so memory does not grow with the number of structures.

    Arguments
    ---------
    descriptor : dscribe SOAP, CompiledSOAP, any local descriptor of dscribe, or a list of them
        One term of the model each. Use gapy.descriptors.smooth_soap(...) when in doubt.
    n_inducing : int or {symbol: int}
        Inducing points per species (and term).
    zeta : int
        Exponent of the kernel.
    delta : float
        Prior standard deviation of a local energy, eV.
    sigma_energy, sigma_forces, sigma_stress : float
        Noise: eV/atom (times sqrt(N) for N atoms), eV/A, eV/A^3.
    noise_overrides : {config_type: {"energy" | "forces" | "stress": sigma}}
    optimize : bool
        Learn delta of every species and the noise of every label kind and config_type from the
        data, starting from those above: by marginal likelihood, then the energies against the
        forces by leave-one-out errors; see `optimize_hyperparameters`.
    e0 : "auto", "isolated", "fit", "zero", {symbol: eV} or "Si=-107.1,..."
    selection : "cholesky", "farthest", "cur", "kmeans" or "random"
        How inducing points are chosen.
    energy_key, forces_key, stress_key : str
        Label keys in `atoms.info` and `atoms.arrays`.
    fit_stress : bool
        Whether stress labels are used.
    force_tolerance : float or None
        If given (eV/A), the potential is projected onto as few descriptor directions as keep
        forces within it, checked on a sample of the training structures; see Potential.reduced.
    seed : int
        All random choices.
    progress : bool
        Show progress bars.

    Attributes
    ----------
    potential_ : gapy.Potential; its `noise` and its terms' delta are those in force
    statistic_ : the sufficient statistic; e0_ : {Z: eV}; n_structures_ : structures seen;
    fit_seconds_ : wall time of the last fit.

    Raises GapyError (or a subclass) on bad labels, structures or settings.
    Sources: Bartok et al., Phys. Rev. Lett. 104, 136403 (2010); Quinonero-Candela and Rasmussen,
    J. Mach. Learn. Res. 6, 1939 (2005) for the sparse posterior.
    """

    def __init__(
        self,
        descriptor,
        n_inducing=1000,
        zeta=4,
        *,
        delta=1.0,
        sigma_energy=0.001,
        sigma_forces=0.05,
        sigma_stress=0.001,
        noise_overrides=None,
        optimize=False,
        e0="auto",
        selection="cholesky",
        energy_key="REF_energy",
        forces_key="REF_forces",
        stress_key="REF_stress",
        fit_stress=True,
        force_tolerance=None,
        seed=0,
        threads=1,
        progress=False,
    ):
        self.descriptor = descriptor
        self.n_inducing = n_inducing
        self.zeta = zeta
        self.delta = delta
        self.sigma_energy = sigma_energy
        self.sigma_forces = sigma_forces
        self.sigma_stress = sigma_stress
        self.noise_overrides = noise_overrides
        self.optimize = optimize
        self.e0 = e0
        self.selection = selection
        self.energy_key = energy_key
        self.forces_key = forces_key
        self.stress_key = stress_key
        self.fit_stress = fit_stress
        self.force_tolerance = force_tolerance
        self.seed = seed
        self.threads = threads
        self.progress = progress

    # -- fitting --------------------------------------------------------------------------------

    def fit(self, X, y=None):
        """Fit to labelled structures: ASE Atoms with labels, or gapy LabelledStructures."""
        began = time.perf_counter()
        check_settings(self)
        structures = self._labelled(X)
        descriptors = self._descriptors()
        noise = self._noise()
        check_structures(structures, species=known_species(descriptors))
        for descriptor in descriptors:
            check_periodicity(descriptor, structures)
            warn_if_rough(descriptor)
        rng = np.random.default_rng(self.seed)
        # BLAS with one thread keeps the order of its sums: the same fit for any `threads`.
        with blas_threads(1):
            self.e0_ = isolated_atom_energies(structures, self.e0)
            self._terms = tuple(self._term(d, structures, rng) for d in descriptors)
            self._reach = (None,) * len(self._terms)
            self._cholesky = cholesky_factors(self._terms)
            self.statistic_ = SufficientStatistic(blocks(self._terms)[-1].stop)
            self.n_structures_ = 0
            self.n_updates_ = 0
            self._approximate = False
            self._drawn = []
            self._digest = b""
            self._fitted_noise = noise
            self._absorb(structures, noise, rng)
            self._finish()
        self.fit_seconds_ = time.perf_counter() - began
        return self

    def partial_fit(self, X, y=None):
        """Add structures to a fitted model; inducing points and e0 stay."""
        if not hasattr(self, "potential_"):
            return self.fit(X, y)
        began = time.perf_counter()
        structures = self._labelled(X)
        check_structures(structures, species=known_species(t.descriptor for t in self._terms))
        for term in self._terms:
            check_periodicity(term.descriptor, structures)
        for s in structures:
            self.potential_.check_species(s.atoms.numbers)
        noise = self._noise()
        rng = np.random.default_rng([self.seed, self.n_structures_])
        with blas_threads(1):
            new = isolated_atom_energies(structures, self.e0 if self.e0 != "isolated" else "auto")
            self.e0_ = {**new, **self.e0_}
            self._absorb(structures, noise, rng)
            self._finish()
        self.fit_seconds_ = time.perf_counter() - began
        return self

    def _keys(self) -> LabelKeys:
        return LabelKeys(energy=self.energy_key, forces=self.forces_key, stress=self.stress_key)

    def _labelled(self, X):
        return from_atoms(X, self._keys())

    def _descriptors(self):
        given = self.descriptor
        given = list(given) if isinstance(given, list | tuple) else [given]
        if not given:
            raise GapyError("descriptor: expected at least one, got an empty list; add a SOAP")
        return [as_descriptor(d) for d in given]

    def _noise(self) -> Noise:
        return Noise(
            energy=self.sigma_energy,
            forces=self.sigma_forces,
            stress=self.sigma_stress,
            overrides=self.noise_overrides or {},
        )

    def _term(self, descriptor, structures, rng) -> Term:
        frames = [s.atoms for s in structures]
        zeta = int(self.zeta)
        inducing = choose_inducing(
            descriptor, frames, self.n_inducing, zeta, self.selection, rng,
            threads=int(self.threads), progress=self.progress,
        )  # fmt: skip
        return Term(descriptor, zeta, inducing, (float(self.delta),) * len(inducing))

    def _labels(self, s, rows, noise):
        """(kind, rows, y, weight) of every label of a structure, e0 taken off."""
        n = len(s.atoms)
        if s.energy is not None:
            y = s.energy - sum(self.e0_[int(z)] for z in s.atoms.numbers)
            weight = self._weight(s, noise, "energy", s.energy_sigma) / np.sqrt(n)
            yield "energy", rows.energy[None], np.array([y]), weight
        if s.forces is not None:
            weight = self._weight(s, noise, "forces", s.forces_sigma)
            yield "forces", rows.forces, s.forces.ravel(), weight
        if self.fit_stress and s.stress is not None:
            weight = self._weight(s, noise, "stress", s.stress_sigma)
            yield "stress", rows.stress, s.stress, weight

    @staticmethod
    def _weight(s, noise, kind, own_sigma) -> float:
        return 1.0 if own_sigma is None else noise.sigma(kind, s.config_type) / own_sigma

    def _rows(self, s, local=False, terms=None):
        return structure_rows(
            self._terms if terms is None else terms,
            s.atoms,
            energy=s.energy is not None,
            local=local,
            forces=s.forces is not None,
            stress=self.fit_stress and s.stress is not None,
        )

    def _absorb(self, structures, noise, rng) -> None:
        """Add the labels of structures to the statistic, a few structures at a time in memory."""
        self._sample_for_calibration(structures, rng)
        frames = [s.atoms for s in structures]
        self._reach = tuple(
            learn_reach(term.descriptor, frames, int(self.threads), known=reach)
            for term, reach in zip(self._terms, self._reach)
        )
        kept = {id(s) for s in self._kept}
        self._kept_rows = {}

        def compute(s):
            return self._rows(s, local=id(s) in kept)

        rows_of = ordered_map(compute, structures, int(self.threads))
        shown = track(zip(structures, rows_of), "rows", self.progress, total=len(structures))
        for s, rows in shown:
            if id(s) in kept:
                self._kept_rows[id(s)] = rows
            for kind, k, y, weight in self._labels(s, rows, noise):
                add_label(self.statistic_, kind, s, k, y, weight)
            self._digest = chained_digest([s], self._digest)

    def _sample_for_calibration(self, structures, rng) -> None:
        """A uniform sample of all structures seen, within a memory budget for their rows.

        Every structure draws a number; those with the smallest stay, whenever they came.
        """
        self.n_structures_ += len(structures)
        self._drawn += list(zip(rng.random(len(structures)), structures))
        self._drawn.sort(key=lambda pair: pair[0])
        self._drawn = self._drawn[:N_CALIBRATION]
        budget = CALIBRATION_BYTES // (8 * self.statistic_.n_columns)
        used = np.cumsum([4 * len(s.atoms) + 7 for _, s in self._drawn])
        self._kept = [s for (_, s), u in zip(self._drawn, used) if u <= budget]
        self._kept = self._kept or [self._drawn[0][1]]

    def optimize_hyperparameters(self):
        """Learn delta and every sigma from the labels seen so far, and fit again.

        First by the log marginal likelihood (`gapy.gp.hyperparameters`), then the energies against
        the forces by leave-one-out errors (`gapy.left_out.balance_energies`).
        """
        check_is_fitted(self, "potential_")
        with blas_threads(1):
            self._learn()
            self._solve()
        return self

    def _finish(self) -> None:
        if self.optimize:
            self._learn()
        self._solve()

    def _learn(self) -> None:
        best = maximise_likelihood(self._terms, self._cholesky, self.statistic_, self._fitted_noise)
        self._terms = best.terms

        def errors(noise):
            fitted = posterior.solve(self._terms, self._cholesky, self.statistic_, noise.sigma)
            return left_out_errors(self._left_out(fitted, noise, N_BALANCE, sigmas=False))

        self._fitted_noise = balance_energies(best.noise, errors)

    def _solve(self, calibrated=True) -> None:
        noise = self._fitted_noise
        fitted = posterior.solve(self._terms, self._cholesky, self.statistic_, noise.sigma)
        shown = track(self._left_out(fitted, noise), "calibration", self.progress)
        potential = Potential(
            terms=self._terms,
            posterior=fitted,
            e0=dict(self.e0_),
            noise=noise,
            calibration=calibrate(shown, noise, partial(pairs_of, self._terms))
            if calibrated
            else self.potential_.calibration,
            reach=self._reach,
            metadata=fit_metadata(self, fitted),
        )
        self._kept_rows = {}
        references = tuple(s.atoms.copy() for s in self._kept[:N_REFERENCES])
        if self.force_tolerance is not None:
            sample = [s.atoms for s in self._kept]
            potential = potential.reduced(float(self.force_tolerance), sample)
        self.potential_ = potential.with_references(references)

    def _rows_of_kept(self, s):
        """Rows of a sampled structure, remembered until the fit is solved: within the budget."""
        if id(s) not in self._kept_rows:
            self._kept_rows[id(s)] = self._rows(s, local=True)
        return self._kept_rows[id(s)]

    def _left_out(self, fitted, noise, most=N_CALIBRATION, sigmas=True):
        """(structure, LeftOut) of sampled structures that have labels."""
        return left_out(
            fitted,
            noise,
            self._kept[:most],
            self._rows_of_kept,
            lambda s, rows: self._labels(s, rows, self._noise()),
            self._terms,
            approximate=self._approximate,
            sigmas=sigmas,
        )

    # -- using ----------------------------------------------------------------------------------

    def predict(self, X, return_std=False):
        """Energies, forces and stresses of structures; with `return_std` also their sigmas.

        Returns Predictions, or a pair of them. Without `return_std` the fast path is used.
        """
        check_is_fitted(self, "potential_")
        items = [X] if isinstance(X, Atoms | LabelledStructure) else list(X)
        frames = [getattr(f, "atoms", f) for f in items]
        if not frames:
            raise GapyError("X: expected at least one structure, got none; add structures")
        for frame in frames:
            if not isinstance(frame, Atoms):
                raise GapyError(f"X: expected ase.Atoms, got {type(frame).__name__}")
        if not return_std:
            calculator = self.potential_.calculator(threads=int(self.threads))
            out = []
            for atoms in frames:
                calculator.calculate(atoms, ["energy", "forces"])
                r = calculator.results
                out.append((r["energy"], r["energies"], r["forces"], r.get("stress")))
            return gather(out)
        with blas_threads(int(self.threads)):
            pairs = [self.potential_.predict(atoms) for atoms in frames]
        as_tuple = [
            [(p.energy, p.energies, p.forces, p.stress) for p in side] for side in zip(*pairs)
        ]
        return gather(as_tuple[0]), gather(as_tuple[1])

    def score(self, X, y=None) -> float:
        """R^2 of the force components (of the energies per atom if there are no forces)."""
        structures = self._labelled(X)
        return r_squared(structures, self.predict([s.atoms for s in structures]))

    def log_marginal_likelihood(self, noise: Noise | None = None) -> float:
        """Log marginal likelihood of the labels; for another `noise` without touching the data."""
        check_is_fitted(self, "potential_")
        if noise is None:
            return self.potential_.posterior.log_marginal_likelihood
        fitted = posterior.solve(self._terms, self._cholesky, self.statistic_, noise.sigma)
        return fitted.log_marginal_likelihood
