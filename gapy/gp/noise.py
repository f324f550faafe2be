"""Noise of the labels: one standard deviation per label kind, adjustable per config_type."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from types import MappingProxyType

from gapy._support.ranges import require_range
from gapy.errors import GapyError

KINDS = ("energy", "forces", "stress")
FAR, MET = 3.0, 0.3
WORTH_A_WORD = {"energy": 0.005, "forces": 0.1, "stress": 0.005}
"""Learnt noise of a group is remarkable if it is FAR times that of the others and above this size
(eV/atom, eV/A, eV/A^3), unless the fit leaves less than the share MET of it."""


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the labels of each kind.

    An energy row of a structure of N atoms has the standard deviation energy * sqrt(N); the rows
    of force components and stress components have forces and stress.

    Attributes
    ----------
    energy : eV/atom
    forces : eV/A
    stress : eV/A^3; the default, 0.16 GPa, is about the basis-set error of a plane-wave stress at
        usual cutoffs and weighs, at 20 A^3 per atom, like 0.02 eV/atom
    overrides : config_type -> {kind: sigma}; kinds that are not named keep the values above
    own : config_type -> {kind: factor} of structures that state their own sigma, which is absolute:
        the standard deviation is that sigma times the factor, which is 1 unless it has been learnt

    Raises
    ------
    GapyError : a sigma that is not a number from 1e-12 to 1e12, or a kind that does not exist
    """

    energy: float = 0.001
    forces: float = 0.05
    stress: float = 0.001
    overrides: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)
    own: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for kind in KINDS:
            object.__setattr__(self, kind, _sigma(getattr(self, kind), f"noise {kind}", kind))
        for table in ("overrides", "own"):
            checked = {
                name: _override(name, sigmas)
                for name, sigmas in _mapping(getattr(self, table), f"noise {table}").items()
            }
            object.__setattr__(self, table, MappingProxyType(checked))

    def __reduce__(self) -> tuple:
        return type(self).from_dict, (self.to_dict(),)

    def sigma(self, kind: str, config_type: str, own: bool = False) -> float:
        """Standard deviation of one label kind in one config_type; eV/atom, eV/A or eV/A^3.

        own: the factor, without unit, of structures that state their own sigma.

        Raises
        ------
        GapyError : a kind other than energy, forces, stress
        """
        _require_kind(kind, "noise")
        if own:
            return self.own.get(config_type, {}).get(kind, 1.0)
        return self.overrides.get(config_type, {}).get(kind, getattr(self, kind))

    def scaled(self, factors: Mapping[tuple[str, bool], float], groups) -> "Noise":
        """Noise with the sigmas of `groups` multiplied by the factor of their (kind, own).

        groups : (kind, config_type, own) of noise groups. The sigma of a kind is scaled with any
        group of it that states no own noise.
        """
        groups = [tuple(group) for group in groups]

        def of(table, own):
            return {
                name: {
                    k: v * factors.get((k, own), 1.0) if (k, name, own) in groups else v
                    for k, v in sigmas.items()
                }
                for name, sigmas in table.items()
            }

        kinds = {kind for kind, _, own in groups if not own}
        return replace(
            self,
            **{kind: getattr(self, kind) * factors.get((kind, False), 1.0) for kind in kinds},
            overrides=of(self.overrides, False),
            own=of(self.own, True),
        )

    def to_dict(self) -> dict:
        """Plain dictionary for a JSON header; the inverse of from_dict."""
        out = {kind: getattr(self, kind) for kind in KINDS}
        out["overrides"] = {name: dict(sigmas) for name, sigmas in self.overrides.items()}
        if self.own:
            out["own"] = {name: dict(sigmas) for name, sigmas in self.own.items()}
        return out

    @classmethod
    def from_dict(cls, values: Mapping) -> "Noise":
        """Noise from a dictionary as to_dict writes it; missing keys take their defaults.

        Raises
        ------
        GapyError : an unknown key, or what the constructor refuses
        """
        known = (*KINDS, "overrides", "own")
        unknown = [k for k in _mapping(values, "noise") if k not in known]
        if unknown:
            raise GapyError(
                f"noise: expected the keys {', '.join(known)}, got {unknown[0]!r}; "
                "correct or remove it"
            )
        return cls(**values)


def outliers(noise: Noise, metadata: Mapping) -> tuple[dict, ...]:
    """Groups of labels whose learnt noise is far above the median of the others of their kind.

    As the likelihood has it; in a fit no group is much less exact than its kind. Labels that the
    model meets far better than that are no such group: the likelihood took their share in the
    errors of others for noise. metadata: of the model; it says whether the noise was learnt, given
    noise is nobody's surprise, and what the fit left of the labels.
    Each is {"config_type", "kind", "sigma", "others"}, in eV/atom, eV/A, eV/A^3.
    """
    if not metadata.get("noise_learnt", True):
        return ()
    if "likely_noise" in metadata:
        noise = Noise.from_dict(metadata["likely_noise"])
    residuals = metadata.get("residuals", {})
    found = []
    for kind in KINDS:
        sigmas = {name: of[kind] for name, of in noise.overrides.items() if kind in of}
        for name, sigma in sigmas.items():
            rest = [s for other, s in sigmas.items() if other != name]
            left = residuals.get(name, {}).get(kind, sigma)
            if left < MET * sigma:
                continue
            if rest and sigma > max(FAR * median(rest), WORTH_A_WORD[kind]):
                entry = {"config_type": name, "kind": kind, "sigma": sigma, "others": median(rest)}
                found.append(entry)
    return tuple(found)


def _override(config_type: str, sigmas: Mapping[str, float]) -> Mapping[str, float]:
    where = f"noise of config_type {config_type!r}"
    for kind in _mapping(sigmas, where):
        _require_kind(kind, where)
    checked = {kind: _sigma(value, f"{where}, {kind}", kind) for kind, value in sigmas.items()}
    return MappingProxyType(checked)


def _require_kind(kind: str, where: str) -> None:
    if kind not in KINDS:
        raise GapyError(
            f"{where}: label kind expected one of {', '.join(KINDS)}, got {kind!r}; correct it"
        )


def _mapping(value: object, where: str) -> Mapping:
    if not isinstance(value, Mapping):
        raise GapyError(f"{where}: expected a mapping, got {value!r}; give names and values")
    return value


def _sigma(value: object, where: str, kind: str) -> float:
    try:
        sigma = float(value)
    except (TypeError, ValueError):
        sigma = math.nan
    if not (math.isfinite(sigma) and sigma > 0):
        raise GapyError(
            f"{where}: expected a positive finite number, got {value!r}; correct its value"
        )
    require_range(f"sigma_{kind}", sigma, where)
    return sigma
