"""Time and memory of a fit before it is made: its steps timed on a part of the structures.

Components and the last steps (learning, solving, calibration) take as long for any number of
structures, so long as the sample that they look at is full; inducing points and labels take as long
as there are atoms. So a part that fills the sample tells both.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from gapy._support.threads import blas_threads
from gapy.baselines import isolated_atom_energies
from gapy.errors import GapyError
from gapy.fit.beginning import baselines_for, empty_state, reach_of, term_of, with_components
from gapy.fit.charge_scale import with_scales
from gapy.fit.checks import labelled
from gapy.fit.labels import without
from gapy.fit.sample import ROW_BYTES, SampleRows
from gapy.fit.training import absorb, merge
from gapy.gp.frames import Frames
from gapy.gp.inducing import choose_inducing, pool_bytes
from gapy.structures import LabelledStructure

PER_POINT = 1.5
"""Atoms of the part for each inducing point, at least."""
IN_PARTS = ("points", "labels")
ATOMS_OF_A_PART = 4000
"""Of `gapy.distributed`, about: rows of so many take far longer than the merging of two states."""


@dataclass(frozen=True)
class Estimate:
    """seconds by step, and memory_bytes, of a fit in one process; merge_seconds: of two training
    states; n_atoms: of all structures; took: seconds of the estimate itself; sample_seconds: of
    the rows of the sample, which a fit in parts computes once more."""

    seconds: dict[str, float]
    memory_bytes: float
    merge_seconds: float
    n_atoms: int
    took: float
    sample_seconds: float = 0.0

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(self.seconds.values())

    def on_workers(self, n: int) -> float:
        """Seconds with the structures in parts on n workers (`gapy.distributed`).

        Points and labels are shared out, as are the merges of the states of all parts; what is
        left is done by one process.
        """
        parts = max(self.n_atoms / ATOMS_OF_A_PART, 1.0)
        shared = sum(self.seconds[name] for name in IN_PARTS) + (parts - 1.0) * self.merge_seconds
        alone = sum(s for name, s in self.seconds.items() if name not in IN_PARTS)
        alone += self.sample_seconds
        return alone + shared / min(n, parts)


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def estimate(regressor, structures: Sequence, *, atoms: int | None = None) -> Estimate:
    """What a fit of a regressor to structures will take on this machine.

    atoms : of a larger set that these structures are like, instead of their own

    Raises GapyError as `fit` does, or for fewer atoms than there are.
    """
    began = time.perf_counter()
    terms = regressor.term_settings()
    structures = labelled(structures, regressor.label_keys(), [t.descriptor for t in terms])
    n_atoms = sum(len(s.atoms) for s in structures)
    if atoms is not None and atoms < n_atoms:
        raise GapyError(f"atoms: expected at least the {n_atoms} of the structures, got {atoms}")
    part = _part(structures, terms, int(regressor.seed))
    n_part = sum(len(s.atoms) for s in part)
    ratio = (atoms or n_atoms) / n_part
    clock, rng = _Clock(), np.random.default_rng(int(regressor.seed))
    with blas_threads(1):
        frames = Frames([s.atoms for s in part], terms)
        with clock.of("components"):
            terms, frames = with_components(terms, frames, int(regressor.seed))
        baselines = baselines_for(regressor, [t.descriptor for t in terms], frames.atoms)
        baselines = with_scales(regressor, baselines, structures)
        e0 = isolated_atom_energies([without(s, baselines) for s in part], regressor.e0)
        with clock.of("points"):
            points = [choose_inducing(frames, t, term, rng) for t, term in enumerate(terms)]
            reach = reach_of(frames, terms)
        chosen = [term_of(term, of) for term, of in zip(terms, points)]
        start = empty_state(chosen, e0, regressor.initial_noise(), regressor, reach, baselines)
        rows = SampleRows()
        with clock.of("labels"):
            state = absorb(start, part, rows=rows, frames=frames)
        merging = _Clock()
        with merging.of("merge"):
            merge(state, state)
        with clock.of("learning, solving, calibration"):
            regressor.solved(state, rows, learnt=regressor.optimize)
    seconds = {name: s * (ratio if name in IN_PARTS else 1.0) for name, s in clock.seconds.items()}
    memory = _peak_bytes() + sum(
        pool_bytes(term, s, ratio) - pool_bytes(term, s, 1.0)
        for term in terms
        for s in _atoms_by_species(part).values()
    )
    n_sample = sum(len(s.atoms) for s in state.calibration_sample)
    again = clock.seconds["labels"] * n_sample / n_part
    took = time.perf_counter() - began
    return Estimate(seconds, memory, merging.seconds["merge"], round(ratio * n_part), took, again)


def _part(structures: list[LabelledStructure], terms, seed: int) -> list[LabelledStructure]:
    """Structures in the order of their hashes, until there are enough atoms of every species."""
    counts = _atoms_by_species(structures)
    n_points = sum(min(t.most_points, n) for t in terms for n in counts.values())
    for_sample = ROW_BYTES / (8 * max(n_points, 1)) / 4
    wanted = {
        z: min(PER_POINT * max(t.most_points for t in terms) + for_sample / len(counts), n)
        for z, n in counts.items()
    }
    salt = f"{seed}:".encode()
    out: list[LabelledStructure] = []
    held = dict.fromkeys(counts, 0)
    for s in sorted(structures, key=lambda s: s.digest(salt)):
        if all(held[z] >= n for z, n in wanted.items()):
            break
        out.append(s)
        for z, n in _atoms_by_species([s]).items():
            held[z] += n
    return out


def _atoms_by_species(structures) -> dict[int, int]:
    numbers = np.concatenate([s.atoms.numbers for s in structures])
    found, counts = np.unique(numbers, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist()))


def _peak_bytes() -> float:
    """Peak memory of this process; of macOS it is told in bytes, elsewhere in kB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) if sys.platform == "darwin" else 1024.0 * peak
