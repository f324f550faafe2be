"""A picture of a run: cost of a force call, size scan, error against cost."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from peers import error_cost
from peers.recorded import ON_SILICON

BARS = (
    ("quippy, local sigma", "b", "quippy_sigma"),
    ("quippy", "a", "quippy"),
    ("quadratic SNAP", "f", "quadratic_snap"),
    ("SNAP", "f", "snap"),
    ("gapy, local sigma", "b", "gapy_sigma"),
    ("gapy", "a", "gapy"),
    ("two products, float64", "e", "float64"),
    ("two products, float32", "e", "float32"),
)
OURS, PEERS = "#0b6e8a", "#b0b0b0"


def draw(options, record: dict, path: str) -> dict:
    """Write the picture of what was measured; panels without figures are left out."""
    rows = record["rows"]
    panels = [
        panel for panel, row in ((_scan, "h"), (_front, "n")) if rows.get(row, {}).get("points")
    ]
    if error_cost.points(rows):  # takes the front in
        panels = [panel for panel in panels if panel is not _front] + [error_cost.draw]
    if _costs(rows):
        panels.insert(0, _bars)
    if not panels:
        return {}
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5.6 * len(panels), 4.0), layout="constrained", squeeze=False
    )
    for panel, ax in zip(panels, axes[0]):
        panel(ax, rows)
        ax.spines[["top", "right"]].set_visible(False)
    machine = record["machine"]
    figure.suptitle(f"{machine['processor']}, one core, {machine['date']}", fontsize=9)
    figure.savefig(path, dpi=120)
    return {}


def _costs(rows) -> list[tuple[str, float]]:
    found = [(label, rows.get(row, {}).get(key)) for label, row, key in BARS]
    return [(label, us) for label, us in found if us]


def _bars(ax, rows) -> None:
    names, us = zip(*_costs(rows))
    bars = ax.barh(names, us, color=[OURS if n.startswith("gapy") else PEERS for n in names])
    ax.bar_label(bars, [f"{v:.0f}" if v > 99 else f"{v:.3g}" for v in us], padding=3, fontsize=8)
    ax.set(xscale="log", xlabel="µs per atom and step", title="Force call, silicon")
    ax.margins(x=0.15)


def _scan(ax, rows) -> None:
    points = rows["h"]["points"]
    n = [p["n_atoms"] for p in points]
    ax.plot(n, [p["us_per_atom"] for p in points], "o-", color=OURS)
    ax.set(xscale="log", xlabel="atoms", ylabel="µs per atom", title="Size", ylim=(0, None))
    memory = ax.twinx()
    memory.plot(n, [p["peak_gb"] for p in points], "s--", color=PEERS)
    memory.set(ylabel="peak memory, GB (dashed)", ylim=(0, None))


def _front(ax, rows) -> None:
    points = rows["n"]["points"]
    ax.plot([p["us_per_atom"] for p in points], [p["forces_rmse"] for p in points], "o",
            color=OURS, label="gapy")  # fmt: skip
    measured = {
        "quippy": rows.get("a", {}).get("quippy"),
        "SNAP": rows.get("f", {}).get("snap"),
        "quadratic SNAP": rows.get("f", {}).get("quadratic_snap"),
    }
    for name, peer in ON_SILICON.items():
        us = measured[name]
        label = name if us else f"{name} (cost recorded elsewhere)"
        ax.plot(us or peer["us_per_atom"], peer["forces"], "s", color="0.6")
        ax.annotate(label, (us or peer["us_per_atom"], peer["forces"]), fontsize=7,
                    textcoords="offset points", xytext=(-4, 5), ha="right")  # fmt: skip
    ax.legend(frameon=False)
    ax.margins(0.12)
    ax.set(xscale="log", xlabel="µs per atom and step", ylabel="force RMSE, eV/Å",
           title="mlearn silicon, test set")  # fmt: skip
