"""Plain text for terminals: aligned columns, facts, tables of errors."""

from __future__ import annotations

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


def errors_table(errors) -> str:
    """RMSE, MAE, largest error and spread of the labels of `gapy.evaluation.Errors`."""
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


def error_bars(report) -> str:
    """What the error bars of `gapy.evaluation.EvaluationReport` are worth, in one sentence."""
    if report.coverage_68 is None:
        return "no forces, so the error bars cannot be judged"
    return (
        f"error bars: rank correlation with the force error "
        f"{number(report.forces_std_spearman, digits=2)}; {100 * report.coverage_68:.0f} % of the "
        f"force components within 1 sigma, {100 * report.coverage_95:.0f} % within 1.96 sigma"
    )
