"""The report for terminals."""

from __future__ import annotations

from collections import Counter

from gapy._support.tables import columns, facts, number

SHOWN = 10


def report_text(report) -> str:
    """Tables and findings of an InspectionReport, one screen or two."""
    labels = ", ".join(f"{n} {kind}" for kind, n in report.labels.items() if n) or "none"
    parts = [
        facts(
            [
                ("structures", f"{report.n_structures} ({report.n_atoms} atoms)"),
                ("structures with labels", labels),
                (
                    "neighbours within",
                    f"{report.neighbour_cutoff:.2f} A ({report.neighbour_cutoff_source})",
                ),
                ("errors from", report.fit),
            ]
        ),
        _ranges("config_type", report.groups),
        _ranges("element", report.elements) if len(report.elements) > 1 else "",
        _effects(report.groups),
        _coordination(report),
        _listed("covered thinly", [f"{name}: {why}" for name, why in report.thin.items()]),
        _listed("not covered", report.uncovered),
        _suggested(report),
    ]
    return "\n\n".join(part for part in parts if part)


def _ranges(title: str, groups) -> str:
    rows = [
        (title, "structures", "atoms", "share", "volume", "energy", "forces", "", "neighbours",
         "nearest"),
        ("", "", "", "%", "A^3/atom", "eV/atom", "RMS", "max eV/A", "min mean max", "A"),
    ]  # fmt: skip
    for g in groups:
        low, mean, high = g.coordination
        rows.append(
            (
                g.name, str(g.n_structures), str(g.n_atoms), f"{100 * g.share:.1f}",
                span(g.volume, 2), span(g.energy, 3), number(g.force_rms),
                number(g.force_max, digits=2),
                f"{low} {mean:.1f} {high}", number(g.nearest, digits=2),
            )
        )  # fmt: skip
    return columns(rows)


def _effects(groups) -> str:
    rows = [
        ("config_type", "kernel distance", "to other", "error of", "error of", "mean"),
        ("", "to other structures", "groups", "energy meV/atom", "forces eV/A", "leverage"),
    ]
    for g in groups:
        rows.append(
            (
                g.name,
                number(g.distance_within, digits=4),
                number(g.distance_outside, digits=4),
                number(g.energy_error, 1e3, 2),
                number(g.force_error),
                number(g.leverage, digits=4),
            )
        )
    return columns(rows)


def _coordination(report) -> str:
    lines = []
    for symbol, counts in report.coordination.items():
        total = sum(counts.values())
        shares = ", ".join(f"{c}: {per_cent(n / total)}" for c, n in sorted(counts.items()))
        lines.append(f"{symbol}  {shares}")
    return _listed("neighbours, % of the atoms", lines)


def per_cent(share: float) -> str:
    """A share in %, two digits where it is small."""
    return f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.2g}"


def _suggested(report) -> str:
    """The first of each kind, and how many more there are."""
    seen, lines = Counter(), []
    total = Counter(s.action for s in report.suggestions)
    for s in sorted(report.suggestions, key=lambda s: ("check", "label", "drop").index(s.action)):
        seen[s.action] += 1
        if seen[s.action] <= SHOWN:
            lines.append(f"{s.action:<5}  {s.what}: {s.reason}")
        elif seen[s.action] == SHOWN + 1:
            lines.append(
                f"{s.action:<5}  ... and {total[s.action] - SHOWN} more (--json lists all)"
            )
    return _listed("suggestions", lines)


def _listed(title: str, lines) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) if lines else ""


def span(values, digits: int) -> str:
    """(lowest, highest) in words, `-` where they are not known."""
    if values is None:
        return "-"
    low, high = values
    if f"{low:.{digits}f}" == f"{high:.{digits}f}":
        return f"{low:.{digits}f}"
    return f"{low:.{digits}f} to {high:.{digits}f}"
