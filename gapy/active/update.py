"""The model that learns: a pure function of its settings, the ordered labels and its history."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gapy.errors import GapyError
from gapy.md.settings import real, whole
from gapy.structures import StructureWarning

FIT, UPDATE = "fit", "update"


class Model(Protocol):
    """What the loop needs of a model.

    `potential` is None before the first update. `history` is plain data from which `resume` can
    rebuild, together with the same structures in the same order, a model that goes on bit by bit
    like this one.
    """

    potential: object | None
    history: list

    def update(self, structures: Sequence, n_new: int) -> None:
        """Learn the last `n_new` of `structures`, which are all there are, in their order."""

    def resume(self, history: list, structures: Sequence, potential) -> None:
        """Become the model that had this history, these structures and this potential."""

    def describe(self) -> dict:
        """Settings that must be the same when a loop is resumed."""


@dataclass
class GPModel:
    """A sparse GP on one smooth SOAP, refitted as the labels come in.

    Attributes
    ----------
    species : chemical symbols of all structures that may come
    r_cut, sigma : A; n_max, l_max : size of the SOAP; compression : as in `gapy fit`
    zeta, n_inducing, delta, sigma_energy, sigma_forces, sigma_stress, e0, stress : as in
        SparseGPRegressor
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
    zeta: int = 4
    n_inducing: int | dict = 300
    delta: float = 1.0
    sigma_energy: float = 0.001
    sigma_forces: float = 0.05
    sigma_stress: float = 0.001
    e0: str | dict = "auto"
    stress: bool = True
    seed: int = 0
    threads: int = 1
    potential: object | None = field(default=None, init=False, repr=False)
    history: list = field(default_factory=list, init=False, repr=False)

    def __post_init__(self):
        self.r_cut = real("r_cut", self.r_cut, "A", above=0.0)
        self.sigma = real("sigma", self.sigma, "A", above=0.0)
        for name in ("n_max", "zeta", "threads"):
            whole(name, getattr(self, name), least=1)
        whole("l_max", self.l_max, least=0)
        for name, unit in (
            ("delta", "eV"), ("sigma_energy", "eV/atom"),
            ("sigma_forces", "eV/A"), ("sigma_stress", "eV/A^3"),
        ):  # fmt: skip
            real(name, getattr(self, name), unit, above=0.0)
        if not self.species:
            raise GapyError("species: expected chemical symbols, got none; name them")

    def update(self, structures: Sequence, n_new: int) -> None:
        """Fit to all structures."""
        self.history.append([FIT, len(structures)])
        self.potential = self._fitted(structures).potential_

    def resume(self, history: list, structures: Sequence, potential) -> None:
        """Nothing to rebuild: each update is a fit to all structures."""
        self.history = [list(entry) for entry in history]
        self.potential = potential

    def describe(self) -> dict:
        """Settings that fix the model; threads do not."""
        names = (
            "species", "r_cut", "n_max", "l_max", "sigma", "compression", "zeta", "n_inducing",
            "delta", "sigma_energy", "sigma_forces", "sigma_stress", "e0", "stress", "seed",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"species": list(self.species)}

    def _fitted(self, structures):
        with warnings.catch_warnings():
            # High forces and near pairs are what a loop looks for.
            warnings.simplefilter("ignore", StructureWarning)
            return self._regressor().fit(structures)

    def _regressor(self):
        from gapy.descriptors import smooth_soap
        from gapy.regressor import SparseGPRegressor

        soap = smooth_soap(
            list(self.species),
            r_cut=self.r_cut,
            n_max=self.n_max,
            l_max=self.l_max,
            sigma=self.sigma,
            compression={"mode": self.compression},
        )
        return SparseGPRegressor(
            soap,
            n_inducing=self.n_inducing,
            zeta=self.zeta,
            delta=self.delta,
            sigma_energy=self.sigma_energy,
            sigma_forces=self.sigma_forces,
            sigma_stress=self.sigma_stress,
            e0=self.e0,
            fit_stress=self.stress,
            seed=self.seed,
            threads=self.threads,
        )
