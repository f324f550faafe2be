"""The potential behind a `pair_coeff` line, the atomic numbers of its atom types, its sigmas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase.data import atomic_numbers

from gapy.baselines import KINDS, Baseline
from gapy.engines.lammps import elsewhere
from gapy.error_bars.calibration import POSTERIOR_EVERY, SAMPLES
from gapy.errors import GapyError, SpeciesError
from gapy.gp.neighbourhood import is_magnetic
from gapy.model import modelfile
from gapy.model.loading import from_archive
from gapy.model.potential import Potential


def open_model(path: str, member: int = -1) -> Potential:
    """The potential of a model file, or posterior sample `member` >= 0 of it (seed 0).

    Raises ModelFileError for a file that cannot be read, GapyError for baselines that are no sums
    over pairs and that LAMMPS has no style for.
    """
    archive = modelfile.read(path)
    given = [b["kind"] for b in archive.model.get("baselines", ())]
    # Before a calculator that the file names is imported.
    if other := [k for k in given if not KINDS[k].pairwise and k not in elsewhere.KINDS]:
        raise _of_whole(other, path, "use gapy md, or fit without it")
    return member_of(from_archive(archive, path), member)


def member_of(potential: Potential, member: int) -> Potential:
    """Posterior sample `member` >= 0 of a potential (seed 0), itself for -1."""
    return potential if member < 0 else potential.sample(member + 1).potentials[member]


def domain_precision(potential: Potential, asked: str) -> Potential:
    """The potential in the precision that the keyword says; as it is where it says none.

    Raises GapyError for another word.
    """
    return potential.in_precision(asked) if asked else potential


def fit_for_domains(
    potential: Potential, path: str, remedy: Callable[[Sequence[Baseline]], str] | None = None
) -> Potential:
    """The same potential, called `path` in errors.

    remedy: what to do about baselines that are no sums over pairs, in words; by default
    `elsewhere.remedy`.

    Raises GapyError for a descriptor that does not work from neighbours, looks at moments or sees
    no images, and for baselines that are no sums over pairs.
    """
    if not all(term.descriptor.takes_neighbours for term in potential.terms):
        raise GapyError(
            f"{path}: expected descriptors that work from neighbours (SOAP), LAMMPS has no whole "
            "structures; fit with a SOAP"
        )
    if is_magnetic(potential.terms):
        raise GapyError(
            f"{path}: expected a model without magnetic elements, LAMMPS does not hand over the "
            "signs of their moments; use gapy md"
        )
    if not potential.sees_images:
        raise GapyError(
            f"{path}: expected a model of periodic structures, it was fitted with periodic=False "
            "and would overlook images; fit with periodic=True"
        )
    if other := [b for b in potential.baselines if not b.pairwise]:
        said = remedy(other) if remedy else elsewhere.remedy(other, path)
        raise _of_whole([b.kind for b in other], path, said)
    return potential


def _of_whole(kinds: Sequence[str], path: str, remedy: str) -> GapyError:
    return GapyError(
        f"{path}: expected baselines that are sums over pairs, LAMMPS has no whole structures, got "
        f"{', '.join(kinds)}; {remedy}"
    )


def force_sigmas(potential: Potential, every: int) -> tuple[int, str]:
    """(steps between force sigmas from posterior samples, 0 for none; a line for the log).

    every: what the keyword `posterior` says, -1 without it. Then the potential decides, as
    uncertainty=True of the ASE calculator, and samples are drawn as often as in `gapy md`.
    """
    calibration = potential.calibration
    if every < 0:
        every = POSTERIOR_EVERY if calibration.prefers_posterior else 0
        if not every:
            return 0, ""
    if not every:
        return 0, "gapy: force sigmas are the cheap ones"
    if calibration.posterior is None:
        return 0, (
            "gapy: force sigmas are the cheap ones: posterior samples rank the left-out errors of "
            "this model no better"
        )
    line = f"gapy: force sigmas from {SAMPLES} posterior samples"
    if every == 1:
        return 1, line
    return every, f"{line} at steps that {every} divides, the cheap ones at others"


def numbers_of(potential: Potential, symbols: list[str]) -> list[int]:
    """Atomic number of each atom type, that of some known species for types named NULL.

    Atoms of such types are neither centres nor neighbours. Raises SpeciesError for a symbol that
    the potential does not know, GapyError if all are NULL.
    """
    given = [s for s in symbols if s != "NULL"]
    if not given:
        raise GapyError("pair_coeff of gapy: expected a chemical symbol, got NULL for all types")
    unknown = [s for s in given if s not in atomic_numbers]
    if unknown:
        raise SpeciesError(
            f"pair_coeff of gapy: expected chemical symbols, got {unknown[0]!r}; give one for "
            "each atom type"
        )
    known = [atomic_numbers[s] for s in given]
    potential.check_species(np.array(known))
    return [atomic_numbers.get(s, known[0]) for s in symbols]
