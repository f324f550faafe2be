"""All checks of health: the table of them, and the call that runs it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

from ase import Atoms

from gapy.errors import GapyError
from gapy.validation.health import (
    continuity,
    derivatives,
    dimers,
    dynamics,
    pulled,
    randomly,
    squeezing,
    symmetries,
)
from gapy.validation.health.check import Check, Settings, judged
from gapy.validation.names import names_among

HEALTH: dict[str, Callable] = {
    "forces": derivatives.forces,
    "stress": derivatives.stress,
    "rotation": symmetries.rotation,
    "translation": symmetries.translation,
    "permutation": symmetries.permutation,
    "inversion": symmetries.inversion,
    "extensivity": symmetries.extensivity,
    "continuity": continuity.continuity,
    "dimers": dimers.dimers,
    "pulled": pulled.pulled,
    "nve": dynamics.nve,
    "heating": dynamics.heating,
    "squeezing": squeezing.squeezing,
    "random": randomly.random_structures,
}
"""Name -> function of calculator, atoms and Settings that gives one Check or several."""
WITH_SIGMA = ("pulled", "heating", "squeezing", "random")
"""Checks that look at sigmas."""


def settings_of(potential, calculator, seed: int = 0) -> Settings:
    """What the checks need to know of a potential and its calculator with sigmas."""
    own = [float(t.descriptor.cutoff) for t in potential.terms]
    below = [b.cutoff for b in potential.baselines]
    nearest = None if potential.contacts is None else potential.contacts.nearest_s
    farthest = {} if nearest is None else dict(zip(potential.species, map(float, nearest)))
    return Settings(
        cutoffs=tuple(r for r in [*own, *below] if r is not None and 0.0 < r < float("inf")),
        endless=any(b.cutoff is None and not b.pairwise for b in potential.baselines),
        flag=calculator.largest_force_std,
        shortest=calculator.shortest_distances,
        farthest={z: r for z, r in farthest.items() if 0.0 < r < float("inf")},
        seed=seed,
    )


def chosen_checks(only: Iterable[str] | None) -> tuple[str, ...]:
    """The names given, all by default; GapyError for an unknown one."""
    return tuple(HEALTH) if only is None else names_among(only, tuple(HEALTH), "checks")


def run_health(
    calculator, atoms: Atoms, settings: Settings, *, plain=None, only: Iterable[str] | None = None
) -> tuple[Check, ...]:
    """The checks, in the order of HEALTH.

    calculator : with sigmas, as far as there are any
    plain : the same without, for the checks that look at none, which is faster
    only : names in HEALTH, all by default

    A check that cannot be computed fails, and its note says why. Raises GapyError for an unknown
    name.
    """
    chosen = chosen_checks(only)
    found: list[Check] = []
    for name, function in HEALTH.items():
        if name not in chosen:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of structures that are absurd on purpose
                of = calculator if plain is None or name in WITH_SIGMA else plain
                got = function(of, atoms, settings)
        except (GapyError, ArithmeticError) as error:
            got = judged(name, float("nan"), 0.0, "", f"cannot be computed: {error}")
        found += [got] if isinstance(got, Check) else got
    return tuple(found)
