"""Checks of a regressor's settings before any work is done."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np

from gapy._support.ranges import require_range
from gapy._support.sizes import require_fit
from gapy.baselines import AUTOMATIC, require_once
from gapy.errors import GapyError
from gapy.fit.setting_kinds import components
from gapy.structures import StructureWarning

OF_A_BASELINE = ("kind", "species", "pairwise", "cutoff", "evaluate", "settings")
"""What every `gapy.baselines.Baseline` has."""


def check_settings(gp) -> None:
    """Refuse before any work what would fail, or be cut to an integer, later."""
    check_term(gp)
    _require_count("threads", gp.threads)
    check_baselines(gp.baselines)
    gp.initial_noise()  # it checks its numbers
    is_whole = isinstance(gp.seed, Integral)
    if not (is_whole and gp.seed >= 0):
        raise GapyError(
            f"seed: expected a non-negative integer, so that a fit can be repeated, got {gp.seed!r}"
        )


def check_baselines(given) -> None:
    """Refuse what is no list of baselines."""
    listed = given if isinstance(given, list | tuple) else (None,)
    for one in listed:
        if isinstance(one, str) and one == AUTOMATIC:
            continue
        if isinstance(one, type) or not all(hasattr(one, name) for name in OF_A_BASELINE):
            raise GapyError(
                f"baselines: expected a list of gapy.baselines such as [ZBL()], got {given!r}; "
                "give a list, ['zbl'] for a ZBL made for the data, () for none"
            )
    require_once(given)


def check_term(settings) -> None:
    """Refuse zeta, n_inducing and delta of a term, or of a regressor, that are no such numbers."""
    wanted = settings.n_inducing
    counts = list(wanted.values()) if isinstance(wanted, Mapping) else [wanted]
    for name, value in (("zeta", settings.zeta), *(("n_inducing", n) for n in counts)):
        _require_count(name, value)
        require_range(name, value)
    components("n_components", "n_components", settings.n_components)
    delta = settings.delta
    is_real = isinstance(delta, Real)
    if not (is_real and 0.0 < delta < np.inf):
        raise GapyError(f"delta: expected a positive finite number (eV), got {delta!r}")
    require_range("delta", delta)


def _require_count(name: str, value) -> None:
    is_real = isinstance(value, Real)
    if not (is_real and value >= 1 and value % 1 == 0):
        raise GapyError(f"{name}: expected an integer of at least 1, got {value!r}")


def check_size(terms, structures) -> None:
    """Refuse a fit that the memory cannot hold; terms: complete TermSettings."""
    present = Counter(int(z) for s in structures for z in s.atoms.numbers)
    for term in terms:
        if term.descriptor.of_pairs:
            continue
        n_points = sum(min(term.most_points, n) for n in present.values())
        require_fit(n_points, term.descriptor.n_features)


def check_overrides(overrides, structures, fit_stress=True, more_may_come=False) -> None:
    """Refuse noise overrides that no label takes; only warn if their structures may still come."""
    check_overrides_among(overrides, label_kinds(structures, fit_stress), more_may_come)


def check_overrides_among(overrides, found, more_may_come=False) -> None:
    """As `check_overrides`, for the kinds of labels of each config_type, as `label_kinds` says."""
    for where, message in _idle_overrides(overrides, found):
        if more_may_come:
            warnings.warn(
                f"{where}: {message} so far; it waits for such structures",
                StructureWarning,
                stacklevel=3,
            )
        else:
            raise GapyError(f"{where}: {message}; correct the name or remove it")


def used_overrides(overrides, structures, fit_stress=True) -> dict:
    """The overrides that some label takes, for a fit to a part of the structures."""
    found = label_kinds(structures, fit_stress)
    out = {
        name: {kind: sigma for kind, sigma in sigmas.items() if kind in found.get(name, ())}
        for name, sigmas in overrides.items()
    }
    return {name: sigmas for name, sigmas in out.items() if sigmas}


def label_kinds(structures, fit_stress=True) -> dict[str, set[str]]:
    """{config_type: kinds of labels that a fit uses}."""
    out: dict[str, set[str]] = {}
    for s in structures:
        kinds = {"energy": s.energy, "forces": s.forces, "stress": s.stress if fit_stress else None}
        held = {kind for kind, label in kinds.items() if label is not None}
        out.setdefault(s.config_type, set()).update(held)
    return out


def _idle_overrides(overrides, found):
    """(name of the setting, what is wrong with it) of each override without effect."""
    for name, sigmas in overrides.items():
        where = f"noise_overrides, or [noise.{name}]"
        if name not in found:
            names = ", ".join(sorted(found))
            yield where, f"config_type {name!r} expected among {names}, found in no structure"
            continue
        for kind in sigmas:
            if kind not in found[name]:
                fitted = ", ".join(sorted(found[name])) or "nothing"
                yield where, f"{kind} labels expected in {name!r}, got {fitted} to be fitted"
