"""Row o: error against cost of gapy and its rivals on mlearn silicon.

Each module of MODULES has MODELS (names), `fit(options, name, folder)` that returns figures
and leaves the model in the folder, and `call(options, name, folder, atoms)` that returns a force
call or a step. Fits have processes of their own and are kept with their figures in the work
directory; all force calls are timed in turns in one process, by its CPU time.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from peers import processes, quip
from peers.machine import blas
from peers.recorded import GAP_FIT_SI
from peers.systems import quick_frames, silicon, silicon_potential
from peers.timing import cpu, force_call, interleaved, moved

MODULES = ("ours", "snap_fit", "pod", "uf3", "nep", "ace")


def measure(options) -> dict:
    """Errors, cost and fit of each; who is missing is named in the notes."""
    row = {"models": {}, "notes": []}
    if options.file("mlearn/Si_train.xyz") is None:
        row["notes"].append("mlearn data not found")
        return {"o": row}
    for module in MODULES:
        for name in importlib.import_module(f"peers.{module}").MODELS:
            try:
                row["models"][name] = processes.run(
                    "rivals.fitted", options, module=module, name=name
                )
            except RuntimeError as error:
                row["notes"].append(f"{name} not available: {error}")
    times = processes.run("rivals.times", options, models=row["models"])
    for name, us in times["us_per_atom"].items():
        row["models"].setdefault(name, {})["us_per_atom"] = us
    row["models"]["gap_fit, quippy"] = row["models"].pop("quippy", {}) | {
        "energy_rmse": GAP_FIT_SI["energy"],
        "forces_rmse": GAP_FIT_SI["forces"],
        "note": "errors recorded elsewhere",
    }
    row["row_a"] = row["models"].pop("row a")["us_per_atom"]
    row["notes"] += times["notes"]
    return {"o": row}


def fitted(options, module: str, name: str) -> dict:
    """Figures of a fit: kept ones, else those of a new one."""
    own = folder(options, name)
    kept = own / "figures.json"
    if kept.exists():
        return json.loads(kept.read_text())
    print(f"  fitting {name}", file=sys.stderr)
    own.mkdir(parents=True, exist_ok=True)
    figures = importlib.import_module(f"peers.{module}").fit(options, name, own)
    figures["module"] = module
    kept.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def times(options, models: dict) -> dict:
    """CPU time of every force call, us/atom, beside quippy's and that of row a's potential."""
    notes = []
    atoms = silicon(options.repeats_of_atoms)
    calls = {"row a": force_call(silicon_potential(options), atoms)}
    try:
        peer = quip.potential(options, quick_frames(options))
        calls["quippy"] = moved(atoms.copy(), lambda a: peer.calculate(a, ["energy", "forces"]))
        notes += [f"quippy's BLAS: {line}" for line in blas() if "quippy" in line]
    except (ImportError, RuntimeError) as error:
        notes.append(f"quippy not available: {error}")
    for name, figures in models.items():
        module = importlib.import_module(f"peers.{figures['module']}")
        calls[name] = module.call(options, name, folder(options, name), atoms)
    seconds = interleaved({name: cpu(call) for name, call in calls.items()}, options.repeat)
    return {
        "us_per_atom": {name: 1e6 * t / len(atoms) for name, t in seconds.items()},
        "notes": notes,
    }


def folder(options, name: str) -> Path:
    """Of the model of a row."""
    return options.cached("rivals") / "".join(c if c.isalnum() else "-" for c in name)
