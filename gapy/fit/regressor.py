"""SparseGPRegressor: fit a sparse GP potential to energies, forces and stresses."""

from __future__ import annotations

import time

import numpy as np
from ase import Atoms
from sklearn.base import BaseEstimator
from sklearn.utils import RegressorTags
from sklearn.utils.validation import check_is_fitted

from gapy._support.threads import blas_threads
from gapy._support.voigt import has_volume, stress_of
from gapy.baselines import isolated_atom_energies
from gapy.descriptors.soap import warn_if_rough
from gapy.errors import GapyError
from gapy.fit.as_fitted import require_as_fitted, taken_once
from gapy.fit.beginning import baselines_for, empty_state, reach_of, term_of, with_components
from gapy.fit.charge_scale import with_scales
from gapy.fit.checks import labelled, warn_of_moments
from gapy.fit.dispersion_check import warn_of_dispersion
from gapy.fit.labels import without
from gapy.fit.parameter_checks import check_overrides, check_settings, check_size
from gapy.fit.predictions import gather, r_squared
from gapy.fit.sample import SampleRows
from gapy.fit.solving import learn, posterior_of, solve
from gapy.fit.term_settings import TermSettings, term_settings
from gapy.fit.training import TrainingState, absorb
from gapy.gp.frames import Frames
from gapy.gp.inducing import choose_inducing
from gapy.gp.noise import Noise
from gapy.gp.statistic import SufficientStatistic
from gapy.model.potential import Potential
from gapy.structures import LabelKeys, LabelledStructure, from_atoms


class SparseGPRegressor(BaseEstimator):
    """Sparse Gaussian process on local environments, in scikit-learn's manner.

        E = sum_i e0(Z_i) + sum_i eps_i,   k(i, j) = delta^2 [Z_i = Z_j] (xh_i . xh_j)^zeta

    Energies, forces and stresses are fitted together; data enter through a sufficient statistic,
    so memory does not grow with the number of structures.

    Arguments
    ---------
    descriptor : dscribe SOAP, CompiledSOAP, any local descriptor of dscribe, or a list of them
        One term of the model each; gapy.TermSettings(descriptor, ...) for one with settings of its
        own. Use gapy.descriptors.smooth_soap(...) when in doubt.
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
        data, starting from those above: by marginal likelihood, then the kinds against one another
        by errors of left-out structures; see `optimize_hyperparameters`.
    e0 : "auto", "isolated", "fit", "zero", {symbol: eV} or "Si=-107.1,..."
    baselines : gapy.baselines.Baseline objects, such as ZBL(), or "zbl"
        What labels lose before the fit, and predictions get back exactly. "zbl" is the ZBL that
        ends below the shortest distances of the training structures, so that no label feels it
        (gapy.baselines.zbl_below); () leaves it out. Coulomb(..., scale="fit") gets the scale that
        left-out errors prefer (gapy.fit.charge_scale).
    selection : "cholesky", "farthest", "cur", "kmeans" or "random"
        How inducing points are chosen.
    n_components : "auto", "off", int or float below 1
        Components of the descriptor in which the kernel works, other ones for each central species:
        their number, the share of the second moments of the training environments that may be
        lost, or "off" for the descriptor as it is; see `gapy.gp.components`. "auto" loses 3e-5 of
        descriptors with 160 features or more.
    energy_key, forces_key, stress_key, virial_key : str
        Label keys in `atoms.info` and `atoms.arrays`; virials become stresses, None: REF_virial.
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
    training_ : gapy.fit.training.TrainingState, all that the fit knows
    potential_ : gapy.Potential; its `noise` and its terms' delta are those in force
    statistic_ : the sufficient statistic; e0_ : {Z: eV}; n_structures_ : structures seen;
    fit_seconds_ : wall time of the last fit; fitted_with_ : settings that a fit takes once.

    Raises GapyError (or a subclass) on bad labels, structures or settings.
    Sources: Bartok et al., Phys. Rev. Lett. 104, 136403 (2010); Quinonero-Candela and Rasmussen,
    J. Mach. Learn. Res. 6, 1939 (2005) for the sparse posterior.
    """

    training_: TrainingState

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
        baselines=("zbl",),
        selection="cholesky",
        n_components="auto",
        energy_key="REF_energy",
        forces_key="REF_forces",
        stress_key="REF_stress",
        virial_key=None,
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
        self.baselines = baselines
        self.selection = selection
        self.n_components = n_components
        self.energy_key = energy_key
        self.forces_key = forces_key
        self.stress_key = stress_key
        self.virial_key = virial_key
        self.fit_stress = fit_stress
        self.force_tolerance = force_tolerance
        self.seed = seed
        self.threads = threads
        self.progress = progress

    # -- fitting --------------------------------------------------------------------------------

    def fit(self, X, y=None):
        """Fit to labelled structures: ASE Atoms with labels, or gapy LabelledStructures."""
        return self._fit(X)

    def _fit(self, X, more_may_come=False):
        began = time.perf_counter()
        start, structures, frames = self._begun(X, more_may_come)
        warn_of_dispersion(self, start.baselines, structures)
        state = self._absorbed(start, structures, frames)
        return self.adopt(state, time.perf_counter() - began)

    def begin(self, X) -> TrainingState:
        """The state before any labels, for a fit in parts: see `gapy.fit.training`.

        Inducing points, e0 and the metric of environments are those that `fit` would choose from
        these structures. Any of them, and others of the same species, can be absorbed.
        """
        return self._begun(X, more_may_come=True)[0]

    def _begun(self, X, more_may_come: bool):
        """The start of a fit, and its structures with their neighbours."""
        check_settings(self)
        noise = self.initial_noise()
        terms = self.term_settings()
        descriptors = [term.descriptor for term in terms]
        structures = labelled(X, self.label_keys(), descriptors)
        check_overrides(noise.overrides, structures, self.fit_stress, more_may_come)
        for descriptor in descriptors:
            warn_if_rough(descriptor)
        check_size(terms, structures)
        rng, threads = np.random.default_rng(self.seed), int(self.threads)
        frames = Frames([s.atoms for s in structures], terms)
        # BLAS with one thread keeps the order of its sums: the same fit for any `threads`.
        with blas_threads(1):
            terms, frames = with_components(terms, frames, int(self.seed))
            baselines = baselines_for(self, descriptors, frames.atoms)
            warn_of_moments(baselines, structures)
            baselines = with_scales(self, baselines, structures)
            less = [without(s, baselines) for s in structures]
            e0 = isolated_atom_energies(less, self.e0)
            points = {"threads": threads, "progress": self.progress}
            chosen = [
                term_of(term, choose_inducing(frames, t, term, rng, **points))
                for t, term in enumerate(terms)
            ]
            reach = reach_of(frames, terms, threads)
        start = empty_state(chosen, e0, noise, self, reach, baselines)
        return start, structures, frames

    def partial_fit(self, X, y=None):
        """Add structures to a fitted model; inducing points, noise, e0 and baselines stay.

        An error or an interruption leaves the model as it was. Raises GapyError where a setting
        of what stays has been changed since.
        """
        if not hasattr(self, "training_"):
            return self._fit(X, more_may_come=True)
        began = time.perf_counter()
        check_settings(self)
        require_as_fitted(self)
        descriptors = [term.descriptor for term in self.training_.terms]
        structures = labelled(X, self.label_keys(), descriptors)
        warn_of_moments(self.training_.baselines, structures)
        self.training_ = self._absorbed(self.training_, structures)
        self.fit_seconds_ = time.perf_counter() - began
        return self

    def optimize_hyperparameters(self):
        """Learn delta and every sigma from the labels seen so far, and fit again.

        First by the log marginal likelihood (`gapy.gp.hyperparameters`), then the kinds against
        one another by the errors of left-out structures (`gapy.fit.balance`).
        """
        check_is_fitted(self, "training_")
        self.training_ = self.solved(self.training_, SampleRows(), learnt=True)
        return self

    def solved(
        self, state: TrainingState, rows: SampleRows, *, learnt=False, calibrated=True
    ) -> TrainingState:
        """A state solved with this regressor's settings; `learnt`: noise and delta first."""
        if learnt:
            state = learn(state, rows=rows)
        return solve(
            state,
            rows=rows,
            calibrated=calibrated,
            force_tolerance=self.force_tolerance,
            record={
                "selection": self.selection,
                "seed": int(self.seed),
                "noise_learnt": state.noise != self.initial_noise(),
            },
            progress=self.progress,
        )

    def label_keys(self) -> LabelKeys:
        """Where labels are looked for."""
        virial = {} if self.virial_key is None else {"virial": self.virial_key}
        keys = (self.energy_key, self.forces_key, self.stress_key)
        return LabelKeys(*keys, **virial, given=frozenset(virial))

    def initial_noise(self) -> Noise:
        """The noise that was asked for, from which learning starts."""
        return Noise(
            energy=self.sigma_energy,
            forces=self.sigma_forces,
            stress=self.sigma_stress,
            overrides=self.noise_overrides or {},
        )

    def term_settings(self) -> list[TermSettings]:
        """Every term with all of its settings.

        Raises GapyError for an empty list, or what is no local descriptor.
        """
        return [term.completed(self) for term in term_settings(self.descriptor)]

    def _absorbed(self, state: TrainingState, structures, frames=None) -> TrainingState:
        rows = SampleRows()
        state = absorb(
            state, structures, threads=int(self.threads), progress=self.progress, rows=rows,
            frames=frames,
        )  # fmt: skip
        return self.solved(state, rows, learnt=self.optimize)

    def adopt(self, state: TrainingState, seconds: float):
        """Take a state that was fitted elsewhere with these settings, as if `fit` had made it."""
        self.training_ = state
        self.fitted_with_ = taken_once(self)
        self.fit_seconds_ = seconds
        return self

    # -- what the fit found ---------------------------------------------------------------------

    @property
    def potential_(self) -> Potential:
        """The fitted model."""
        potential = self._fitted().potential
        if potential is None:
            raise AttributeError("potential_: the state of the fit is not solved yet")
        return potential

    @property
    def statistic_(self) -> SufficientStatistic:
        """What the labels contributed."""
        return self._fitted().statistic

    @property
    def e0_(self) -> dict[int, float]:
        """Energy of the free atom by atomic number, eV."""
        return dict(self._fitted().e0)

    @property
    def n_structures_(self) -> int:
        """Structures seen."""
        return self._fitted().n_structures

    def _fitted(self) -> TrainingState:
        # An AttributeError until then, as scikit-learn's attributes of a fit have it.
        return self.training_

    # -- using ----------------------------------------------------------------------------------

    def predict(self, X, return_std=False):
        """Energies, forces and stresses of structures; with `return_std` also their sigmas.

        Returns Predictions, or a pair of them. Without `return_std` the fast path is used.
        """
        check_is_fitted(self, "training_")
        items = [X] if isinstance(X, Atoms | LabelledStructure) else list(X)
        frames = [getattr(f, "atoms", f) for f in items]
        if not frames:
            raise GapyError("X: expected at least one structure, got none; add structures")
        for frame in frames:
            if not isinstance(frame, Atoms):
                raise GapyError(f"X: expected ase.Atoms, got {type(frame).__name__}")
        if not return_std:
            out = self.potential_.evaluate_many(frames, threads=int(self.threads))
            return gather(
                (r.energy, r.energies, r.forces, stress_of(r.virial, a) if has_volume(a) else None)
                for r, a in zip(out, frames)
            )
        with blas_threads(int(self.threads)):
            pairs = [self.potential_.predict(atoms) for atoms in frames]
        as_tuple = [
            [(p.energy, p.energies, p.forces, p.stress) for p in side] for side in zip(*pairs)
        ]
        return gather(as_tuple[0]), gather(as_tuple[1])

    def score(self, X, y=None) -> float:
        """R^2 of the force components (of the energies per atom if there are no forces)."""
        structures = from_atoms(X, self.label_keys())
        return r_squared(structures, self.predict([s.atoms for s in structures]))

    def __sklearn_tags__(self):
        """A regressor of structures, whose labels they carry, instead of arrays and targets."""
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def log_marginal_likelihood(self, noise: Noise | None = None) -> float:
        """Log marginal likelihood of the labels; for another `noise` without touching the data."""
        check_is_fitted(self, "training_")
        if noise is None:
            return self.potential_.posterior.log_marginal_likelihood
        return posterior_of(self.training_, noise).log_marginal_likelihood
