"""What `pair_style gapy` says in an input file, for LAMMPS without the compiled style."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from gapy.errors import GapyError

NEEDS_PLUGIN = "which needs the compiled pair style: install g++ and see docs/lammps.md"


@dataclass(frozen=True)
class Keywords:
    """Keywords of the pair style; limit: max_force_std, eV/A, infinite for none, looked at every
    `every` steps; posterior: see `domain.force_sigmas`; precision: `Potential.in_precision`."""

    limit: float = math.inf
    every: int = 1
    frame: str = "flagged.extxyz"
    member: int = -1
    posterior: int = -1
    precision: str = ""


NAMES = {
    "sigma": "every", "max_force_std": "limit", "frame": "frame", "member": "member",
    "posterior": "posterior", "precision": "precision",
}  # fmt: skip
TYPES = {
    "sigma": int, "max_force_std": float, "frame": str, "member": int, "posterior": int,
    "precision": str,
}  # fmt: skip
WITHOUT = "without"
KNOWN = "sigma N, max_force_std X, frame FILE, member K, posterior N, precision single or double"


def parse_keywords(words: list[str]) -> tuple[Keywords, list[str]]:
    """(keywords at the beginning of `words`, what follows them); GapyError for a wrong value."""
    given: dict = {}
    while words and words[0] in (*NAMES, WITHOUT):
        if words[0] == WITHOUT:
            raise GapyError(
                f"pair_style gapy {WITHOUT}: baselines left to LAMMPS, {NEEDS_PLUGIN}; or use "
                "gapy md"
            )
        name, value = words[0], words[1] if len(words) > 1 else ""
        try:
            given[NAMES[name]] = TYPES[name](value)
        except ValueError:
            raise GapyError(
                f"pair_style gapy {name}: expected {TYPES[name].__name__}, got {value!r}"
            ) from None
        words = words[2:]
    if "every" in given and "limit" not in given:
        raise GapyError(f"pair_style gapy sigma: sigmas to be read by others, {NEEDS_PLUGIN}")
    found = Keywords(**given)
    if found.every < 1 or not found.limit > 0:
        raise GapyError(f"pair_style gapy: expected sigma >= 1 and max_force_std > 0, got {found}")
    if "posterior" in given and found.posterior < 0:
        raise GapyError(
            f"pair_style gapy posterior: expected at least 0, got {found.posterior}; 0 draws none"
        )
    return found, words


@dataclass(frozen=True)
class Segment:
    """Some lines of an input file as they are, and the command of gapy's that follows them.

    command: a pair_style or pair_coeff line as words, None at the end of the file.
    """

    text: str
    command: list[str] | None


def segments(text: str) -> list[Segment]:
    """An input file cut at its lines on pair style gapy.

    Raises GapyError for what only the compiled style can do: outputs of the style itself, other
    pair styles than gapy alone or in a hybrid/overlay, a change of the style along the way.
    """
    out: list[Segment] = []
    lines: list[str] = []
    ours = alone = False
    for line in _logical_lines(text):
        words = line.split("#")[0].split()
        if words[:1] == ["pair_style"]:
            if ours and "gapy" not in words:
                raise GapyError(f"{' '.join(words)}: another pair style after gapy, {NEEDS_PLUGIN}")
            ours = "gapy" in words
            if ours and words[1] not in ("gapy", "hybrid/overlay"):
                raise GapyError(f"{' '.join(words)}: a {words[1]} with gapy, {NEEDS_PLUGIN}")
            alone = words[1:2] == ["gapy"]
        is_coefficients = (
            ours and words[:3] == ["pair_coeff", "*", "*"] and (alone or words[3:4] == ["gapy"])
        )
        if (words[:1] == ["pair_style"] and ours) or is_coefficients:
            out.append(Segment("".join(lines), words))
            lines = []
            continue
        if words[:1] in (["fix"], ["compute"]) and ("pair", "gapy") in _near(words):
            raise GapyError(f"{' '.join(words)}: an output of pair style gapy, {NEEDS_PLUGIN}")
        lines.append(line)
    return [*out, Segment("".join(lines), None)]


def _near(words: list[str]) -> set:
    """Neighbouring words, a number between them left out: `fix s all pair 1 gapy sigma 1`."""
    kept = [w for w in words if not w.isdigit()]
    return set(pairwise(kept))


def _logical_lines(text: str):
    """Lines with those that `&` continues."""
    whole = ""
    for line in text.splitlines(keepends=True):
        whole += line
        if line.rstrip().endswith("&"):
            whole = whole.rstrip()[:-1] + " "
            continue
        yield whole
        whole = ""
    if whole:
        yield whole
