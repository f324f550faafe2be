"""Targets, and the tables that are printed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from peers import error_cost
from peers.recorded import GAP_FIT_SI


@dataclass(frozen=True)
class Target:
    """A bound on one figure; `value` finds it among the rows and may fail with KeyError etc."""

    row: str
    work: str
    bound: float
    unit: str
    value: Callable[[dict], float | None]
    at_least: bool = False

    def outcome(self, rows: dict) -> dict:
        """Reached figure, ratio to the bound (at least 1 is met) and verdict."""
        try:
            reached = self.value(rows)
        except (KeyError, TypeError, ZeroDivisionError, ValueError):
            reached = None
        ratio = met = None
        if reached is not None:
            met = reached >= self.bound if self.at_least else reached <= self.bound
            if not math.isfinite(reached) or reached == 0.0:  # nothing there
                reached = None
            elif self.at_least or reached > 0:
                ratio = reached / self.bound if self.at_least else self.bound / reached
        return {
            "row": self.row,
            "work": self.work,
            "target": f"{'>=' if self.at_least else '<='} {self.bound:g} {self.unit}".rstrip(),
            "reached": reached,
            "unit": self.unit,
            "ratio": ratio,
            "met": met,
        }


def _faster(rows) -> float:
    """quippy over gapy, same size. Rows in other processes are compared by way of gapy."""
    return rows["a"]["quippy"] / rows["a"]["gapy"]


def _reduced(rows) -> dict:
    """The fastest variant with forces within 1e-4 eV/A of the exact ones."""
    good = [v for v in rows["m"]["variants"].values() if v["force_error"] <= 1e-4]
    return min(good, key=lambda v: v["us_per_atom"])


def _best(rows) -> dict:
    """The cheapest accurate model of the front; without one its cost is infinite."""
    if rows["n"]["points"] and not rows["n"]["best"]:
        return {"us_per_atom": math.inf, "of_row_a": math.inf}
    return rows["n"]["best"]


def _gap_fit(rows) -> dict:
    """gap_fit on the same data: of this run, else recorded elsewhere (mlearn silicon only)."""
    if "gap_fit" in rows["c"]:
        return rows["c"]["gap_fit"]
    return GAP_FIT_SI if rows["c"]["mlearn"] else {}


TARGETS = (
    Target("a", "force call against quippy", 45, "x faster", _faster, at_least=True),
    Target("a", "force call over two products, float64", 2, "x",
           lambda r: r["a"]["gapy"] / r["a"]["floor"]),
    Target("m", "reduced, forces within 1e-4 eV/A, against quippy", 70, "x faster",
           lambda r: _faster(r) * r["m"]["exact"] / _reduced(r)["us_per_atom"], at_least=True),
    Target("f", "step against LAMMPS SNAP, twojmax 8", 0.3, "x its time",
           lambda r: r["f"]["gapy"] / r["f"]["snap"]),
    Target("b", "local sigma at every call, over the plain call", 1.15, "x",
           lambda r: r["b"]["gapy_sigma"] / r["b"]["gapy"]),
    Target("b", "calibrated force sigma at every call, over the plain call", 1.25, "x",
           lambda r: r["b"]["gapy_force_sigma"] / r["b"]["gapy"]),
    Target("b", "local sigma, relative error", 0.01, "", lambda r: r["b"]["sigma_error"]),
    Target("j", "two species over two products", 2, "x",
           lambda r: r["j"]["gapy"] / r["j"]["floor"]),
    Target("n", "cheapest model no worse than gap_fit's", 15, "us/atom",
           lambda r: _best(r)["us_per_atom"]),
    Target("n", "the same against quippy", 150, "x faster",
           lambda r: _faster(r) / _best(r)["of_row_a"], at_least=True),
    Target("m", "zeta 2: cost with M over cost with M / 4", 1.1, "x",
           lambda r: r["m"]["zeta2"] / r["m"]["zeta2_quarter"]),
    Target("m", "zeta 2: forces against the general path, relative", 1e-10, "",
           lambda r: r["m"]["zeta2_forces_difference"]),
    Target("m", "zeta 2: local energies against the general path, relative", 1e-10, "",
           lambda r: r["m"]["zeta2_energies_difference"]),
    Target("m", "zeta 2: local energies against that formula in extended precision", 1e-10, "",
           lambda r: r["m"]["zeta2_quadratic_error"]),
    Target("g", "two threads", 1.8, "x one",
           lambda r: r["g"][f"speedup_2_{r['g']['sizes'][0]}"], at_least=True),
    Target("g", "bit-identical with 1, 2, 4 threads", 1, "",
           lambda r: float(r["g"]["identical"]), at_least=True),
    Target("h", "1000 to 100 000 atoms: spread of time per atom", 0.10, "",
           lambda r: r["h"]["time_spread"]),
    Target("h", "1000 to 100 000 atoms: memory", 4, "kB/atom", lambda r: r["h"]["kb_per_atom"]),
    Target("k", "64 atoms through ASE: overhead", 150, "us", lambda r: r["k"]["overhead"]),
    Target("c", "fit silicon E+F, one core, against gap_fit", 30, "x faster",
           lambda r: _gap_fit(r)["seconds"] / r["c"]["seconds"], at_least=True),
    Target("c", "fit silicon: peak memory", 0.6, "GB", lambda r: r["c"]["peak_gb"]),
    Target("c", "fit NbMo E+F+S, two cores", 240, "s", lambda r: r["c"]["nbmo"]["seconds"]),
    Target("c", "fit NbMo: peak memory", 2, "GB", lambda r: r["c"]["nbmo"]["peak_gb"]),
    Target("l", "ten times the structures: time", 11.5, "x", lambda r: r["l"]["time_ratio"]),
    Target("l", "ten times the structures: peak memory", 1.1, "x",
           lambda r: r["l"]["memory_ratio"]),
    Target("i", "gapy --help", 0.5, "s", lambda r: r["i"]["help"]),
    Target("i", "import gapy", 1.0, "s", lambda r: r["i"]["import"]),
    Target("i", "load and first force call, warm", 3, "s", lambda r: r["i"]["first_call"]),
    Target("i", "all compilation, cold", 45, "s", lambda r: r["i"]["cold"]),
)  # fmt: skip

COMPARISONS = (
    # row, work, unit, (row's key of gapy), peer, key of the peer
    ("a", "force call", "us/atom", "gapy", "quippy", "quippy"),
    ("b", "force call with local sigma", "us/atom", "gapy_sigma", "quippy", "quippy_sigma"),
    ("b", "force call with force sigma", "us/atom", "gapy_force_sigma", "plain call",
     "gapy"),
    ("e", "force call; two products, float64", "us/atom", "gapy", "BLAS", "float64"),
    ("e", "force call; two products, float32", "us/atom", "gapy", "BLAS", "float32"),
    ("f", "force call; MD step", "us/atom", "gapy", "SNAP", "snap"),
    ("f", "force call; MD step", "us/atom", "gapy", "quadratic SNAP", "quadratic_snap"),
    ("d", "descriptor values, crystal", "us/atom", "values", "dscribe", "values_dscribe"),
    ("d", "descriptor derivatives, cluster", "us/atom", "derivatives", "dscribe",
     "derivatives_dscribe"),
    ("j", "force call, two species; two products", "us/atom", "gapy", "BLAS", "floor"),
)  # fmt: skip


def targets(rows: dict) -> list[dict]:
    """Every target with what was reached; None where the row was not measured."""
    return [target.outcome(rows) for target in TARGETS]


def heading(record: dict) -> list[str]:
    """What the run is made on, printed before it."""
    machine, options = record["machine"], record["options"]
    versions = ", ".join(f"{k} {v or '-'}" for k, v in machine["versions"].items())
    lines = [
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"load {machine['load']:.2f}, Python {machine['python']}",
        versions,
        *(f"BLAS {line}" for line in machine["blas"]),
    ]
    if machine["load"] > 0.5:
        lines.append("WARNING: other work is running here; ratios of one row still compare")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        if name in machine["blas_environment"]:
            lines.append(f"WARNING: {name} is set and changes the speed of BLAS: env -u {name} ...")
    if options["quick"]:
        lines.append("WARNING: --quick uses small sizes: figures say nothing, targets do not apply")
    return lines


def tables(record: dict) -> list[str]:
    """The comparison, further figures, notes and targets, in Markdown."""
    rows = record["rows"]
    lines = ["", "| row | work | unit | gapy | peer | its figure | peer / gapy |", "|---" * 7 + "|"]
    for row, work, unit, mine, peer, theirs in COMPARISONS:
        a, b = rows.get(row, {}).get(mine), rows.get(row, {}).get(theirs)
        if a is not None:
            lines.append(_line(row, work, unit, _g(a), peer, _g(b), _g(b / a if b else None)))
    lines += _fit_lines(rows.get("c", {})) + _front_lines(rows.get("n", {}))
    lines += _further_lines(rows) + error_cost.table(rows.get("o", {}))
    for row in sorted(rows):
        lines += [f"row {row}: {note}" for note in rows[row].get("notes", ())]
    lines += ["", "| row | work | target | reached | ratio | met |", "|---" * 6 + "|"]
    for t in record["targets"]:
        if t["row"] not in record["options"]["rows"] and t["reached"] is None:
            continue
        verdict = {None: "not available", True: "yes", False: "**no**"}[t["met"]]
        reached = "-" if t["reached"] is None else f"{_g(t['reached'])} {t['unit']}".strip()
        lines.append(
            _line(t["row"], t["work"], t["target"], reached, _g(t["ratio"]), verdict)
        )  # fmt: skip
    lines += ["", "ratio: reached over target, or the inverse where less is better; 1 is just met."]
    return lines


def _fit_lines(row: dict) -> list[str]:
    if "seconds" not in row:
        return []
    peer = row.get("gap_fit")
    label = "gap_fit" if peer else "gap_fit, recorded elsewhere"
    peer = peer or (GAP_FIT_SI if row["mlearn"] else {})
    seconds, memory = peer.get("seconds"), peer.get("memory_gb")
    lines = [
        _line("c", "fit silicon, E+F, one core", "s", _g(row["seconds"]), label, _g(seconds),
              _g(seconds / row["seconds"] if seconds else None)),
        _line("c", "its peak memory", "GB", _g(row["peak_gb"]), label, _g(memory),
              _g(memory / row["peak_gb"] if memory else None)),
    ]  # fmt: skip
    if "cpu_seconds" in peer:
        lines += [
            _line("c", name, "s of CPU", _g(fit["cpu_seconds"]), label, _g(peer["cpu_seconds"]),
                  _g(peer["cpu_seconds"] / fit["cpu_seconds"]))
            for name, fit in (
                ("fit silicon, E+F", row),
                ("the same with n_max 6, l_max 4, zeta 2, 500 points, noise learnt",
                 row.get("smaller")),
            )
            if fit
        ]  # fmt: skip
    if "nbmo" in row:
        nbmo = row["nbmo"]
        lines += [
            _line("c", "fit NbMo, E+F+S, two cores", "s", _g(nbmo["seconds"]), "-", "-", "-"),
            _line("c", "its peak memory", "GB", _g(nbmo["peak_gb"]), "-", "-", "-"),
        ]
    if "forces_rmse" in row:
        lines.append(
            f"row c: test error {row['energy_rmse']:.2f} meV/atom, {row['forces_rmse']:.4f} eV/A; "
            f"gap_fit {GAP_FIT_SI['energy']} and {GAP_FIT_SI['forces']}"
        )
    if "forces_rmse" in (small := row.get("smaller", {})):
        errors = f"{small['energy_rmse']:.2f} meV/atom, {small['forces_rmse']:.4f} eV/A"
        lines.append(f"row c, 500 points: {errors}")
    return lines


def _further_lines(rows: dict) -> list[str]:
    lines = []
    if "values_difference" in rows.get("d", {}):
        lines.append(
            f"row d: relative difference of values {rows['d']['values_difference']:.1e}, "
            f"of derivatives {rows['d']['derivatives_difference']:.1e}"
        )
    for key, value in rows.get("g", {}).items():
        if key.startswith("speedup"):
            _, threads, n_atoms = key.split("_")
            lines.append(f"row g: {threads} threads, {n_atoms} atoms: {value:.2f} x one thread")
    for point in rows.get("h", {}).get("points", ()):
        lines.append(
            f"row h: {point['n_atoms']:.0f} atoms, {point['us_per_atom']:.1f} us/atom, "
            f"peak {point['peak_gb']:.2f} GB"
        )
    if "import_all" in rows.get("i", {}):
        i = rows["i"]
        lines.append(f"row i: import of every public name {i['import_all']:.2f} s")
        lines.append(f"row i: fit, force call and derivatives, warm {i['warm']:.1f} s")
    if "gapy_sigma" in rows.get("b", {}) and rows["b"]["gapy_sigma"]:
        b = rows["b"]
        lines.append(
            f"row b: plain call {b['gapy']:.1f} us/atom, local sigma "
            f"{b['gapy_sigma'] / b['gapy']:.2f} x, force sigma "
            f"{b['gapy_force_sigma'] / b['gapy']:.2f} x; local sigma off by at most "
            f"{b['sigma_error']:.1e} on crystals and training structures"
        )
    if "engine" in rows.get("k", {}):
        k = rows["k"]
        lines.append(f"row k: call {k['calculator']:.0f} us, engine {k['engine']:.0f} us")
    for name, v in rows.get("m", {}).get("variants", {}).items():
        lines.append(
            f"row m: {name}: {v['us_per_atom']:.1f} us/atom, force error {v['force_error']:.1e} "
            f"eV/A, ranks {', '.join(map(str, v.get('ranks', ())))} "
            f"(exact path {rows['m']['exact']:.1f} us/atom)"
        )
    return lines


def _front_lines(row: dict) -> list[str]:
    return [
        f"row n: n_max {p['n_max']}, l_max {p['l_max']}, M {p['n_inducing']}, zeta {p['zeta']}, "
        f"r_cut {p['r_cut']}, tolerance {p['tolerance']}: {p['us_per_atom']:.1f} us/atom, "
        f"{p['energy_rmse']:.2f} meV/atom, {p['forces_rmse']:.4f} eV/A"
        for p in row.get("points", ())
    ]


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _g(value) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
