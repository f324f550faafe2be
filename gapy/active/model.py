"""The model that learns: a pure function of its settings, the ordered labels and its history."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

from gapy.baselines import parse_e0
from gapy.errors import GapyError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.parameter_checks import check_settings
from gapy.fit.setting_kinds import Whole, positive
from gapy.fit.settings import ModelSettings, unit_of
from gapy.fit.update import UpdateSettings, update
from gapy.gp.noise import Noise
from gapy.md.settings import real, whole
from gapy.structures import StructureWarning

FIT, UPDATE, GROW = "fit", "update", "grow"

GROWTH = 1.05
"""Structures per structure from one search for inducing points by `threshold` to the next."""
COARSE = 1e-3
"""Unexplained share of the prior variance that gets a point at once."""


class Model(Protocol):
    """What the loop needs of a model.

    `potential` is None before the first update. `history` is plain data: what was done at each
    update. The loop saves the model after every update; one that is resumed from that file must go
    on bit by bit like the one that was saved, and give equal files.
    """

    potential: object | None
    history: list

    def update(self, structures: Sequence, n_new: int) -> None:
        """Learn the last `n_new` of `structures`, which are all there are, in their order."""

    def finish(self, structures: Sequence) -> bool:
        """A last touch when the loop has ended; whether it changed the model."""

    def save(self, path) -> None:
        """Write all that the next update needs; `gapy.load` reads the potential in it."""

    def resume(self, history: list, path) -> None:
        """Become the model that was saved there."""

    def describe(self) -> dict:
        """Settings that must be the same when a loop is resumed."""


@dataclass
class GPModel:
    """A sparse GP on one smooth SOAP that grows with the labels.

    New labels are merged in by `gapy.fit.update`, at a cost that does not depend on how many there
    are. Environments far from all inducing points become points at once; those a little off wait
    until there are 5 % more structures, since new columns for old data are what an update spends
    most on. Each time the labels have grown by the factor `refit`, and at the end, everything is
    fitted again, inducing points, e0 and calibration included. So the work of all fits together
    is that of the last one times refit / (refit - 1).

    Attributes
    ----------
    species : chemical symbols of all structures that may come
    r_cut, sigma : A; n_max, l_max : size of the SOAP; compression, magnetic : as in
        `gapy fit`
    zeta, n_inducing, delta, sigma_energy, sigma_forces, sigma_stress, e0, stress : as in
        SparseGPRegressor
    terms, term, zbl, baseline : as in `gapy fit`: a sum of terms, the automatic ZBL, tables of
        other baselines
    optimize : learn delta and every noise from the labels at each full fit, starting from those
        given; the updates between keep what was learnt
    refit : growth of the number of structures from one full fit to the next; 1 fits at each update
    threshold, max_points, columns, sample_rows, prune, calibrate_every : of the updates between,
        see UpdateSettings; a smaller sample than there, since full fits mend it
    seed, threads : results do not depend on `threads`

    Raises
    ------
    GapyError : settings that the descriptor or the regressor refuses
    """

    species: Sequence[str]
    r_cut: float = 5.0
    n_max: int = 6
    l_max: int = 4
    sigma: float = 0.5
    compression: str = "off"
    magnetic: list | None = None
    zeta: int = 4
    n_inducing: int | dict = 300
    delta: float = 1.0
    sigma_energy: float = 0.001
    sigma_forces: float = 0.05
    sigma_stress: float = 0.001
    e0: str | dict = "auto"
    stress: bool = True
    terms: str = "soap"
    term: list = field(default_factory=list)
    zbl: bool = True
    baseline: dict = field(default_factory=dict)
    optimize: bool = True
    refit: float = 1.5
    threshold: float = 1e-5
    max_points: int = 50
    columns: str = "sampled"
    sample_rows: float = 3.0
    prune: float = 0.0
    calibrate_every: int = 20
    seed: int = 0
    threads: int = 1
    potential: object | None = field(default=None, init=False, repr=False)
    history: list = field(default_factory=list, init=False, repr=False)
    _gp: object | None = field(default=None, init=False, repr=False)

    def __post_init__(self):
        for f in fields(ModelSettings):
            if hasattr(self, f.name):
                _check(f, getattr(self, f.name))
        self.r_cut, self.sigma = float(self.r_cut), float(self.sigma)
        whole("threads", self.threads, least=1)
        if not self.species:
            raise GapyError("species: expected chemical symbols, got none; name them")
        self.refit = real("refit", self.refit, "structures per structure", least=1.0)
        if self.columns == "exact":
            raise GapyError(
                "columns: expected 'sampled' or 'projected' here, got 'exact'; refit = 1 fits "
                "everything at each update"
            )
        own = [f.name for f in fields(UpdateSettings) if hasattr(self, f.name)]
        self._updates = UpdateSettings(**{name: getattr(self, name) for name in own})
        Noise(self.sigma_energy, self.sigma_forces, self.sigma_stress)
        check_settings(self._regressor())
        parse_e0(self.e0)

    def update(self, structures: Sequence, n_new: int) -> None:
        """Merge the new structures in, or fit to all of them where that is due."""
        n = len(structures)
        fitted = max((size for what, size in self.history if what == FIT), default=0)
        if self._gp is None or n >= self.refit * fitted:
            self._fit(structures)
        else:
            searched = max(size for what, size in self.history if what != UPDATE)
            due = n >= GROWTH * searched
            settings = self._updates
            if not due:
                settings = replace(settings, threshold=max(settings.threshold, COARSE))
            waiting = structures[searched:-n_new] if due else ()
            with _quiet():
                update(self._gp, structures[-n_new:], settings=settings, candidates=waiting)
            self.history.append([GROW if due else UPDATE, n])
            self.potential = self._gp.potential_

    def finish(self, structures: Sequence) -> bool:
        """A full fit, unless the last update was one."""
        if not self.history or self.history[-1] == [FIT, len(structures)]:
            return False
        self._fit(structures)
        return True

    def save(self, path) -> None:
        """The regressor's state; equal models give equal files."""
        self._gp.fit_seconds_ = 0.0  # of this machine, not of the model
        save_state(self._gp, path)

    def resume(self, history: list, path) -> None:
        """Read what `save` wrote."""
        self.history = [list(entry) for entry in history]
        self._gp = load_state(path, trust="calculator" in self.baseline)
        self._gp.threads = self.threads
        self.potential = self._gp.potential_

    def describe(self) -> dict:
        """Settings that fix the model; threads do not."""
        names = [f.name for f in fields(GPModel) if f.init and f.name != "threads"]
        told = {name: getattr(self, name) for name in names} | {"species": list(self.species)}
        # Loops from before there were these go on with the defaults.
        later = {"magnetic": None, "terms": "soap", "term": [], "zbl": True, "baseline": {}}
        return {k: v for k, v in told.items() if k not in later or v != later[k]}

    def _fit(self, structures) -> None:
        with _quiet():
            self._gp = self._regressor().fit(structures)
        self.history.append([FIT, len(structures)])
        self.potential = self._gp.potential_

    def _regressor(self):
        from gapy.fit.regressor import SparseGPRegressor

        settings = ModelSettings.of(self)
        arguments = settings.regressor_arguments() | {
            # The first few structures do not tell which components later ones will need.
            "n_components": "off",
            "threads": self.threads,
        }
        return SparseGPRegressor(settings.descriptors(self.species), **arguments)


def _check(setting, value) -> None:
    """What a setting of a model has to be, in the words of the other settings of a loop."""
    kind, name = setting.metadata["check"], setting.name
    if kind is positive:
        real(name, value, unit_of(name), above=0.0)
    elif isinstance(kind, Whole):
        whole(name, value, least=kind.least)
    elif kind is not None:
        kind(name, name, value)


@contextmanager
def _quiet():
    """Without warnings of high forces and near pairs: they are what a loop looks for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)
        yield
