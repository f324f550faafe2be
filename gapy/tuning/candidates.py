"""What is tried: settings of the descriptor and the kernel, and the grid around a first guess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from numbers import Integral, Real

from gapy._support.ranges import require_range
from gapy.errors import GapyError
from gapy.fit.setting_kinds import components, components_of
from gapy.fit.settings import ModelSettings
from gapy.fit.term_tables import SUMS, sum_of_terms
from gapy.gp.components import LEAST_FEATURES, TOLERANCE

BASES = ((8, 8), (8, 6), (6, 4), (4, 3))
"""(n_max, l_max) of the first round."""
PAIR_WORK = 50.0
"""Floating point operations of a tabulated function and its slope, roughly."""
CUTOFFS = (0.85, 1.0, 1.15)
"""Cutoffs of the first round, as multiples of the automatic one."""


@dataclass(frozen=True, order=True)
class Candidate:
    """One set of settings: r_cut and sigma in A, inducing points per species.

    n_components: as of SparseGPRegressor, as text, so that candidates can be ordered. terms: which
    terms there are, two SOAPs made of the one that the others say (`gapy.fit.term_tables`).
    """

    r_cut: float
    sigma: float
    n_max: int
    l_max: int
    zeta: int
    n_inducing: int
    compression: str = "off"
    n_components: str = "auto"
    terms: str = "soap"

    def descriptors(self, species):
        """The SOAP, or the terms of a sum. Raises GapyError if dscribe refuses the settings."""
        return ModelSettings(**self.to_dict()).descriptors(species)

    def soap(self, species):
        """The dscribe SOAP. Raises GapyError if dscribe refuses the settings."""
        return ModelSettings(**self.to_dict()).soap(species)

    def to_dict(self) -> dict:
        """Plain values by name, n_components as the regressor takes it."""
        return {**asdict(self), "n_components": components_of(self.n_components)}


NAMES = tuple(f.name for f in fields(Candidate))


def checked_lists(lists: Mapping) -> dict[str, tuple]:
    """{setting: values} without duplicates, each value of the right kind.

    Raises
    ------
    GapyError : an unknown setting, no values, or a value that makes no sense
    """
    out = {}
    for name, values in lists.items():
        if name not in NAMES:
            raise GapyError(f"{name}: expected one of {', '.join(NAMES)} to vary")
        values = tuple(dict.fromkeys(values))
        if not values:
            raise GapyError(f"{name}: expected at least one value, got none")
        out[name] = tuple(_checked(name, value) for value in values)
    return out


def _checked(name: str, value):
    if name == "n_components":
        components(name, name, components_of(value))
        return str(value)
    if name == "terms":
        sum_of_terms(name, name, value)
        return value
    if name == "compression":
        if value not in ("off", "mu2", "mu1nu1", "crossover"):
            raise GapyError(f"{name}: expected off, mu2, mu1nu1 or crossover, got {value!r}")
        return value
    if name in ("r_cut", "sigma"):
        if not isinstance(value, Real) or isinstance(value, bool) or not 0.0 < value < 1e3:
            raise GapyError(f"{name}: expected positive numbers (A), got {value!r}")
        require_range(name, value)
        return float(value)
    least = 0 if name == "l_max" else 1
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise GapyError(f"{name}: expected whole numbers of at least {least}, got {value!r}")
    require_range(name, value)
    return int(value)


def all_of(lists: Mapping[str, tuple], guess: Candidate) -> list[Candidate]:
    """The product of the lists; the guess gives the other settings."""
    return [
        replace(guess, **dict(zip(lists, values)))
        for values in dict.fromkeys(product(*lists.values()))
    ]


def first_round(guess: Candidate, n_species: int = 1) -> list[Candidate]:
    """Cutoffs and bases around the guess of so many species with half its points.

    For several species also the bases with the other compression (see `neighbours`): a basis may be
    too dear for a budget without it.

    Few points make the first rounds fast; how many are worth it shows in the last one, on all
    structures.
    """
    bases = dict.fromkeys([(guess.n_max, guess.l_max), *BASES])
    half = max(guess.n_inducing // 2, 1)
    out = [
        replace(guess, r_cut=round(f * guess.r_cut, 1), n_max=n, l_max=l, n_inducing=half)
        for f, (n, l) in product(CUTOFFS, bases)
    ]
    at_guess = [c for c in out if c.r_cut == round(guess.r_cut, 1)]
    return [*out, *(replace(c, compression=o) for c in at_guess for o in _other(c, n_species))]


def _other(candidate: Candidate, n_species: int) -> list[str]:
    """Compressions to try instead: the mixing with the total density, which costs less, or none."""
    pair = ("off", "mu1nu1")
    if n_species < 2 or candidate.compression not in pair:
        return []
    return [other for other in pair if other != candidate.compression]


def neighbours(candidate: Candidate, n_species: int = 1) -> list[Candidate]:
    """Single steps around a candidate of so many species, for the second round.

    In cutoff, width and exponent, other sums of terms, fewer components or the whole descriptor
    where by default there are components; and for several species the mixing with the total
    density, which costs less than none, or none.
    """
    steps = [{"r_cut": round(candidate.r_cut + d, 2)} for d in (-0.3, 0.3)]
    steps += [{"sigma": round(f * candidate.sigma, 2)} for f in (0.8, 1.2)]
    steps += [{"zeta": zeta} for zeta in (1, 2, 3, 4)]
    steps += [{"terms": text} for text in SUMS]
    if candidate.compression == "off" and _n_features(candidate) >= LEAST_FEATURES:
        steps += [{"n_components": text} for text in ("1e-3", "off")]
    steps += [{"compression": other} for other in _other(candidate, n_species)]
    near = (replace(candidate, **step) for step in steps)
    return [c for c in near if c != candidate and c.r_cut > 1.0]


def last_round(survivors: list[Candidate], guess: Candidate) -> list[Candidate]:
    """Survivors of a default search with their points and twice as many, and the guess."""
    both = [replace(c, n_inducing=m * c.n_inducing) for c in survivors for m in (1, 2)]
    return [*both, guess]


def with_fixed(candidates: list[Candidate], fixed: Mapping) -> list[Candidate]:
    """Candidates with the settings that are fixed, each once."""
    return list(dict.fromkeys(replace(c, **fixed) for c in candidates))


def work(candidate: Candidate, n_features: int, n_neighbours: float) -> float:
    """Floating point operations of a force call per atom, roughly.

    It orders candidates by cost in the same way on every machine, so that what a search tries
    does not hang on the clock.
    """
    pairs = 0.0
    if candidate.terms.endswith("pair"):
        pairs = PAIR_WORK * n_neighbours
    if "soap+soap" in candidate.terms:
        # Two of about the length of the one, together with as many neighbours as fill its sphere
        # twice: 1.2^3 + 0.7^3.
        alone = replace(candidate, terms="soap")
        return 2.0 * work(alone, n_features, n_neighbours) + pairs
    whole, n_features = n_features, n_components(candidate, n_features)
    harmonics = (candidate.l_max + 1) ** 2
    expansion = 8.0 * n_neighbours * candidate.n_max * harmonics
    spectrum = 8.0 * whole * (candidate.l_max + 1)
    projection = 4.0 * whole * n_features if n_features < whole else 0.0
    # With zeta = 2 the kernel sum is a quadratic form in the descriptor.
    columns = min(candidate.n_inducing, n_features) if candidate.zeta == 2 else candidate.n_inducing
    return expansion + spectrum + projection + 4.0 * n_features * columns + pairs


def n_components(candidate: Candidate, n_features: int) -> int:
    """Components of a descriptor that the kernel of a candidate takes, roughly, before any fit.

    A share of the moments leaves about 5 sqrt(n_features) of them by default (measured: 80 of 252
    for silicon, 224 of 3696 for a molecule), and fewer the more may be lost.
    """
    asked = components_of(candidate.n_components)
    if asked == "off" or (asked == "auto" and n_features < LEAST_FEATURES):
        return n_features
    if isinstance(asked, int):
        return min(asked, n_features)
    share = TOLERANCE if asked == "auto" else asked
    return min(
        n_features, round(5.0 * math.sqrt(n_features) * math.log(share) / math.log(TOLERANCE))
    )


def _n_features(candidate: Candidate) -> int:
    """Of a descriptor of one species."""
    return (candidate.l_max + 1) * candidate.n_max * (candidate.n_max + 1) // 2
