"""The report of `inspect` as sections of a page."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gapy._support.drawing import png
from gapy._support.tables import number
from gapy.inspection.picture import picture
from gapy.inspection.report import Group, InspectionReport
from gapy.inspection.text import per_cent, span
from gapy.validation.report_page import Picture, Section, Table, page

OF_STRUCTURES = (
    ("volume", "volume (A^3/atom)"),
    ("novelty", "kernel distance"),
    ("leverage", "leverage"),
    ("energy_error", "energy error (eV/atom)"),
    ("force_error", "force error (eV/A)"),
)


def report_page(report: InspectionReport, title: str) -> str:
    """The page of a report, under a title. Raises GapyError without matplotlib."""
    return page(title, "gapy inspect: what the structures hold, repeat and lack", sections(report))


def sections(report: InspectionReport) -> tuple[Section, ...]:
    """What a terminal is told, every suggestion, the picture and its numbers."""
    labels = ", ".join(f"{n} {kind}" for kind, n in report.labels.items() if n) or "none"
    facts = (
        ("structures", f"{report.n_structures} ({report.n_atoms} atoms)"),
        ("structures with labels", labels),
        (
            "neighbours within",
            f"{report.neighbour_cutoff:.2f} A ({report.neighbour_cutoff_source})",
        ),
        ("errors from", report.fit),
        ("shortest distances", ", ".join(f"{k} {d:.3f} A" for k, d in report.shortest.items())),
    )
    return (
        Section("Data", facts=facts),
        Section("Groups", table=_ranges("config_type", report.groups)),
        Section("Elements", table=_ranges("element", report.elements)),
        Section("Errors and leverage", table=_effects(report.groups)),
        Section("Neighbours", table=_neighbours(report)),
        Section(
            "Coverage",
            _counted("thin group", len(report.thin)),
            facts=(
                *report.thin.items(),
                *((f"not covered {k + 1}", text) for k, text in enumerate(report.uncovered)),
            ),
        ),
        Section(
            "Suggestions",
            _counted("suggestion", len(report.suggestions)),
            ", ".join(
                f"{n} to {action}"
                for action, n in Counter(s.action for s in report.suggestions).items()
            ),
            table=Table(
                ("action", "what", "reason"),
                tuple((s.action, s.what, s.reason) for s in report.suggestions),
            ),
        ),
        Section("Environments", pictures=(_map(report),) if report.maps else ()),
        Section("Structures", table=_structures(report)),
    )


def _counted(what: str, n: int) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _ranges(title: str, groups: tuple[Group, ...]) -> Table:
    head = (
        title, "structures", "atoms", "share (%)", "volume (A^3/atom)", "energy (eV/atom)",
        "force RMS (eV/A)", "largest force (eV/A)", "neighbours", "nearest (A)",
    )  # fmt: skip
    rows = []
    for g in groups:
        low, mean, high = g.coordination
        rows.append(
            (
                g.name, str(g.n_structures), str(g.n_atoms), f"{100 * g.share:.1f}",
                span(g.volume, 2), span(g.energy, 3), number(g.force_rms),
                number(g.force_max, digits=2), f"{low} {mean:.1f} {high}",
                number(g.nearest, digits=2),
            )
        )  # fmt: skip
    return Table(head, tuple(rows))


def _effects(groups: tuple[Group, ...]) -> Table:
    head = (
        "config_type", "kernel distance to other structures", "to other groups",
        "energy error (meV/atom)", "force error (eV/A)", "leverage",
    )  # fmt: skip
    rows = tuple(
        (
            g.name, number(g.distance_within, digits=4), number(g.distance_outside, digits=4),
            number(g.energy_error, 1e3, 2), number(g.force_error), number(g.leverage, digits=4),
        )
        for g in groups
    )  # fmt: skip
    return Table(head, rows)


def _neighbours(report: InspectionReport) -> Table:
    rows = [
        (symbol, str(count), str(n), per_cent(n / sum(counts.values())))
        for symbol, counts in report.coordination.items()
        for count, n in sorted(counts.items())
    ]
    return Table(("element", "neighbours", "atoms", "share (%)"), tuple(rows))


def _map(report: InspectionReport) -> Picture:
    numbers = {}
    for m in report.maps:
        numbers |= {
            f"{m.symbol} group": m.group,
            f"{m.symbol} component 1": np.round(m.xy[:, 0], 5),
            f"{m.symbol} component 2": np.round(m.xy[:, 1], 5),
        }
    for h in report.histograms:
        numbers[f"{h.quantity} edges"] = h.edges
        numbers |= {f"{h.quantity} {name}": counts for name, counts in h.counts.items()}
    return Picture("Kernel maps and histograms", png(picture(report)[0].figure), numbers)


def _structures(report: InspectionReport) -> Table:
    columns = [getattr(report, name) for name, _ in OF_STRUCTURES]
    rows = tuple(
        (where, *("-" if not np.isfinite(c[k]) else f"{c[k]:.4g}" for c in columns))
        for k, where in enumerate(report.where)
    )
    return Table(("structure", *(title for _, title in OF_STRUCTURES)), rows)
