"""A validation as files: report.html, validate.json, and every picture as a PNG."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gapy._support.drawing import new_figure, png
from gapy._support.files import write_whole
from gapy._support.outputs import require_directory
from gapy.properties.equation_of_state import EOS
from gapy.properties.lattice_dynamics import Phonons
from gapy.validation import plots, property_plots
from gapy.validation.health import pictures
from gapy.validation.health.check import Check
from gapy.validation.reliability_plot import reliability
from gapy.validation.report_page import Picture, Section, Table, page
from gapy.validation.structure_pictures import structures
from gapy.validation.summary import check_cells, counted, errors_cells, row_cells, verdict
from gapy.validation.validating import Validation

REPORT, NUMBERS = "report.html", "validate.json"
PNGS = (
    "dimers.png", "pulled.png", "nve.png", "heating.png", "pressure.png", "random.png",
    "flagged.png", "continuity.png", "eos.png", "phonons.png", "parity.png", "sigma-error.png",
    "reliability.png",
)  # fmt: skip


def write(validation: Validation, directory) -> Path:
    """Write the files into a directory, made if missing; the path of the report.

    Pictures of an earlier report that this one has not are removed. Raises GapyError without
    matplotlib, or where a file cannot be written.
    """
    directory = Path(directory)
    require_directory(directory)
    directory.mkdir(parents=True, exist_ok=True)
    shown = tuple(sections(validation))
    drawn, again = dict(_pictures(shown)), (directory / REPORT).exists()
    for name in PNGS:
        if name in drawn:
            write_whole(directory / name, drawn[name].png)
        elif again:
            (directory / name).unlink(missing_ok=True)  # of the earlier report
    text = json.dumps(validation.to_dict(), indent=1, allow_nan=False) + "\n"
    write_whole(directory / NUMBERS, text.encode())
    title = f"Validation of {validation.atoms.get_chemical_formula()}"
    whole = page(title, validation.source, (s for s, _ in shown))
    return write_whole(directory / REPORT, whole.encode())


def _pictures(shown) -> Iterable[tuple[str, Picture]]:
    return ((name, picture) for s, names in shown for name, picture in zip(names, s.pictures))


def sections(validation: Validation) -> Iterable[tuple[Section, tuple[str, ...]]]:
    """Sections of the page, each with the file names of its pictures."""
    yield _overview(validation), ()
    yield from _health(validation)
    yield from _properties(validation)
    yield from _errors(validation)
    facts = (*validation.facts.items(), *_times(validation))
    yield Section("Model, data and settings", facts=tuple(facts)), ()


def _times(validation: Validation):
    return ((f"time of {name}", f"{t:.1f} s") for name, t in validation.seconds.items())


def _overview(validation: Validation) -> Section:
    failures = validation.failures
    facts = [("structure", validation.source)]
    if validation.checks:
        facts.append(("checks of health", counted(c.verdict for c in validation.checks)))
    if validation.rows:
        facts.append(("properties", counted(r.verdict for r in validation.rows)))
        covered = [r.covered for r in validation.rows if r.covered is not None]
        if covered:
            share = 100.0 * np.mean(covered)
            facts.append(("error bars cover the reference", f"{share:.0f} % of {len(covered)}"))
    if failures:
        facts.append(("what failed", ", ".join(failures)))
    return Section("Overview", verdict(validation), facts=tuple(facts))


def _health(validation: Validation):
    checks = validation.checks
    if not checks:
        return
    table = Table(
        ("check", "verdict", "value", "threshold", "unit", "what was found"),
        tuple(check_cells(c) for c in checks),
    )
    made = list(_health_pictures(validation))
    flag = validation.settings.flag
    prose = "Values are the smaller the better, and pass up to the threshold."
    if flag is not None:
        prose += (
            f" The flag is up where the largest force sigma is above {flag:.3g} eV/A, the largest "
            "that the model saw in its own data."
        )
    counts = counted(c.verdict for c in checks)
    pics = tuple(picture for _, picture in made)
    yield Section("Health", counts, prose, table=table, pictures=pics), tuple(n for n, _ in made)
    flagged = {name: a for c in checks for name, a in c.flagged.items()}
    if flagged:
        drawn = Picture("Structures that the checks point at", png(structures(flagged)))
        yield (
            Section(
                "Flagged structures",
                prose="Six at most, seen along z.",
                table=Table(
                    ("structure", "composition", "atoms"),
                    tuple(
                        (name, a.get_chemical_formula(), str(len(a))) for name, a in flagged.items()
                    ),
                ),
                pictures=(drawn,),
            ),
            ("flagged.png",),
        )


def _health_pictures(validation: Validation):
    checks, flag = validation.checks, validation.settings.flag
    dimers = [c for c in checks if "energy (eV)" in c.arrays]
    if dimers:
        figure = pictures.dimers(dimers).figure
        yield "dimers.png", Picture("Pairs of atoms alone", png(figure), _columns(dimers))
    pulled = [c for c in checks if c.name.startswith("bond ") and c.arrays]
    if pulled:
        figure = pictures.curves(pulled, "force sigma (eV/A)", flag=flag).figure
        yield "pulled.png", Picture("Sigma of a bond pulled apart", png(figure), _columns(pulled))
    for name, of, caption in (
        ("continuity.png", "continuity", "An atom that comes within the cutoff"),
        ("nve.png", "NVE", "Total energy without a thermostat"),
        ("heating.png", "heating", "Heating"),
        ("pressure.png", "pressure", "Pressure"),
    ):
        for check in checks:
            if check.name.startswith(of) and check.arrays:
                yield name, Picture(caption, png(_panels(check, flag)), check.arrays)
    for check in checks:
        if check.name == "random structures" and check.arrays:
            figure = pictures.scatter(check, flag=flag).figure
            yield "random.png", Picture("Random structures", png(figure), check.arrays)


def _panels(check: Check, flag: float | None):
    """Figure with a panel for every array but the first."""
    columns = list(check.arrays)[1:]
    figure = new_figure(5.4, 1.0 + 2.2 * len(columns))
    panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False).ravel()
    for ax, column in zip(panels, columns):
        pictures.curves([check], column, ax=ax, flag=flag if "sigma" in column else None)
        if ax is not panels[-1]:
            ax.set_xlabel("")
    return figure


def _columns(checks) -> dict:
    """Arrays of several checks under names that tell them apart."""
    return {f"{c.name} {name}": values for c in checks for name, values in c.arrays.items()}


def _properties(validation: Validation):
    rows = validation.rows
    if not rows:
        return
    table = Table(
        ("property", "verdict", "value", "+-", "reference", "difference", "unit", "note"),
        tuple(row_cells(r) for r in rows),
    )
    drawn, names = [], []
    for one in validation.properties:
        if isinstance(one.result, EOS):
            numbers = {"volume (A^3)": one.result.volumes, "energy (eV)": one.result.energies}
            drawn.append(
                Picture("Equation of state", png(property_plots.eos(one.result).figure), numbers)
            )
            names.append("eos.png")
        if isinstance(one.result, Phonons):
            path = one.result.path.T
            numbers = {"distance (1/A)": one.result.distances}
            numbers |= {f"branch {k + 1} (THz)": w for k, w in enumerate(path)}
            drawn.append(
                Picture("Phonons", png(property_plots.phonons(one.result).figure), numbers)
            )
            names.append("phonons.png")
    prose = (
        "+- is one calibrated standard deviation. Marks for a good difference: elastic constants 5 "
        "GPa and vacancies 0.05 eV as in ML-PEG, the others are ours (docs/properties.md)."
    )
    counts = counted(r.verdict for r in rows)
    yield Section("Properties", counts, prose, table=table, pictures=tuple(drawn)), tuple(names)


def _errors(validation: Validation):
    report = validation.evaluation
    if report is None:
        return
    table = Table(
        ("config_type", "structures", "atoms", "energy RMSE (meV/atom)", "forces RMSE (eV/A)",
         "stress RMSE (GPa)", "force sigma (eV/A)"),
        errors_cells(report),
    )  # fmt: skip
    s = report.samples
    drawn = [
        (
            "parity.png",
            Picture(
                "Predicted against reference",
                png(plots.parity(report)[0].figure),
                {
                    "energy (eV/atom)": s.energy, "predicted": s.energy_predicted,
                    "force (eV/A)": s.forces.ravel(), "predicted force": s.forces_predicted.ravel(),
                },
            ),
        )
    ]  # fmt: skip
    if report.error_bars.n_judged:
        errors, sigma = s.judged()
        against = plots.sigma_against_error(report).figure
        numbers = {"sigma (eV/A)": sigma, "error (eV/A)": np.sqrt((errors**2).mean(axis=1))}
        bins = report.error_bars.reliability
        curve = {"sigma (eV/A)": [b.rms_std for b in bins], "error": [b.rms_error for b in bins]}
        drawn += [
            (
                "sigma-error.png",
                Picture("Error against sigma", png(against), numbers),
            ),
            ("reliability.png", Picture("Reliability", png(reliability(report)[0].figure), curve)),
        ]
    yield (
        Section("Errors on labelled structures", table=table, pictures=tuple(p for _, p in drawn)),
        tuple(name for name, _ in drawn),
    )
