"""Row o as a table, and error against cost as a picture."""

from __future__ import annotations

OURS, OTHERS, FRONT = "#0b6e8a", "#9a3b26", "#8fb8c4"
PLACES = {
    "gapy automatic": ((-5, 0), "right"),
    "UF3": ((-5, 0), "right"),
    "POD, 4-body": ((0, -8), "center"),
    "POD, 7-body": ((-5, 0), "right"),
    "gap_fit, quippy": ((0, 8), "center"),
}
"""Labels that are not to the right of their points: offset in points, alignment."""


def table(row: dict) -> list[str]:
    """Lines of Markdown: errors, CPU time of a force call and of the fit, peak memory."""
    if not row.get("models"):
        return []
    quippy = row["models"].get("gap_fit, quippy", {}).get("us_per_atom")
    lines = [
        "",
        "| model | meV/atom | eV/Å | us/atom | quippy / it | fit, CPU s | peak GB | |",
        "|---" * 8 + "|",
    ]
    models = sorted(row["models"].items(), key=lambda m: m[1].get("forces_rmse", 9.0))
    for name, m in models:
        us = m.get("us_per_atom")
        cells = (
            name,
            _text(m.get("energy_rmse"), ".2f"),
            _text(m.get("forces_rmse"), ".4f"),
            _text(us, ".1f"),
            _text(quippy / us if quippy and us else None, ".1f"),
            _text(m.get("cpu_seconds"), ".1f"),
            _text(m.get("peak_gb"), ".2f"),
            m.get("note", ""),
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines.append(f"row o: the potential of row a takes {row['row_a']:.1f} us/atom in this run")
    return lines


def points(rows: dict) -> list[tuple[str, float, float]]:
    """(name, us/atom, eV/A) of what has both; without a name the points of the front (row n).

    Models fitted to stresses too are left to the table: they cost what those without do.
    The front was timed in other processes: its cost is that of row a's potential here times its
    ratio to row a's potential there.
    """
    row = rows.get("o", {})
    found = [
        (name, m["us_per_atom"], m["forces_rmse"])
        for name, m in row.get("models", {}).items()
        if m.get("us_per_atom") and m.get("forces_rmse") and "with stress" not in name
    ]
    front = rows.get("n", {}).get("points", ()) if "row_a" in row else ()
    return found + [("", p["of_row_a"] * row["row_a"], p["forces_rmse"]) for p in front]


def draw(ax, rows: dict) -> None:
    """Every model as a point with its name; gapy's front as small points."""
    for name, us, error in points(rows):
        mine = name.startswith("gapy") or not name
        ax.plot(
            us, error, "o" if mine else "s", color=FRONT if not name else OURS if mine else OTHERS,
            ms=4 if name else 2.5, zorder=2 if name else 1,
        )  # fmt: skip
        if name:
            offset, align = PLACES.get(name, ((5, 0), "left"))
            ax.annotate(
                name, (us, error), textcoords="offset points", xytext=offset, ha=align,
                va="center", fontsize=7, color=OURS if mine else OTHERS,
            )  # fmt: skip
    nep = {k: m for k, m in rows["o"]["models"].items() if "forces_rmse" not in m}
    for name, m in nep.items():
        if m.get("us_per_atom"):
            ax.axvline(m["us_per_atom"], color="0.75", lw=0.8, ls="--", zorder=0)
            ax.annotate(
                f"{name} (time only)", (m["us_per_atom"], 0.98), xycoords=("data", "axes fraction"),
                textcoords="offset points", xytext=(3, 0), rotation=90, va="top", ha="left",
                fontsize=7, color="0.5",
            )  # fmt: skip
    ax.set(
        xscale="log", yscale="log", xlabel="CPU time of a force call, µs per atom",
        ylabel="force RMSE, eV/Å", title="mlearn silicon: test error against cost",
    )  # fmt: skip
    ticks = [0.08, 0.09, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25]
    low, high = ax.get_ylim()
    ax.set_yticks([t for t in ticks if low <= t <= high], minor=False)
    ax.set_yticks([], minor=True)
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:.2f}")
    ax.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    ax.margins(x=0.12)


def _text(value, form: str) -> str:
    return "-" if value is None else format(value, form)
