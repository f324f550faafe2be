"""Plain text for terminals: aligned columns, facts, tables of errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

GPA = 160.21766208
"""1 eV/A^3 in GPa."""


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what is to be said of them, one line each."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows)


def number(value: float | None, scale: float = 1.0, digits: int = 3) -> str:
    """A number with fixed decimals, `-` for what is undefined."""
    return "-" if value is None else f"{value * scale:.{digits}f}"


def with_bar(value: float, bar: float | None) -> tuple[str, str]:
    """A number and its bar, to two digits of the bar; `-` for a bar that is not known."""
    if bar is None or not bar > 0.0:
        return f"{value:.6g}", "-" if bar is None else "0"
    digits = min(max(1 - math.floor(math.log10(bar)), 0), 12)
    return f"{value:.{digits}f}", f"{bar:.{digits}f}"


def errors_table(errors) -> str:
    """RMSE, MAE, largest error and spread of the labels of `gapy.validation.evaluation.Errors`."""
    kinds = (("energy", "meV/atom", 1e3, 2), ("forces", "eV/A", 1.0, 4), ("stress", "GPa", GPA, 3))
    rows = [("", "RMSE", "MAE", "max", "spread of the labels")]
    for kind, unit, scale, digits in kinds:
        values = (getattr(errors, f"{kind}_{what}") for what in ("rmse", "mae", "max", "spread"))
        rows.append((f"{kind} ({unit})", *(number(v, scale, digits) for v in values)))
    return columns(rows)


def groups_table(by_config_type) -> str:
    """One line for each config_type."""
    rows = [
        ("config_type", "structures", "atoms", "energy", "forces", "stress", "force sigma"),
        ("RMSE of", "", "", "meV/atom", "eV/A", "GPa", "eV/A"),
    ]
    for name, e in by_config_type.items():
        rows.append(
            (
                name,
                str(e.n_structures),
                str(e.n_atoms),
                number(e.energy_rmse, 1e3, 2),
                number(e.forces_rmse, 1.0, 4),
                number(e.stress_rmse, GPA, 3),
                number(e.mean_force_std, 1.0, 4),
            )
        )
    return columns(rows)


def energy_error_bars(bars) -> str:
    """What the energy sigma is worth, from a `gapy.validation.energy_bars.EnergyBars`."""
    text = (
        f"energy error bars: {100 * bars.coverage_68:.0f} % within 1, "
        f"{100 * bars.coverage_90:.0f} % within 1.64 sigma"
    )
    sizes = (
        f"{one.n_atoms_least}-{one.n_atoms_most} atoms {100 * one.coverage_90:.0f} % "
        f"({one.n_judged})"
        for one in bars.by_size
    )
    return f"{text}; of structures of {', '.join(sizes)}" if bars.by_size else text


def error_bars(report) -> str:
    """What the error bars of a `gapy.validation.evaluation.EvaluationReport` are worth."""
    bars = report.error_bars
    if bars.coverage_68 is None:
        why = "all forces are zero by symmetry" if bars.n_symmetric else "no forces"
        return f"{why}, so the error bars cannot be judged"
    inside = ", ".join(
        f"{100 * share:.0f} % within {widths}"
        for share, widths in (
            (bars.coverage_50, "0.67"),
            (bars.coverage_68, "1"),
            (bars.coverage_90, "1.64"),
            (bars.coverage_95, "1.96 sigma"),
        )
    )
    lines = [
        f"error bars: rank correlation with the force error "
        f"{number(bars.forces_std_spearman, digits=2)}; of the force components {inside}",
        f"  miscalibration area {number(bars.miscalibration_area)}, negative log likelihood "
        f"{number(bars.nll)} per component",
    ]
    if bars.n_symmetric:
        lines.append(
            f"  {bars.n_symmetric} of {bars.n_judged + bars.n_symmetric} atoms are left out of "
            "this: their force is zero by symmetry"
        )
    if bars.n_above:
        lines.append(
            f"  {bars.n_above} atoms with a force error above {bars.error_threshold:.3g} eV/A per "
            f"component: found by sigma with AUROC {number(bars.auroc)}"
        )
    return "\n".join(lines)


def bars_table(by_config_type) -> str:
    """One line on the error bars of each config_type that has forces."""
    rows = [("error bars of", "rank corr.", "50 %", "68 %", "90 %", "95 %", "area", "nll", "AUROC")]
    for name, e in by_config_type.items():
        if e.coverage_68 is None:
            continue
        inside = (e.coverage_50, e.coverage_68, e.coverage_90, e.coverage_95)
        rows.append(
            (
                name,
                number(e.forces_std_spearman, digits=2),
                *(number(share, 100.0, 0) for share in inside),
                number(e.miscalibration_area),
                number(e.nll, digits=2),
                number(e.auroc, digits=2),
            )
        )
    return columns(rows)
