"""An input file with `pair_style gapy` run by `fix external`.

The line of the style becomes `pair_style zero` at twice the cutoff, which makes LAMMPS bring ghosts
from that far; the line of its coefficients is followed by the fix.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from gapy.engines.lammps import elsewhere
from gapy.engines.lammps.domain import (
    domain_precision,
    fit_for_domains,
    force_sigmas,
    numbers_of,
    open_model,
)
from gapy.engines.lammps.external import FIX, External
from gapy.engines.lammps.style import KNOWN, Keywords, parse_keywords, segments
from gapy.errors import GapyError
from gapy.model.potential import Potential

SETUP = (
    f"fix {FIX} all external pf/callback 1 1",
    f"fix_modify {FIX} energy yes virial yes",
)


class ExternalRun:
    """The state of such a run: stopped, raised as in `engine.Engine`."""

    def __init__(self, lmp):
        self._lmp = lmp
        self._external: External | None = None
        self._keywords = Keywords()
        self._potential: Potential | None = None
        self._in_hybrid = False

    @property
    def stopped(self) -> str | None:
        """Why the run stopped by its force sigma."""
        return None if self._external is None else self._external.stopped

    @property
    def raised(self) -> BaseException | None:
        """The first error of the engine."""
        return None if self._external is None else self._external.raised

    def file(self, path) -> None:
        """What `lmp.file` does, with our lines done here.

        Raises GapyError for what only the compiled style can do, and the engine's errors.
        """
        parts = segments(Path(path).read_text(encoding="utf-8"))
        for k, part in enumerate(parts):
            self._run(part.text, Path(path))
            if self.raised is not None:
                raise self.raised
            if part.command is None:
                return
            if part.command[0] == "pair_style":
                self._style(part.command, [p.command for p in parts[k + 1 :]])
            else:
                self._coefficients(self._expanded(part.command))

    def _run(self, text: str, path: Path) -> None:
        """Lines by way of a file: loops and jumps need one."""
        if not text.strip():
            return
        with tempfile.NamedTemporaryFile("w", suffix=f".{path.name}", delete=False) as file:
            file.write(text if text.endswith("\n") else text + "\n")
        try:
            self._lmp.file(file.name)
        finally:
            os.unlink(file.name)

    def _expanded(self, words: list[str]) -> list[str]:
        return (self._lmp.expand(" ".join(words)) or "").split()

    def _style(self, words: list[str], later: list) -> None:
        lmp = self._lmp
        units = lmp.extract_global("units")
        if units != "metal":
            raise GapyError(
                f"pair_style gapy: expected units metal, got units {units}; the model is in eV and "
                "Angstrom"
            )
        coefficients = next((w for w in later if w and w[0] == "pair_coeff"), None)
        if coefficients is None:
            raise GapyError(
                "pair_style gapy: expected a line pair_coeff * * MODEL.gapy with symbols after it"
            )
        words = self._expanded(words)
        at = words.index("gapy")
        self._in_hybrid = at > 1
        self._keywords, rest = parse_keywords(words[at + 1 :])
        if at == 1 and rest:
            raise GapyError(f"pair_style gapy: expected the keywords {KNOWN}, got {rest[0]}")
        model = self._expanded(coefficients)[4 if at > 1 else 3 :]
        if not model:
            raise GapyError("pair_coeff of gapy: expected * * MODEL.gapy and symbols, got no model")
        potential = open_model(model[0], self._keywords.member)
        self._potential = fit_for_domains(
            domain_precision(potential, self._keywords.precision),
            model[0],
            lambda b: elsewhere.remedy(b, model[0], model[1:], plugin=False),
        )
        reach = 2.0 * self._potential.pairs_cutoff
        lmp.command(" ".join([*words[:at], "zero", f"{reach:.17g}", *rest]))

    def _coefficients(self, words: list[str]) -> None:
        if self._potential is None:
            raise GapyError("pair_coeff of gapy: expected pair_style gapy before it, got none")
        lmp, at = self._lmp, 5 if self._in_hybrid else 4
        symbols, n_types = words[at:], lmp.extract_setting("ntypes")
        if len(symbols) != n_types:
            raise GapyError(
                "pair_coeff of gapy: expected * * MODEL.gapy and the chemical symbol of each of "
                f"the {n_types} atom types (NULL: not this style's), got {len(symbols)} symbols"
            )
        numbers, seen = numbers_of(self._potential, symbols), [s != "NULL" for s in symbols]
        lmp.command("pair_coeff * *" + (" zero" if at == 5 else ""))
        if lmp.has_id("fix", FIX):
            lmp.command(f"unfix {FIX}")
        for line in SETUP:
            lmp.command(line)
        every, said = force_sigmas(self._potential, self._keywords.posterior)
        if said:
            lmp.command(f'print "{said}"')
        keywords = replace(self._keywords, posterior=every)
        self._external = External(lmp, self._potential, numbers, seen, keywords)
        lmp.set_fix_external_callback(FIX, self._external, lmp)
