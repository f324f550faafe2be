"""Settings of a model, stated once: flags, TOML keys, fits and records are made of them.

Without numpy and ASE, so that the command line knows its flags at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from gapy._support.ranges import RANGES
from gapy.errors import GapyError
from gapy.fit.setting_kinds import (
    Whole,
    components,
    counts,
    elements,
    flag,
    positive,
    stated,
    tables,
    text,
)
from gapy.fit.term_tables import sum_of_terms, term_tables, terms_of

BASIS = ("r_cut", "n_max", "l_max", "sigma", "compression")
"""Settings of the descriptor."""
AUTOMATIC = "zbl"
"""`gapy.baselines.AUTOMATIC`, whose import would need numpy."""
LEARNT = ("delta", "sigma_energy", "sigma_forces", "sigma_stress")
"""Prior scale and noise: learnt unless one of them, or a [noise.X], is given."""


@dataclass(frozen=True)
class ModelSettings:
    """What a model is made with, apart from its species and its data.

    r_cut, n_max, l_max, sigma, compression: the SOAP. magnetic: elements whose moments' signs it
    tells apart, at fixed order. zeta, n_components, n_inducing,
    selection: kernel, components of the SOAP that it uses, and inducing points per species, one
    number or {symbol: number}. Where one of these, delta or a sigma_* is None, nobody gave it:
    the defaults of smooth_soap and SparseGPRegressor hold, unless gapy.cli.automatic chooses
    from the data. optimize: whether delta and noise are learnt, starting
    from those given; None means unless one is given, be it with the value of the default. noise:
    {config_type: {"energy" | "forces" | "stress": sigma}}. terms: which terms there are, or term: a
    table for each, whose missing keys are the settings of this name. baseline: {kind: its
    settings}, what labels lose before the fit beside the automatic ZBL, or in place of it.
    Units: see RANGES.

    `dataclasses.asdict` gives plain values, and `ModelSettings(**values)` takes them back.

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    r_cut: float | None = stated(None, positive, "Cutoff", unsaid="from the data")
    n_max: int | None = stated(None, Whole(1), "Radial functions", unsaid="8")
    l_max: int | None = stated(
        None, Whole(0), "Largest angular momentum", unsaid="6; with a cutoff that is given, 8"
    )
    sigma: float | None = stated(
        None, positive, "Width of the atomic densities", unsaid="0.5; with H 0.4"
    )
    compression: str | None = stated(
        None, text, "off, mu2, mu1nu1 or crossover", unsaid="off, or by errors; 4 species: mu1nu1"
    )
    magnetic: tuple | None = stated(
        None,
        elements,
        "Elements of which the signs of magnetic moments are told apart, Fe,Co",
        unsaid="none",
    )
    zeta: int | None = stated(
        None,
        Whole(1),
        "Exponent of the kernel",
        unsaid="2 or by left-out errors; with a cutoff that is given, 4",
    )
    n_inducing: int | Mapping | None = stated(
        None, counts, "Inducing points per species, 500 or Al=500,As=300", unsaid="from the data"
    )
    selection: str = stated("cholesky", text, "cholesky, farthest, cur, kmeans or random")
    n_components: int | float | str = stated(
        "auto",
        components,
        "Components of the descriptor that the kernel uses: auto, a number, off, or the share of "
        "their moments that may be lost",
    )
    delta: float | None = stated(
        None, positive, "Prior standard deviation of a local energy", unsaid="1.0"
    )
    sigma_energy: float | None = stated(None, positive, "Noise", unsaid="0.001")
    sigma_forces: float | None = stated(None, positive, "Noise", unsaid="0.05")
    sigma_stress: float | None = stated(None, positive, "Noise", unsaid="0.001")
    optimize: bool | None = stated(
        None,
        flag,
        "Learn delta and every noise from the data",
        unsaid="yes, unless one of them is given",
    )
    stress: bool = stated(True, flag, "Fit stresses too")
    force_tolerance: float | None = stated(
        None, positive, "Faster model whose forces stay this close to the exact ones", unit="eV/A"
    )
    noise: Mapping = stated({})
    terms: str | None = stated(
        None,
        sum_of_terms,
        "Sum of terms: soap, soap+pair, soap+soap or soap+soap+pair",
        unsaid="from the data; with a cutoff that is given, soap",
    )
    term: tuple = stated((), term_tables)
    zbl: bool = stated(
        True, flag, "Nuclei repel below the shortest distances of the data, by a ZBL baseline"
    )
    baseline: Mapping = stated({}, tables)
    e0: str | Mapping = stated(
        "auto", help="Free atoms: auto, isolated, fit, zero or Si=-107.1,O=-400 (eV)"
    )
    seed: int = stated(0, Whole(0), "Seed of every random choice")

    def __post_init__(self):
        for name in ("term", "magnetic"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None or f.default is not None:
                self._check(f, value)

    @classmethod
    def of(cls, made) -> ModelSettings:
        """The settings that an object has as attributes, all of them given; no others."""
        found = [f for f in fields(cls) if hasattr(made, f.name)]
        for f in found:
            cls._check(f, getattr(made, f.name))
        return cls(**{f.name: getattr(made, f.name) for f in found})

    @staticmethod
    def shown(name: str) -> str:
        """The name of a setting in messages."""
        return name

    @classmethod
    def _check(cls, f, value) -> None:
        if f.metadata["check"] is not None:
            f.metadata["check"](f.name, cls.shown(f.name), value)

    def learns_noise(self) -> bool:
        """Whether delta and noise are learnt: as asked, or unless one of them is given."""
        if self.optimize is not None:
            return self.optimize
        return not self.noise and all(getattr(self, name) is None for name in LEARNT)

    def but(self, **changed):
        """A copy with other values."""
        return replace(self, **changed)

    def descriptors(self, species):
        """The `descriptor` of SparseGPRegressor: a SOAP, or the terms of a sum.

        Raises
        ------
        GapyError : settings that dscribe or a term refuses, `terms` beside tables [[term]]
        """
        if self.term and self.terms is not None:
            raise GapyError(f"terms: {self.terms} beside tables [[term]]; leave one of the two out")
        return terms_of(self, species)

    def atomic_descriptor(self, species):
        """The descriptor of one term: the SOAP, magnetic if some elements are.

        Raises
        ------
        GapyError : settings that dscribe refuses
        SpeciesError : magnetic elements that are not among the species
        """
        if self.magnetic is None:
            return self.soap(species)
        from gapy.descriptors import MagneticSOAP

        return MagneticSOAP(self.soap(species), self.magnetic)

    def soap(self, species):
        """The smooth dscribe SOAP for chemical symbols or atomic numbers.

        Raises
        ------
        GapyError : settings that dscribe refuses
        """
        from gapy.descriptors import soap_of

        return soap_of(species, **self._given(*BASIS))

    def baselines(self) -> tuple:
        """The `baselines` of SparseGPRegressor.

        Raises
        ------
        GapyError : a kind or setting that is unknown or out of range, a ZBL both given and refused
        """
        if not self.baseline:
            return (AUTOMATIC,) if self.zbl else ()
        from gapy.baselines import from_settings

        made = tuple(from_settings(kind, table) for kind, table in self.baseline.items())
        if "zbl" not in self.baseline:
            return (AUTOMATIC, *made) if self.zbl else made
        if not self.zbl:
            raise GapyError("zbl: false beside a table [baseline.zbl]; leave one of the two out")
        return made

    def regressor_arguments(self) -> dict:
        """Arguments of SparseGPRegressor but for the descriptor, keys, threads and progress."""
        return self._given("n_inducing", "zeta", "n_components", "seed") | self.regressor_options()

    def regressor_options(self) -> dict:
        """Arguments of SparseGPRegressor that are neither descriptor nor kernel.

        Its own defaults stand for a prior scale and noise that nobody gave. Searches of
        `gapy tune` record these names and values, and go on only where they are the same.
        """
        return {
            **self._given(*LEARNT),
            "noise_overrides": self.noise,
            "optimize": self.learns_noise(),
            "e0": self.e0,
            "selection": self.selection,
            "fit_stress": self.stress,
            "force_tolerance": self.force_tolerance,
            **({} if (made := self.baselines()) == (AUTOMATIC,) else {"baselines": made}),
        }

    def _given(self, *names: str) -> dict:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def unit_of(name: str) -> str:
    """The unit of a setting, or nothing."""
    return _field(name).metadata["unit"] or (RANGES[name][2] if name in RANGES else "")


def help_of(name: str) -> str:
    """One line on a setting: what it is, its unit, and [what holds without it]."""
    setting, unit = _field(name), unit_of(name)
    about, unsaid = setting.metadata, setting.metadata["unsaid"]
    if setting.default is not None:
        unsaid = "yes" if setting.default is True else str(setting.default)
    return f"{about['help']}{unit and f', {unit}'}{unsaid and f' [{unsaid}]'}."


def _field(name: str):
    (found,) = (f for f in fields(ModelSettings) if f.name == name)
    return found
