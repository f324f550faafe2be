"""Settings of `gapy fit` that nobody gave: chosen from the data, or the fixed ones."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace

from gapy.cli.settings import FitSettings
from gapy.fit.term_tables import lengths_to_try

FIXED = {
    "r_cut": 5.0,
    "n_max": 8,
    "l_max": 8,
    "sigma": 0.5,
    "compression": "off",
    "zeta": 4,
    "n_inducing": 1000,
}
"""What holds where the cutoff is given: a choice of the cutoff is a choice of the descriptor."""
SHOWN = {"r_cut": " A", "sigma": " A"}


def completed(settings: FitSettings, structures, atoms=None) -> tuple[FitSettings, str]:
    """Settings without gaps, and a few words on what was chosen and why (or nothing).

    atoms: {symbol: number} where the structures are only a sample.
    """
    missing = [name for name in FIXED if getattr(settings, name) is None]
    if _states_cutoffs(settings):
        return replace(settings, **{name: FIXED[name] for name in missing}), ""
    from gapy.descriptors import auto_soap
    from gapy.structures import check_structures

    with warnings.catch_warnings():
        # Errors name file and frame; what is only odd is said by the fit.
        warnings.simplefilter("ignore")
        check_structures(structures)
    given = ("n_max", "l_max", "sigma", "compression", "zeta")
    options = {name: getattr(settings, name) for name in given}
    chosen = auto_soap(structures, **options, atoms=atoms)
    words = ", ".join(
        f"{name} {_text(getattr(chosen, name))}{SHOWN.get(name, '')} ({chosen.reasons[name]})"
        for name in missing
    )
    filled = replace(settings, **{name: getattr(chosen, name) for name in missing})
    return filled, f"chosen from the data: {words}"


def regressor_of(settings: FitSettings, symbols, structures):
    """What completed settings ask for, for these species; structures: whose neighbours are counted.

    Raises StructureError for a cutoff that reaches too many of them.
    """
    from gapy.fit.regressor import SparseGPRegressor
    from gapy.geometry.neighbours import check_reach

    own = [table["r_cut"] for table in settings.term if "r_cut" in table]
    for s in structures:
        check_reach(s.atoms, max([settings.r_cut, *own]))  # before dscribe makes a basis that wide
    return SparseGPRegressor(
        settings.descriptors(list(symbols)),
        **settings.regressor_arguments(),
        threads=settings.threads,
        progress=sys.stderr.isatty(),
    )


def choose_scale(settings: FitSettings, symbols, structures) -> tuple[FitSettings, str]:
    """The scale of charges that is left to the labels, and a line on it (or nothing)."""
    from gapy.baselines import Coulomb

    table = settings.baseline.get(Coulomb.kind, {})
    if table.get("scale") != "fit":
        return settings, ""
    from gapy.fit.beginning import baselines_for
    from gapy.fit.charge_scale import charge_scale

    regressor = regressor_of(settings, symbols, structures)
    descriptors = [term.descriptor for term in regressor.term_settings()]
    baselines = baselines_for(regressor, descriptors, [s.atoms for s in structures])
    found = charge_scale(regressor, baselines, structures)
    tables = {**settings.baseline, Coulomb.kind: {**table, "scale": found.value}}
    return replace(settings, baseline=tables), (
        f"scale of the charges: {found.value:.3f}, standard error {found.error:.2g} "
        f"(left-out errors of {found.n_structures} structures)"
    )


def _states_cutoffs(settings: FitSettings) -> bool:
    """Whether all cutoffs of SOAPs are given, in the settings or in each table [[term]]."""
    soaps = [table for table in settings.term if table["kind"] == "soap"]
    of_tables = bool(soaps) and all("r_cut" in table for table in soaps)
    return settings.r_cut is not None or of_tables


def choose_compression(
    asked: FitSettings, settings: FitSettings, symbols, structures
) -> tuple[FitSettings, str]:
    """Settings with the compression that left-out errors prefer for few species, and a line on it.

    asked: settings before `completed`; where the compression, the cutoff or any term is given, or
    the number of species decides, nothing happens.
    """
    stated = asked.compression is not None or asked.r_cut is not None or bool(asked.term)
    if stated or asked.terms is not None or settings.compression != "off" or len(symbols) < 2:
        return settings, ""
    from gapy.fit.descriptor_choice import MIXING, choose_mixing

    other = replace(settings, compression="mu1nu1")
    with_total = other.descriptors(list(symbols))
    choice = choose_mixing(regressor_of(settings, symbols, structures), with_total, structures)
    if choice.gain is None:
        return settings, ""  # the line on zeta says that there are too few
    chosen = other if choice.other else settings
    return chosen, (
        f"compression {chosen.compression} by left-out errors of {choice.n_structures} structures: "
        f"off and mu1nu1 {_gained(choice)} (mu1nu1 must gain {100 * MIXING:.0f} % and three "
        "standard errors)"
    )


def choose_terms(asked: FitSettings, settings: FitSettings, regressor, symbols, structures) -> str:
    """Give the regressor two SOAPs where left-out errors say that they pay; say so in a line.

    asked: settings before `completed`; where the cutoff or any sum of terms is given, nothing
    happens.
    """
    if asked.terms is not None or asked.term or asked.r_cut is not None:
        return ""
    from gapy.fit.descriptor_choice import SUM, choose_sum, fewer_of_each

    two = replace(settings, terms="soap+soap").descriptors(list(symbols))
    choice = choose_sum(regressor, two, structures)
    if choice.gain is None:
        return ""  # the line on zeta says that there are too few
    if choice.other:
        points = fewer_of_each(regressor.n_inducing)
        if asked.n_inducing is not None:
            points = regressor.n_inducing
        regressor.set_params(descriptor=two, n_inducing=points)
    return (
        f"terms {'soap+soap' if choice.other else 'soap'} by left-out errors of "
        f"{choice.n_structures} structures: of one SOAP and of two {_gained(choice)} "
        f"(two must gain {100 * SUM:.0f} % and three standard errors)"
    )


def _gained(choice) -> str:
    """Left-out errors of both descriptors of a choice, and the gain."""
    units = {"energy": (1e3, "meV/atom"), "forces": (1.0, "eV/A")}
    errors = ", ".join(
        f"{units[kind][0] * a:.3g} and {units[kind][0] * b:.3g} {units[kind][1]}"
        for kind, (a, b) in (choice.errors or {}).items()
    )
    return f"{errors}, gain {100 * choice.gain:.0f} ± {100 * choice.error:.0f} %"


def choose_lengths(settings: FitSettings, symbols, structures) -> tuple[FitSettings, str]:
    """Settings with the likeliest of the lengths that pair tables list, and a line that says so.

    A fit for each: the length changes the columns of the statistic.
    """
    tried = []
    for one in lengths_to_try(settings):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd is said by the fit itself
            fitted = regressor_of(one, symbols, structures).fit(structures)
        tried.append((fitted.log_marginal_likelihood(), one))
    if not tried:
        return settings, ""
    best = max(tried, key=lambda pair: pair[0])[1]
    shown = ", ".join(f"{_lengths_of(one)} A {value:.1f}" for value, one in tried)
    return best, f"length {_lengths_of(best)} A by log marginal likelihood: {shown}"


def _lengths_of(settings: FitSettings) -> str:
    return " and ".join(f"{t['length']:g}" for t in settings.term if "length" in t)


def choose_zeta(asked: FitSettings, regressor, structures) -> str:
    """Give the regressor the exponent with the least left-out errors, and say so in a line.

    asked: settings before `completed`; where zeta, the cutoff or a sum of terms is given, nothing
    happens.
    """
    of_one_soap = asked.terms in (None, "soap") and not asked.term
    if asked.zeta is not None or asked.r_cut is not None or not of_one_soap:
        return ""
    from gapy.fit.exponent import CLEARLY, ERRORS, FEWEST, choose_exponent

    choice = choose_exponent(regressor, structures)
    regressor.set_params(zeta=choice.zeta)
    if not choice.errors:
        return (
            f"zeta {choice.zeta}: too few labelled structures to choose by left-out errors "
            f"({choice.n_structures} in the sample, {FEWEST} needed)"
        )
    tried = "; ".join(_tried(z, choice) for z in sorted(choice.errors))
    return (
        f"zeta {choice.zeta} by left-out errors of {choice.n_structures} structures with "
        f"{choice.n_points} points: {tried} (another than 2 must gain {100 * CLEARLY:.0f} % and "
        f"{ERRORS:.0f} standard errors)"
    )


def _tried(z: int, choice) -> str:
    units = {"energy": (1e3, "meV/atom"), "forces": (1.0, "eV/A")}
    errors = ", ".join(
        f"{units[kind][0] * e:.3g} {units[kind][1]}" for kind, e in choice.errors[z].items()
    )
    if z == 2:
        return f"2: {errors}"
    return f"{z}: {errors}, gain {100 * choice.gain[z]:.0f} ± {100 * choice.sigma[z]:.0f} %"


def _text(value) -> str:
    if isinstance(value, dict):
        return " ".join(f"{symbol} {n}" for symbol, n in value.items())
    return value if isinstance(value, str) else f"{value:g}"
