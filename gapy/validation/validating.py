"""`gapy.validate`: health, properties and errors of a potential, in one result."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from ase import Atoms

import gapy
from gapy.errors import GapyError
from gapy.validation.evaluation import EvaluationReport, evaluate
from gapy.validation.health.check import Check, Settings, plain
from gapy.validation.health.run import chosen_checks, run_health, settings_of
from gapy.validation.property_bars import described
from gapy.validation.starting import ground_state, lowest_energy
from gapy.validation.suites import Computed, PropertyRow, chosen_entries, computed


@dataclass(frozen=True)
class Validation:
    """Result of `validate`.

    atoms: what was looked at; source: where it comes from. checks: of health, settings: what they
    shared. properties: of the suite, with their rows and results. evaluation: errors on labelled
    structures, None without any. facts: name -> text of model, data, settings. seconds: part ->
    wall time.
    """

    atoms: Atoms
    source: str
    checks: tuple[Check, ...]
    settings: Settings
    properties: tuple[Computed, ...]
    evaluation: EvaluationReport | None
    facts: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def rows(self) -> tuple[PropertyRow, ...]:
        """All numbers of the properties."""
        return tuple(row for one in self.properties for row in one.rows)

    @property
    def failures(self) -> tuple[str, ...]:
        """Names of checks that failed and of rows that failed or are off their reference."""
        rows = (r.name for r in self.rows if r.verdict in ("failed", "off"))
        return (*(c.name for c in self.checks if c.verdict == "fail"), *rows)

    def to_dict(self) -> dict:
        """Plain JSON: facts, checks with their arrays, rows, errors, times."""
        return {
            "gapy": gapy.__version__,
            "facts": dict(self.facts),
            "structure": self.source,
            "health": [c.to_dict() for c in self.checks],
            "properties": [
                {**asdict(r), "value": plain(r.value), "std": plain(r.std), "covered": r.covered}
                for r in self.rows
            ],
            "test": None if self.evaluation is None else self.evaluation.to_dict(),
            "failures": list(self.failures),
            "seconds": dict(self.seconds),
        }


def validate(
    potential,
    atoms: Atoms | None = None,
    *,
    reference=None,
    test=None,
    suite: str = "auto",
    members: int = 8,
    seed: int = 0,
    only: Iterable[str] | None = None,
    checks: Iterable[str] | None = None,
    threads: int = 1,
) -> Validation:
    """Checks of health, properties with error bars, and errors on labelled structures.

    Arguments
    ---------
    potential : gapy.Potential
    atoms : crystal or molecule; by default the structure of lowest energy that the model knows
    reference : ASE calculator, or name of a row -> number, that properties are compared with
    test : labelled structures, as for `gapy.evaluate`
    suite : "bulk", "molecule" or "auto"
    members : posterior samples behind the bars of properties, 0 for none
    seed : of samples and of every random choice of the checks
    only, checks : names of properties and of checks of health, all by default
    threads : results do not depend on them

    Raises GapyError for unknown names, one member, a reference that is a text, structures that the
    model does not know, and no `atoms` where the model keeps none to begin from. What fails is in
    the result.
    """
    checks = chosen_checks(checks)
    if members < 0 or members == 1:
        raise GapyError(f"members: expected 0, or at least 2 for an error bar, got {members}")
    if isinstance(reference, str):
        raise GapyError(
            f"reference: expected an ASE calculator or a table of numbers, got {reference!r}; make "
            "it, as EMT()"
        )
    seconds, began = {}, time.perf_counter()
    source = "as given"
    if atoms is None:
        atoms, source = ground_state(potential)
    else:
        potential.check_species(atoms.numbers)
        source = f"{atoms.get_chemical_formula()}, as given"
    only = tuple(e.name for e in chosen_entries(suite, atoms, only))
    calculator = potential.calculator(uncertainty=True, threads=threads)
    settings = settings_of(potential, calculator, seed)
    if "random" in checks:
        settings = replace(settings, lowest=lowest_energy(potential, atoms))

    def lap(name: str) -> None:
        nonlocal began
        now = time.perf_counter()
        seconds[name], began = now - began, now

    lap("structure")
    health = run_health(
        calculator, atoms, settings, plain=potential.calculator(threads=threads), only=checks
    )
    lap("health")
    found = computed(
        potential, atoms, suite=suite, reference=reference, samples=members, seed=seed, only=only,
        threads=threads,
    )  # fmt: skip
    lap("properties")
    _warn_of_unused(reference, found)
    errors = None if test is None else evaluate(potential, test, threads=threads)
    lap("test")
    return Validation(
        atoms,
        source,
        health,
        settings,
        found,
        errors,
        _facts(potential, reference, members, seed),
        seconds,
    )


def _warn_of_unused(reference, found: Iterable[Computed]) -> None:
    """A warning of numbers in a table of references that stand beside no row."""
    rows = {row.name for one in found for row in one.rows}
    if isinstance(reference, Mapping) and (unused := sorted(set(reference) - rows)):
        warnings.warn(
            f"reference: no row is named {', '.join(map(repr, unused))}; rows are "
            f"{', '.join(sorted(rows)) or 'none'}",
            stacklevel=3,
        )


def _facts(potential, reference, members: int, seed: int) -> dict[str, str]:
    """What the model is, and how its properties were computed."""
    meta = potential.metadata
    return {
        "model": repr(potential),
        "model sha256": potential.sha256,
        "data sha256": str(meta.get("data_sha256", "not known")),
        "training structures": str(meta.get("n_structures", "not known")),
        "fitted with": f"gapy {meta.get('gapy', 'of an unknown version')}",
        "reference": _named(reference),
        "posterior samples": str(members),
        "seed": str(seed),
        "error bars": described(potential) if members else "none",
    }


def _named(reference) -> str:
    if reference is None:
        return "none"
    if isinstance(reference, Mapping):
        return f"a table of {len(reference)} numbers"
    return f"{type(reference).__module__}.{type(reference).__name__}"
