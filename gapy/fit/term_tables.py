"""Terms of a model from settings: a word for the usual sums, or a table [[term]] for each.

Without numpy until terms are made, as the settings are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from gapy.errors import GapyError
from gapy.fit.setting_kinds import Whole, counts, elements, positive

SUMS = ("soap", "soap+pair", "soap+soap", "soap+soap+pair")
"""What `terms` may be. Two SOAPs: a wide smooth one and a short sharp one, both around the one that
the other settings say."""
WIDE = {"r_cut": 1.2, "l_max": -2, "sigma": 1.2}
SHORT = {"r_cut": 0.7, "l_max": 2, "sigma": 0.8}
"""Multiples of the cutoff and of the width, and steps of l_max."""
OF_SOAP = ("r_cut", "n_max", "l_max", "sigma", "compression", "magnetic")
OF_TERM = ("zeta", "n_inducing", "delta", "selection", "n_components", "species")
OF_PAIR = ("r_cut", "length", "n_inducing", "delta", "transition", "species")
KEYS = {"soap": (*OF_SOAP, *OF_TERM), "pair": OF_PAIR}


def sum_of_terms(name: str, shown: str, value) -> None:
    """One of SUMS."""
    if value not in SUMS:
        raise GapyError(f"{shown}: expected one of {', '.join(SUMS)}, got {value!r}")


def _lengths(name: str, shown: str, value) -> None:
    """A positive number, or a few to try."""
    for one in value if isinstance(value, list | tuple) and len(value) else [value]:
        positive(name, shown, one)


def term_tables(name: str, shown: str, value) -> None:
    """Tables [[term]] with a kind and its keys."""
    listed = isinstance(value, list | tuple) and all(isinstance(v, Mapping) for v in value)
    if not listed:
        raise GapyError(f"{shown}: expected tables [[term]], got {value!r}")
    for k, table in enumerate(value, 1):
        kind = table.get("kind")
        if kind not in KEYS:
            raise GapyError(
                f"{shown} {k}, kind: expected one of {', '.join(KEYS)}, got {kind!r}; correct it"
            )
        for key, given in table.items():
            where = f"{shown} {k}, {key}"
            if key != "kind" and key not in KEYS[kind]:
                raise GapyError(
                    f"{where}: expected one of {', '.join(KEYS[kind])}; correct or remove it"
                )
            check: Any = {
                "r_cut": positive, "sigma": positive, "length": _lengths, "delta": positive,
                "transition": positive, "n_inducing": counts, "zeta": Whole(1), "n_max": Whole(1),
                "l_max": Whole(0), "magnetic": elements,
            }.get(key)  # fmt: skip
            if check is not None:
                check(key, where, given)
    if value and all(table["kind"] == "pair" for table in value):
        raise GapyError(f"{shown}: expected at least one of kind soap, got pairs only; add one")


def refuse_idle(settings) -> None:
    """Raise GapyError for a setting that every table [[term]] to which it could apply has itself.

    settings: ModelSettings as they were given, before anything is chosen from the data.
    """
    soaps = [table for table in settings.term if table["kind"] == "soap"]
    for key in (*OF_SOAP, *OF_TERM[:-1]):
        takers = settings.term if key == "delta" else soaps
        given, unsaid = getattr(settings, key), type(settings).__dataclass_fields__[key].default
        if takers and given != unsaid and all(key in table for table in takers):
            raise GapyError(
                f"{settings.shown(key)}: {given} has no effect, each table [[term]] has its own; "
                "leave one of the two out"
            )


def terms_of(settings, species: Sequence):
    """What SparseGPRegressor takes as its descriptor; settings: ModelSettings."""
    from gapy.fit.pair_settings import Pair

    if settings.term:
        return [_term(table, settings, species) for table in settings.term]
    if settings.terms in (None, "soap"):
        return settings.atomic_descriptor(species)
    out: list[Any] = [settings.atomic_descriptor(species)]
    if "soap+soap" in settings.terms:
        out = [_around(settings, steps).atomic_descriptor(species) for steps in (WIDE, SHORT)]
    if settings.terms.endswith("pair"):
        # Of the cutoff of the SOAP, so that both work on one list of pairs.
        out.append(Pair(r_cut=settings.r_cut or 5.0))
    return out


def _around(settings, steps: Mapping):
    """The settings with another cutoff, l_max and width."""
    r_cut, l_max, sigma = settings.r_cut or 5.0, settings.l_max, settings.sigma
    l_max = 6 if l_max is None else l_max
    return settings.but(
        r_cut=round(steps["r_cut"] * r_cut, 2),
        l_max=max(l_max + steps["l_max"], min(l_max, 2)),
        sigma=round(steps["sigma"] * (0.5 if sigma is None else sigma), 3),
    )


def _term(table: Mapping, settings, species: Sequence):
    from gapy.fit.pair_settings import Pair
    from gapy.fit.term_settings import TermSettings

    own = {key: value for key, value in table.items() if key != "kind"}
    if isinstance(own.get("length"), list | tuple):
        raise GapyError(
            f"length: a list, {list(own['length'])}, is tried by fits in one process, `gapy fit` "
            "without workers or estimate; give one number here"
        )
    if table["kind"] == "pair":
        return Pair(**own)
    of_soap = {key: own.pop(key) for key in OF_SOAP if key in own}
    return TermSettings(settings.but(**of_soap).atomic_descriptor(species), **own)


def lengths_to_try(settings) -> list:
    """Settings with each combination of the lengths that pair tables list; none without a list."""
    listed = [
        [t["length"]] if not isinstance(t.get("length", 0.0), list | tuple) else t["length"]
        for t in settings.term
        if "length" in t
    ]
    if all(len(values) == 1 for values in listed):
        return []
    out = []
    for chosen in product(*listed):
        lengths = iter(chosen)
        tables = tuple(
            {**t, "length": next(lengths)} if "length" in t else t for t in settings.term
        )
        out.append(settings.but(term=tables))
    return out
