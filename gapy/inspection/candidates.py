"""Which unlabelled structures to label next: those farthest from all that is labelled or chosen."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.descriptors.base import species_slots
from gapy.errors import GapyError, SpeciesError
from gapy.inspection.metric import Metric
from gapy.inspection.report import Candidate


def choose(metric: Metric, samples, candidates, n: int) -> list[Candidate]:
    """Greedy choice of at most n structures by the kernel distance of their farthest environment.

    Every choice counts as labelled for the next one, so that equal structures are not chosen
    twice. candidates: ASE Atoms, or None.
    """
    if candidates is None:
        return []
    if n < 1:
        raise GapyError(f"n_candidates: expected at least 1, got {n}")
    frames = [candidates] if isinstance(candidates, Atoms) else list(candidates)
    kernels = [metric.kernel(slot) for slot in range(len(metric.species))]
    # Of each environment the descriptor and the largest kernel value with what is labelled.
    pools = [[(slot, x) for slot, _, x in _described(metric, a, k)] for k, a in enumerate(frames)]
    best = [
        [kernels[slot](x, samples[slot].x_nd).max(axis=1, initial=-1.0) for slot, x in pool]
        for pool in pools
    ]
    open_, out = set(range(len(frames))), []
    while open_ and len(out) < n:
        far = {k: max(_distance(b.min()) for b in best[k]) for k in open_}
        winner = max(sorted(open_), key=far.__getitem__)
        if far[winner] < 1e-6:
            break
        out.append(Candidate(f"candidate {winner}", float(far[winner])))
        open_.remove(winner)
        for k in open_:
            for (slot, x), b in zip(pools[k], best[k]):
                for other, y in pools[winner]:
                    if other == slot:
                        np.maximum(b, kernels[slot](x, y).max(axis=1), out=b)
    return out


def _described(metric: Metric, atoms, k: int):
    if not isinstance(atoms, Atoms) or not len(atoms):
        raise GapyError(f"candidate {k}: expected ase.Atoms with atoms, got {atoms!r}")
    try:
        species_slots(metric.species, atoms.numbers)
    except SpeciesError as error:
        raise SpeciesError(
            f"candidate {k}: {error}; such a structure is new in any case: label it"
        ) from error
    return list(metric.by_slot(atoms))


def _distance(k: float) -> float:
    return float(np.sqrt(max(2.0 - 2.0 * max(k, 0.0), 0.0)))
