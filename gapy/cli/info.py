"""`gapy info`: what a model file holds."""

from __future__ import annotations

import json
import math
from typing import Annotated

import typer

from gapy._support.tables import facts
from gapy.cli.described import plain
from gapy.cli.options import Trust
from gapy.cli.remarks import remark_on_noise

FOLLOWS = {
    "first": "the distance from the first few inducing points",
    "distances": "the distance from the leading inducing points",
    "variances": "the standard deviation of the local energy",
    "spread": "the standard deviation of the force",
}
"""What the force sigma follows, in words."""


def info(
    model: Annotated[str, typer.Argument(help="Model file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    trust: Trust = False,
) -> None:
    """Check a model file and print what it holds."""
    from gapy.gp.noise import outliers
    from gapy.model import modelfile
    from gapy.model.loading import from_archive

    archive = modelfile.read(model)
    potential = from_archive(archive, model, trust=trust)
    summary = {
        **archive.model,
        "n_inducing": [
            {name: len(x_sd) for name, x_sd in zip(term.slot_names, term.inducing)}
            for term in potential.terms
        ],
        "noise_outliers": outliers(potential.noise, potential.metadata),
        "sha256": archive.sha256,
    }
    remark_on_noise(summary["noise_outliers"])
    if as_json:
        print(json.dumps(summary, indent=2, sort_keys=True))
        return
    print(facts(list(_lines(summary))))


def _lines(summary: dict):
    """(name, text) of every fact."""
    metadata = summary["metadata"]
    yield "species", " ".join(summary["species"])
    if summary["cutoff"] is not None:
        yield "cutoff", f"{summary['cutoff']:g} A"
    for term, counts in zip(summary["terms"], summary["n_inducing"]):
        descriptor = term["descriptor"]
        yield "descriptor", f"{descriptor['kind']} {_settings(descriptor['settings'])}"
        yield (
            "kernel",
            f"zeta {term['zeta']}, delta {', '.join(f'{d:g}' for d in term['delta'])} eV",
        )
        if "n_components" in term:
            yield "components", f"{term['n_components']} of the descriptor, by central species"
        yield "inducing points", ", ".join(f"{s} {n}" for s, n in counts.items())
    yield "e0", ", ".join(f"{s} {e:.6f} eV" for s, e in summary["e0"].items())
    for baseline in summary.get("baselines", ()):
        yield "baseline", f"{baseline['kind']} {plain(baseline['settings'])}".rstrip()
    noise = summary["noise"]
    yield (
        "noise",
        f"{noise['energy']:g} eV/atom, {noise['forces']:g} eV/A, {noise['stress']:g} eV/A^3",
    )
    for config_type, sigmas in noise["overrides"].items():
        yield f"noise of {config_type}", ", ".join(f"{k} {v:g}" for k, v in sigmas.items())
    yield from _calibration(summary["calibration"])
    if "reduction" in metadata:
        note = metadata["reduction"]
        yield (
            "reduced",
            f"ranks {', '.join(map(str, note['ranks']))}; forces of {note['n_structures']} "
            f"structures within {note['largest_force_error']:.2g} eV/A of the exact ones, "
            f"energies within {note['largest_energy_error']:.2g} eV/atom",
        )
    yield "log marginal likelihood", f"{summary['log_marginal_likelihood']:.1f}"
    if "n_structures" in metadata:
        yield "training structures", str(metadata["n_structures"])
    for config_type, counts in metadata.get("n_labels", {}).items():
        yield f"labels of {config_type}", ", ".join(f"{n} {kind}" for kind, n in counts.items())
    for name in ("data_sha256", "gapy", "python", "numpy", "selection", "seed"):
        if name in metadata:
            yield name, str(metadata[name])
    yield "model sha256", summary["sha256"]


def _calibration(c: dict):
    """The calibrated force sigma, from the best known atoms to the least, in (name, text)."""
    yield from _curve(c, "force sigma")
    if "posterior" in c:
        yield from _curve(c["posterior"], "sigma from posterior samples")
        yield "rank correlation gained by them", f"{c.get('gain', 0.0):.2f} on left-out structures"
    yield (
        "outside the data",
        f"grows as {c['beyond']:.3g} eV/A log(1 + excess), the excess over the farthest training "
        "environment",
    )


def _curve(c: dict, name: str):
    points = (f"{sigma:.3g} eV/A at {math.sqrt(g):.2g} eV" for g, sigma in c["curve"])
    yield name, ", ".join(points)
    of = [FOLLOWS[name] for name in c["follows"]]
    mean = "the geometric mean of " if len(of) > 1 else ""
    text = f"{mean}{', '.join(of)}, of an atom and its surroundings, less at small forces"
    yield f"{name} follows", text


def _settings(settings: dict) -> str:
    """The settings that users choose."""
    shown = ("r_cut", "n_max", "l_max", "sigma", "rbf", "weighting", "compression", "magnetic")
    parts = []
    for name in (n for n in shown if n in settings):
        value = settings[name]
        if isinstance(value, dict):
            value = value.get("function", value.get("mode"))
        if isinstance(value, list):
            value = ",".join(value)
        parts.append(f"{name}={value}")
    return " ".join(parts)
