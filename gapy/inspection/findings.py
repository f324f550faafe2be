"""From numbers to findings: outliers, thin groups, gaps, and what to do about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy.structures.labelled import is_isolated_type

UNUSUAL = 5.0
"""Robust standard deviations from the median of the group at which a structure is an outlier."""
FEW = 10
"""Structures below which a group is thin: its spread cannot be judged, let alone fitted."""
OWN_GROUP = 8
"""Structures that a group needs to be judged by its own median."""
TELLING = 0.1
"""Leverage below which a structure is one of many that say the same, however unusual it is."""
BELIEVED = 0.9
"""Leverage of an energy above which the model repeats what it was told."""
LONELY = 2.0
"""A group is thin from this ratio of its mean distance to other structures, or of its errors, to
those of all."""
REDUNDANT = 0.25
"""Distance of a structure to the others, over the median of all, below which it adds little."""
SHOWN = 10


@dataclass(frozen=True)
class Outlier:
    """A structure (index, where) with what is unusual about it."""

    index: int
    where: str
    config_type: str
    reason: str
    score: float


@dataclass(frozen=True)
class Suggestion:
    """action: "drop", "check" or "label"; what: a structure, a group or a range; reason."""

    action: str
    what: str
    reason: str


def outliers(structures, influence) -> list[Outlier]:
    """Structures with unusually large errors or leverages, the worst first."""
    group = np.array([s.config_type for s in structures])
    how = "left out" if influence.left_out else "predicted"
    energy = 1e3 * np.abs(influence.energy_error)
    rows = [
        (influence.force_error, 0.0, f"force error {{:.3g}} eV/A when {how}"),
        (energy, 0.0, f"energy error {{:.3g}} meV/atom when {how}"),
        (influence.leverage, TELLING, "mean leverage {:.2g}"),
    ]
    found: dict[int, list] = {}
    for values, least, text in rows:
        centre, z = _robust(values, group)
        for k in np.flatnonzero((z > UNUSUAL) & (values > 2.0 * centre) & (values > least)):
            ratio = f", {values[k] / max(centre[k], 1e-12):.0f} x the median"
            found.setdefault(int(k), []).append((z[k], text.format(values[k]) + ratio))
    out = [
        Outlier(k, structures[k].where, structures[k].config_type,
                "; ".join(t for _, t in parts), float(max(z for z, _ in parts)))
        for k, parts in found.items()
    ]  # fmt: skip
    return sorted(out, key=lambda o: -o.score)


def _robust(values: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median (n,) and deviation from it in units of 1.48 MAD, of the group if it is large enough.

    Logarithms are compared: errors spread over orders of magnitude.
    """
    known = np.isfinite(values)
    log = np.log(np.maximum(np.where(known, values, 1.0), 1e-12))
    centre, z = np.full(len(values), np.nan), np.full(len(values), -np.inf)
    for name in np.unique(group):
        own = known & (group == name)
        reference = own if own.sum() >= OWN_GROUP else known
        if reference.sum() < 4:
            continue
        median = np.median(log[reference])
        # Values that hardly differ have no outliers: 0.1 is a factor of 1.1.
        width = max(1.4826 * np.median(np.abs(log[reference] - median)), 0.1)
        centre[own], z[own] = np.exp(median), (log[own] - median) / width
    return centre, z


def thin_groups(summary, mean_distance: float | None) -> dict[str, str]:
    """Name -> reason of the groups that are covered thinly."""
    out = {}
    overall = {"energy": _rms(summary.energy_error), "force": _rms(summary.force_error)}
    for g in summary.groups:
        if is_isolated_type(g.name):
            continue
        reasons = []
        if g.n_structures < FEW:
            reasons.append(f"only {g.n_structures} structures")
        if g.distance_within and mean_distance and g.distance_within > LONELY * mean_distance:
            reasons.append(
                f"its environments are {g.distance_within / mean_distance:.1f} x as far from "
                "those of other structures as on average"
            )
        for kind, scale, unit in (("energy", 1e3, "meV/atom"), ("force", 1.0, "eV/A")):
            error = getattr(g, f"{kind}_error")
            if error and error > LONELY * overall[kind]:
                reasons.append(
                    f"its {kind} error is {scale * error:.3g} {unit}, "
                    f"{error / overall[kind]:.1f} x that of all"
                )
        if reasons:
            out[g.name] = " and ".join(reasons)
    return out


def gaps(summary) -> list[str]:
    """What the data do not cover, in sentences; `summary`: an InspectionReport without findings."""
    out = []
    volume = summary.volume[np.isfinite(summary.volume)]
    if len(volume) == 0:
        out.append("no periodic bulk structure: density and pressure are not covered")
    else:
        low, high, middle = volume.min(), volume.max(), np.median(volume)
        out.append(
            f"volumes below {low:.2f} ({100 * (low / middle - 1):+.0f} % of the median) and above "
            f"{high:.2f} A^3/atom ({100 * (high / middle - 1):+.0f} %)"
        )
        values = np.unique(volume.round(3))
        if high > 1.01 * low:
            wide = int(np.argmax(np.diff(values)))
            if values[wide + 1] - values[wide] > 0.25 * (high - low):
                out.append(
                    f"volumes between {values[wide]:.2f} and {values[wide + 1]:.2f} A^3/atom"
                )
    for symbol, counts in summary.coordination.items():
        total, present = sum(counts.values()), sorted(counts)
        rare = [c for c in range(present[0], present[-1] + 1) if counts.get(c, 0) < 1e-3 * total]
        fewer = f"fewer than {present[0]} or " if present[0] else ""
        text = f"{symbol} with {fewer}more than {present[-1]} neighbours"
        out.append(text + (f"; rarely {', '.join(map(str, rare))}" if rare else ""))
    for pair, distance in summary.shortest.items():
        out.append(f"{pair} pairs closer than {distance:.2f} A")
    if summary.force_max is not None:
        out.append(f"forces above {summary.force_max:.2f} eV/A")
    return out


def suggestions(summary, structures, candidates=()) -> list[Suggestion]:
    """What to label next, check or drop, with the reason."""
    out = []
    for t in summary.twins:
        first, repeat = structures[t.first].where, structures[t.repeat].where
        near = f"kernel distance {t.distance:.2g}"
        if t.contradicts:
            apart = f"energies {1e3 * t.energy_gap:.1f} meV/atom apart"
            out.append(Suggestion("check", repeat, f"nearly equal to {first} ({near}), {apart}"))
        else:
            out.append(Suggestion("drop", repeat, f"nearly equal to {first} ({near})"))
    for o in summary.outliers:
        out.append(Suggestion("check", o.where, o.reason))
    for k in np.argsort(-np.nan_to_num(summary.energy_leverage))[:SHOWN]:
        leverage = summary.energy_leverage[k]
        if leverage > BELIEVED:
            reason = f"its own energy label has leverage {leverage:.2f}: label more like it"
            out.append(Suggestion("label", f"like {structures[k].where}", reason))
    for name, reason in summary.thin.items():
        out.append(Suggestion("label", f"more of {name}", reason))
    out += _redundant(summary, structures)
    for c in candidates:
        reason = f"kernel distance {c.distance:.3g} to the nearest labelled or chosen environment"
        out.append(Suggestion("label", c.where, reason))
    return out


def _redundant(summary, structures) -> list[Suggestion]:
    """Structures close to others though not equal: the first to go if the set is too large."""
    novelty = summary.novelty
    if not np.isfinite(novelty).any():
        return []
    limit = REDUNDANT * np.nanmedian(novelty)
    repeats = {k for t in summary.twins for k in (t.first, t.repeat)}
    # A small strain is a small distance, but says much: the labels' leverage must agree.
    idle = ~(summary.leverage > 0.5 * _median(summary.leverage))
    order = np.argsort(np.nan_to_num(novelty, nan=np.inf))
    near = [int(k) for k in order if novelty[k] < limit and idle[k] and int(k) not in repeats]
    return [
        Suggestion(
            "drop", structures[k].where,
            f"no environment further than {novelty[k]:.2g} from other structures "
            f"(median {np.nanmedian(novelty):.2g})"
            + (f", leverage {summary.leverage[k]:.2g}" if np.isfinite(summary.leverage[k]) else ""),
        )
        for k in near[:SHOWN]
    ]  # fmt: skip


def _rms(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.sqrt((known**2).mean())) if len(known) else np.inf


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.inf
